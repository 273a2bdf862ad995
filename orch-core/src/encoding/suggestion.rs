//! What was probably meant: the known name closest to a misspelt one.

/// The name with the fewest edits from `found`, if that is close enough to be a slip of the pen.
pub(super) fn closest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    // A long text is no misspelt name, and the distance is quadratic.
    if found.len() > 64 {
        return None;
    }
    // Two letters swapped are two edits.
    let allowed = (found.chars().count() / 2).clamp(1, 3);
    names
        .into_iter()
        .map(|name| (distance(&found, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance: how many characters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognized_and_other_words_are_not() {
        let names = ["image", "imagePullPolicy", "name", "ports"];
        assert_eq!(closest("imagee", names), Some("image"));
        assert_eq!(closest("imagepullpolicy", names), Some("imagePullPolicy"));
        assert_eq!(closest("port", names), Some("ports"));
        assert_eq!(closest("volumeMounts", names), None);
        assert_eq!(closest("", names), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
