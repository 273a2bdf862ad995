//! [`Query`]: what stands behind the question mark, or in a form.

/// What stands behind the question mark, or in a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// The names and values in a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    /// The first value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// All values of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Whether the first value of this name is `true`, in whichever letters.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The number of this name.
    ///
    /// # Errors
    /// What is wrong with it, if it is none.
    pub fn number(&self, name: &str) -> Result<Option<i64>, String> {
        let parsed = |text: &str| text.parse().map_err(|_| format!("Failed to parse {name}: {text:?} is not a number"));
        self.get(name).map(parsed).transpose()
    }
}

/// Text as it was before it was put into an address: `%2F` is `/`, and `+` a space.
#[must_use]
pub fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_an_address_is_read_as_it_was_meant() {
        let query = Query::of("path=%2Fvar%2Flib&limit=-1&order=asc&flag&odd=%zz%2&sum=1+1");
        assert_eq!(query.get("path"), Some("/var/lib"));
        assert_eq!(query.number("limit"), Ok(Some(-1)));
        assert_eq!((query.get("flag"), query.get("odd"), query.get("sum")), (Some(""), Some("%zz%2"), Some("1 1")));
        assert!(query.number("order").is_err() && query.number("none") == Ok(None));
    }
}
