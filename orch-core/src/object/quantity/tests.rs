use proptest::prelude::*;

use super::*;

fn canonical(text: &str) -> String {
    Quantity::parse(text).unwrap_or_else(|error| panic!("{error}")).to_string()
}

/// The pairs of Kubernetes' own `quantity_test.go` and documentation, and those at the edges of our range.
#[test]
fn the_canonical_form_is_that_of_kubernetes() {
    for (text, expected) in [
        ("0", "0"),
        ("0Ki", "0"),
        ("-0.0", "0"),
        ("+1", "1"),
        ("-1", "-1"),
        ("1500m", "1500m"),
        ("1.5", "1500m"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("1.", "1"),
        ("1.G", "1G"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("1024Ki", "1Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.1Gi", "107374182400m"),
        ("0.5Ki", "512"),
        ("1.5Ki", "1536"),
        ("0.001Ki", "1024m"),
        ("1025Ki", "1025Ki"),
        ("100Ki", "100Ki"),
        ("-1024Ki", "-1Mi"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("1E", "1E"),
        ("1e4", "10e3"),
        ("1e1", "10"),
        ("12e6", "12e6"),
        ("1e-3", "1e-3"),
        ("1.1E-3", "1100e-6"),
        ("1.2345", "1234500u"),
        ("18446744073709551616", "18446744073709551616"),
        ("1000E", "1e21"),
        ("8Ei", "8Ei"),
        ("1n", "1n"),
        ("0.9n", "1n"),
        ("-0.1n", "-1n"),
        ("1e-2147483648", "1e-9"),
        ("0e2147483647", "0"),
        ("0.000000001Ki", "1024n"),
        ("0.0000000001Ki", "103n"),
        ("100000000000E", "100e27"),
        ("-1e29", "-100e27"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_quantity_is_refused_with_an_example() {
    let no_number = " is not a quantity: expected a number and perhaps a suffix, such as \"500m\", \"2\" or \"1.5Gi\"";
    for text in ["", "-", "+", ".", "Ki", "m", " 1", "--1", "1.2.3", "NaN", "inf", "ä"] {
        assert_eq!(Quantity::parse(text).unwrap_err().to_string(), format!("{text:?}{no_number}"));
    }
    for (text, suffix) in [
        ("1K", "K"),
        ("1GB", "GB"),
        ("1 Gi", " Gi"),
        ("1ki", "ki"),
        ("1e", "e"),
        ("1e1.5", "e1.5"),
        ("1e9999999999", "e9999999999"),
    ] {
        let error = Quantity::parse(text).unwrap_err();
        assert_eq!(error, QuantityError::UnknownSuffix { text: text.to_owned(), suffix: suffix.to_owned() });
    }
    assert_eq!(
        Quantity::parse("1GB").unwrap_err().to_string(),
        "\"1GB\" is not a quantity: \"GB\" is no suffix; use one of n, u, m, k, M, G, T, P, E (powers of 1000) or \
         Ki, Mi, Gi, Ti, Pi, Ei (powers of 1024), such as \"500m\" or \"1.5Gi\""
    );
    for text in ["1e30", "-1e30", "1e2147483647", "100000000001E", "100000000000.1E", "1000000000000Ei"] {
        assert_eq!(
            Quantity::parse(text).unwrap_err().to_string(),
            format!(
                "{text:?} is out of range: a quantity is at least \"-1e29\" and at most \"1e29\", such as \"64Gi\""
            )
        );
    }
    let long = Quantity::parse(&"x".repeat(1_000_000)).unwrap_err().to_string();
    assert!(long.len() < 200, "a message is no copy of the input: {long}");
}

#[test]
fn rounding_is_away_from_zero_and_stops_at_the_ends() {
    let read = |text| Quantity::parse(text).expect("a quantity");
    assert_eq!((read("1n").value(), read("1n").millis()), (1, 1));
    assert_eq!((read("-1n").value(), read("-1500m").value()), (-1, -2));
    assert_eq!((read("2").value(), read("1500m").millis()), (2, 1500));
    assert_eq!((read("1e29").value(), read("-1e29").millis()), (i64::MAX, i64::MIN));
    assert!(read("-1n").is_negative() && !read("0").is_negative() && read("-0").is_zero());
}

#[test]
fn sums_are_exact_and_keep_the_family() {
    let read = |text| Quantity::parse(text).expect("a quantity");
    let sum = |a, b| read(a).checked_add(read(b)).map(|sum| sum.to_string());
    assert_eq!(sum("1Gi", "1024").as_deref(), Some("1048577Ki"));
    assert_eq!(sum("0", "1Gi").as_deref(), Some("1Gi"));
    assert_eq!(sum("0.1", "0.2").as_deref(), Some("300m"));
    assert_eq!(sum("1e29", "1n"), None);
    assert_eq!(read("1e29").saturating_add(read("1n")), read("1e29"));
    assert_eq!(read("-1").saturating_add(read("-1e29")), read("-1e29"));
    assert_eq!(read("-1e29").checked_sub(read("1n")), None);
    assert_eq!(read("1").checked_sub(read("1500m")), Some(Quantity::from_millis(-500)));
}

#[test]
fn json_and_yaml_numbers_are_quantities_too() {
    for (text, expected) in [
        ("0.5", "500m"),
        ("2", "2"),
        ("-3", "-3"),
        ("\"1Gi\"", "1Gi"),
        ("1e3", "1k"),
        ("18446744073709551615", "18446744073709551615"),
    ] {
        let from_json: Quantity = serde_json::from_str(text).expect("a quantity");
        let from_yaml: Quantity = serde_saphyr::from_str(text).expect("a quantity");
        assert_eq!((from_json.to_string().as_str(), from_yaml.to_string().as_str()), (expected, expected));
    }
    let plain: Quantity = serde_saphyr::from_str("1.5Gi").expect("a quantity");
    assert_eq!(serde_json::to_string(&plain).expect("text"), "\"1536Mi\"");
    let error = serde_json::from_str::<Quantity>("true").unwrap_err().to_string();
    let expected = "invalid type: boolean `true`, expected a quantity such as \"500m\", \"2\" or \"1.5Gi\"";
    assert!(error.starts_with(expected), "{error}");
    assert!(serde_json::from_str::<Quantity>("null").is_err());
    assert!(serde_saphyr::from_str::<Quantity>(".inf").is_err());
}

/// A quantity as `sign digits * 10^-places * 10^exponent * 2^doublings`, small enough to compare as fractions.
#[derive(Clone, Debug)]
struct Written {
    digits: i64,
    places: usize,
    suffix: &'static str,
    exponent: i32,
    doublings: u32,
}

impl Written {
    fn text(&self) -> String {
        let places = self.places;
        let digits = format!("{:0width$}", self.digits.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        format!("{}{whole}.{fraction}{}", if self.digits < 0 { "-" } else { "" }, self.suffix)
    }

    /// The exact value as a multiple of 10^-12.
    fn picos(&self) -> i128 {
        let scale = 12 + self.exponent - i32::try_from(self.places).expect("few places");
        (i128::from(self.digits) * 10_i128.pow(scale.try_into().expect("at least a pico"))) << self.doublings
    }

    /// The exact value rounded away from zero to 10^-9.
    fn nanos(&self) -> i128 {
        let picos = self.picos();
        picos / 1000 + (picos % 1000).signum()
    }
}

fn written() -> impl Strategy<Value = Written> {
    let suffix = prop_oneof![
        Just(("n", -9, 0)),
        Just(("m", -3, 0)),
        Just(("", 0, 0)),
        Just(("k", 3, 0)),
        Just(("E", 18, 0)),
        Just(("e3", 3, 0)),
        Just(("e-6", -6, 0)),
        Just(("E+2", 2, 0)),
        Just(("Ki", 0, 10)),
        Just(("Gi", 0, 30)),
        Just(("Ei", 0, 60)),
    ];
    (-50_000_i64..50_000, 0_usize..=3, suffix).prop_map(|(digits, places, (suffix, exponent, doublings))| Written {
        digits,
        places,
        suffix,
        exponent,
        doublings,
    })
}

proptest! {
    #[test]
    fn a_value_is_read_exactly_or_rounded_up_to_the_next_billionth(written in written()) {
        let quantity = Quantity::parse(&written.text()).expect("a quantity");
        prop_assert_eq!(quantity.nanos, written.nanos(), "{}", written.text());
    }

    #[test]
    fn the_order_is_that_of_the_values(a in written(), b in written()) {
        let (left, right) = (Quantity::parse(&a.text()).unwrap(), Quantity::parse(&b.text()).unwrap());
        prop_assert_eq!(left.cmp(&right), a.nanos().cmp(&b.nanos()));
        prop_assert_eq!(left == right, a.nanos() == b.nanos());
    }

    #[test]
    fn the_canonical_form_keeps_the_value_and_is_its_own_canonical_form(
        nanos in prop_oneof![-LIMIT..=LIMIT, (-5_000_i128..5_000).prop_map(|n| n << 90), (-2_000_i128..2_000)],
        family in prop_oneof![Just(Family::Decimal), Just(Family::Binary), Just(Family::Exponent)],
    ) {
        let quantity = Quantity { nanos, family };
        let text = quantity.to_string();
        let again = Quantity::parse(&text).expect("canonical forms are quantities");
        prop_assert_eq!(again, quantity);
        prop_assert_eq!(again.to_string(), text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[-+]?[0-9.]{0,50}[a-zA-Z]{0,2}[-+]?[0-9]{0,12}") {
        let _ = Quantity::parse(&text);
    }
}
