//! [`Pattern`]: a regular expression of a constraint.

use regex_lite::{Regex, RegexBuilder};

/// The most bytes that a compiled expression may take: people send them, and a few letters can ask for a lot.
const MOST_BYTES: usize = 256 * 1024;

/// A regular expression that a whole text has to match. Matching takes time in proportion to the text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// From its text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let compile = |text: &str| RegexBuilder::new(text).size_limit(MOST_BYTES).build();
        let wrong = |error: regex_lite::Error| format!("{text:?} is no regular expression: {error}");
        // By itself first: `a)(b` is none, although it is one in parentheses.
        compile(text).map_err(wrong)?;
        compile(&format!("^(?:{text})$")).map(Self).map_err(wrong)
    }

    /// Whether it matches all of a text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_matches_whole_texts() {
        for (pattern, text, expected) in [
            ("rack-[1-3]", "rack-2", true),
            ("rack-[1-3]", "rack-22", false),
            ("a|ab", "ab", true),
            ("a|b", "ab", false),
            (".*", "", true),
            ("", "a", false),
            (r"host\d+", "host12", true),
        ] {
            let matches = Pattern::new(pattern).map(|pattern| pattern.matches(text));
            assert_eq!(matches, Ok(expected), "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_none_or_asks_for_too_much_is_refused() {
        for text in ["(", "a)(b", "*", "[z-a]", "((a{1000}){1000}){1000}", &"(".repeat(10_000)] {
            assert!(Pattern::new(text).is_err_and(|error| error.contains("regular expression")), "{text:.20}");
        }
    }
}
