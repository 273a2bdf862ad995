//! [`Version`] of an etcd server, and what it is known to do wrong.

/// A version of etcd: `3.5.13`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// Reads what a server says of itself. Another program that speaks etcd's language may say anything.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let text = text.split(['-', '+']).next()?;
        let mut numbers = text.splitn(3, '.').map(|number| number.parse().ok());
        Some(Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()?? })
    }

    /// Whether the answer to a request for progress tells the truth, and comes.
    ///
    /// Before 3.4.25 and 3.5.8 it overtook events (etcd#15220); before 3.4.31 and 3.5.13 it did not come on a watch that
    /// began in the past and had no event since (etcd#17507).
    pub(super) fn answers_progress_requests(self) -> bool {
        match (self.major, self.minor) {
            (3, 4) => self.patch >= 31,
            (3, 5) => self.patch >= 13,
            (3, minor) => minor > 5,
            (major, _) => major > 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_asked_for_only_where_the_answer_is_right() {
        let right = ["3.4.31", "3.5.13", "3.5.21", "3.6.0", "3.6.0-rc.1", "v3.7.2", "4.0.0"];
        let wrong = ["3.3.27", "3.4.23", "3.4.30", "3.5.0", "3.5.12", "2.3.8"];
        for (texts, expected) in [(&right[..], true), (&wrong, false)] {
            for text in texts {
                let version = Version::parse(text).expect(text);
                assert_eq!(version.answers_progress_requests(), expected, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in ["", "3", "3.5", "kine", "3.x.1", "3.5.1.2"] {
            assert_eq!(Version::parse(text), None, "{text:?}");
        }
    }
}
