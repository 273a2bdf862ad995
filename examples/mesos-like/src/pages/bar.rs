//! [`bar`]: how much of something is used.

use super::amounts::in_order;
use super::html::{Html, element};
use super::{Amounts, amount};

/// A part of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// It is used.
    Used,
    /// It may be used soon.
    Offered,
    /// It is as it should be.
    Good,
    /// It is not.
    Bad,
}

/// A bar of parts of a whole; the words say the same to those who do not see it.
#[must_use]
pub fn bar(words: &str, whole: f64, parts: &[(Share, f64)]) -> Html {
    let mut bar = element("svg").class("bar").attribute("role", "img").attribute("aria-label", words);
    let mut from = 0.0;
    for (share, part) in parts {
        let percent = if whole > 0.0 { (part / whole * 100.0).clamp(0.0, 100.0 - from) } else { 0.0 };
        // What is no number is no part.
        if !percent.is_finite() || percent <= 0.0 {
            continue;
        }
        let class = match share {
            Share::Used => "used",
            Share::Offered => "offered",
            Share::Good => "good",
            Share::Bad => "bad",
        };
        let rect = element("rect").class(class).attribute("height", "100%");
        bar = bar.add(rect.attribute("x", format!("{from:.2}%")).attribute("width", format!("{percent:.2}%")));
        from += percent;
    }
    element("span").class("gauge").attribute("title", words).add(bar).into()
}

/// A bar for each kind of resource: what is used and offered of all that there is.
#[must_use]
pub fn bars(total: &Amounts, used: &Amounts, offered: &Amounts) -> Html {
    let line = |(name, total): (&str, f64)| {
        let of = |amounts: &Amounts| amounts.get(name).copied().unwrap_or(0.0);
        let (used, offered) = (of(used), of(offered));
        let mut words = format!("{} of {} used", amount(name, used), amount(name, total));
        if offered > 0.0 {
            words.push_str(&format!(", {} offered", amount(name, offered)));
        }
        let gauge = bar(&format!("{name}: {words}"), total, &[(Share::Used, used), (Share::Offered, offered)]);
        let line = element("div").class("line").add(element("span").class("name").add(name));
        line.add(gauge).add(element("span").class("words").add(words))
    };
    element("div").class("bars").add(in_order(total).into_iter().map(line).collect::<Html>()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_longer_than_the_whole() {
        let drawn = bar("cpus", 4.0, &[(Share::Used, 1.0), (Share::Offered, 9.0), (Share::Bad, f64::NAN)]);
        let expected = "<rect class=\"used\" height=\"100%\" x=\"0.00%\" width=\"25.00%\"></rect>\
                        <rect class=\"offered\" height=\"100%\" x=\"25.00%\" width=\"75.00%\"></rect></svg>";
        assert!(drawn.as_str().contains(expected), "{}", drawn.as_str());
        assert!(!bar("none", 0.0, &[(Share::Used, 1.0)]).as_str().contains("rect"));
    }
}
