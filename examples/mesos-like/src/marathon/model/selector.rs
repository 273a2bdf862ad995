//! [`Selector`]: which labels an app must have.

use std::collections::{BTreeMap, BTreeSet};

/// Which label an app must have, or not: `name`, `name==value`, `name!=value`, `name in (a, b)`, `name notin (a, b)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    name: String,
    /// The values that are meant; any if there are none.
    values: Option<BTreeSet<String>>,
    is_not: bool,
}

impl Selector {
    /// Selectors with commas between them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn all(text: &str) -> Result<Vec<Self>, String> {
        let (mut parts, mut depth, mut part) = (Vec::new(), 0_u32, String::new());
        for letter in text.chars() {
            match letter {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    parts.push(std::mem::take(&mut part));
                    continue;
                }
                _ => {}
            }
            part.push(letter);
        }
        parts.push(part);
        parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).map(Self::one).collect()
    }

    fn one(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} selects no label: write name, name==value, name!=value, name in (a, b) or name notin (a, b)"
            )
        };
        let selector = |name: &str, values: Option<BTreeSet<String>>, is_not| {
            let name = name.trim();
            let is_name =
                !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || "()=!".contains(letter));
            is_name.then(|| Self { name: name.to_owned(), values, is_not }).ok_or_else(wrong)
        };
        let set = |values: &str| values.split(',').map(|value| value.trim().to_owned()).collect::<BTreeSet<String>>();
        if let Some((name, value)) = text.split_once("==") {
            return selector(name, Some(set(value)), false);
        }
        if let Some((name, value)) = text.split_once("!=") {
            return selector(name, Some(set(value)), true);
        }
        let Some((before, values)) = text.split_once('(') else { return selector(text, None, false) };
        let values = values.strip_suffix(')').ok_or_else(wrong)?;
        let (name, word) = before.trim().rsplit_once(char::is_whitespace).ok_or_else(wrong)?;
        match word {
            "in" => selector(name, Some(set(values)), false),
            "notin" => selector(name, Some(set(values)), true),
            _ => Err(wrong()),
        }
    }

    /// Whether labels are such. What an app does not have is not what is not meant.
    #[must_use]
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.name);
        let is_meant = value.is_some_and(|value| self.values.as_ref().is_none_or(|values| values.contains(value)));
        is_meant != self.is_not
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_selected_by_their_labels() {
        let labels: BTreeMap<String, String> =
            [("env", "test"), ("tier", "web")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (text, expected) in [
            ("env", true),
            ("other", false),
            ("env==test", true),
            ("env == prod", false),
            ("env!=prod,tier", true),
            ("other!=x", true),
            ("env in (prod, test)", true),
            ("env notin (prod, test)", false),
            ("env in (prod),tier==web", false),
            ("", true),
        ] {
            let selectors = Selector::all(text).expect(text);
            assert_eq!(selectors.iter().all(|selector| selector.selects(&labels)), expected, "{text}");
        }
        for text in ["env in (a", "a b", "env among (a)", "==x", "(a)"] {
            assert!(Selector::all(text).is_err_and(|error| error.contains("selects no label")), "{text}");
        }
    }
}
