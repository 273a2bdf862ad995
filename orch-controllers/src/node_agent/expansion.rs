//! [`expand`]: `$(NAME)` in commands, arguments and variables.

/// Replaces every `$(NAME)` by the variable's value, as Kubernetes does: a name that `lookup` does not know stays as it
/// is written, and `$$` stands for one `$`, so that `$$(NAME)` gives `$(NAME)`.
pub(super) fn expand<'a>(text: &str, lookup: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match lookup(name) {
                Some(value) => result.push_str(value),
                None => result.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            result.push('$');
        }
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded_as_kubernetes_does() {
        // From the table of Kubernetes' own third_party/forked/golang/expansion/expand_test.go.
        let table = [
            ("$(VAR_A)", "A"),
            ("___$(VAR_B)___", "___B___"),
            ("___$(VAR_C)", "___C"),
            ("$(VAR_A)-$(VAR_A)", "A-A"),
            ("$(VAR_DNE)", "$(VAR_DNE)"),
            ("___$(VAR_DNE)___", "___$(VAR_DNE)___"),
            ("$$(VAR_A)", "$(VAR_A)"),
            ("$$$(VAR_A)", "$A"),
            ("$$$$(VAR_A)", "$$(VAR_A)"),
            ("foo$$bar", "foo$bar"),
            ("$VAR_A", "$VAR_A"),
            ("$", "$"),
            ("$(VAR_A", "$(VAR_A"),
            ("$(VAR_A)$", "A$"),
            ("f000-$VAR_A", "f000-$VAR_A"),
            ("$(VAR_A)$(VAR_B)", "AB"),
            ("$()", "$()"),
            ("$(EMPTY)", ""),
            ("$?_boo_$!", "$?_boo_$!"),
        ];
        let lookup = |name: &str| match name {
            "VAR_A" => Some("A"),
            "VAR_B" => Some("B"),
            "VAR_C" => Some("C"),
            "EMPTY" => Some(""),
            _ => None,
        };
        for (text, expected) in table {
            assert_eq!(expand(text, lookup), expected, "{text}");
        }
    }
}
