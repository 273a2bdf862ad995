//! [`SandboxDns`], [`HostEntry`]: how the containers of a pod find names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::validation::is_dns_subdomain;

/// Whom the containers of a pod ask for names, and how: what is in their `/etc/resolv.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxDns {
    /// The name servers, in the order in which they are asked.
    pub nameservers: Vec<IpAddr>,
    /// The domains in which names are looked for, in order.
    pub searches: Vec<ResolverWord>,
    /// The options: `ndots:5`.
    pub options: Vec<ResolverWord>,
}

impl SandboxDns {
    /// The file that says so.
    #[must_use]
    pub fn resolv_conf(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, words: &[ResolverWord]| {
            if !words.is_empty() {
                text.push_str(name);
                words.iter().for_each(|word| text.extend([" ", word.as_str()]));
                text.push('\n');
            }
        };
        line("search", &self.searches);
        for server in &self.nameservers {
            line("nameserver", &[ResolverWord(server.to_string())]);
        }
        line("options", &self.options);
        text
    }

    /// What such a file says, and the words in it that nothing can be made of: of a domain given twice the last line
    /// counts, of an option given twice the last. What belongs to a resolver alone, as `sortlist`, is left out.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<String>) {
        let (mut dns, mut refused) = (Self::default(), Vec::new());
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            let name = words.next();
            let mut parsed = |words: std::str::SplitWhitespace<'_>| -> Vec<ResolverWord> {
                let parsed = words.filter_map(|word| word.parse().map_err(|_| refused.push(word.to_owned())).ok());
                parsed.collect()
            };
            match name {
                Some("nameserver") => match words.next().map(|word| (word, word.parse())) {
                    Some((_, Ok(server))) => dns.nameservers.push(server),
                    Some((word, Err(_))) => refused.push(word.to_owned()),
                    None => {}
                },
                Some("search") => dns.searches = parsed(words),
                Some("options") => parsed(words).into_iter().for_each(|option| dns.set(option)),
                _ => {}
            }
        }
        (dns, refused)
    }

    /// Adds an option, in place of one of the same name.
    pub fn set(&mut self, option: ResolverWord) {
        match self.options.iter_mut().find(|other| other.option() == option.option()) {
            Some(other) => *other = option,
            None => self.options.push(option),
        }
    }
}

/// Names that containers find in `/etc/hosts`, and where they lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEntry {
    /// Where they lead.
    pub ip: IpAddr,
    /// The names.
    pub names: Vec<HostName>,
}

/// The line that says so.
impl fmt::Display for HostEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        self.names.iter().try_for_each(|name| write!(f, "\t{name}"))
    }
}

/// A word of a resolver's configuration, checked: 1 to 255 printable characters of ASCII, no space among them, so that it
/// is one word wherever it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResolverWord(String);

/// A name of a host, checked: a DNS-1123 subdomain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

const WORD_MAX: usize = 255;

impl ResolverWord {
    /// What stands before a colon: the name of an option.
    fn option(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(name, _)| name)
    }

    fn refused(text: String) -> ResolverError {
        ResolverError::Word { text }
    }
}

impl HostName {
    fn refused(text: String) -> ResolverError {
        ResolverError::HostName { text }
    }
}

/// Why text is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolverError {
    /// It is no word.
    #[error(
        "{text:?} is no word of a resolver's configuration: use 1 to {WORD_MAX} letters, digits and signs, no spaces"
    )]
    Word {
        /// The text as given.
        text: String,
    },
    /// It is no name of a host.
    #[error("{text:?} is no name of a host: use labels of a-z, 0-9 and '-', joined by dots, as in db.example.org")]
    HostName {
        /// The text as given.
        text: String,
    },
}

macro_rules! checked_text {
    ($type:ident, $is_fit:expr) => {
        impl $type {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = ResolverError;

            fn try_from(text: String) -> Result<Self, ResolverError> {
                let is_fit: fn(&str) -> bool = $is_fit;
                if is_fit(&text) { Ok(Self(text)) } else { Err(Self::refused(text)) }
            }
        }

        impl FromStr for $type {
            type Err = ResolverError;

            fn from_str(text: &str) -> Result<Self, ResolverError> {
                text.to_owned().try_into()
            }
        }

        impl From<$type> for String {
            fn from(checked: $type) -> Self {
                checked.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text!(ResolverWord, |text| (1..=WORD_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()));
checked_text!(HostName, is_dns_subdomain);

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<ResolverWord> {
        words.iter().map(|word| word.parse().expect("a word")).collect()
    }

    #[test]
    fn a_file_says_what_it_was_made_of() {
        let dns = SandboxDns {
            nameservers: vec!["10.96.0.10".parse().expect("an address"), "fd00::a".parse().expect("an address")],
            searches: words(&["shop.svc.cluster.local", "."]),
            options: words(&["ndots:5", "rotate"]),
        };
        let text =
            "search shop.svc.cluster.local .\nnameserver 10.96.0.10\nnameserver fd00::a\noptions ndots:5 rotate\n";
        assert_eq!(dns.resolv_conf(), text);
        assert_eq!(SandboxDns::parse(text), (dns, Vec::new()));
        assert_eq!(SandboxDns::default().resolv_conf(), "");
    }

    #[test]
    fn a_file_of_a_machine_is_read_as_its_resolver_reads_it() {
        let text = "# nameserver 1.1.1.1\n;\nsearch a b\nnameserver fe80::1%eth0\n nameserver\t10.0.0.1 # first\nnameserver\n\
                    search c.d. ö\ndomain e\noptions ndots:1 rotate\noptions ndots:2\nsortlist 130.155.160.0\n";
        let (dns, refused) = SandboxDns::parse(text);
        assert_eq!(dns.nameservers, [IpAddr::from([10, 0, 0, 1])]);
        assert_eq!((dns.searches, dns.options), (words(&["c.d."]), words(&["ndots:2", "rotate"])));
        assert_eq!(refused, ["fe80::1%eth0", "ö"]);
    }

    #[test]
    fn no_line_can_be_smuggled_into_a_file() {
        for bad in ["", "a b", "a\nnameserver 6.6.6.6", "a\r", "a\t", "a\0", "ä", "a\u{2028}b", &"a".repeat(256)] {
            assert!(bad.parse::<ResolverWord>().is_err(), "{bad:?}");
            assert!(bad.parse::<HostName>().is_err(), "{bad:?}");
            let record = serde_json::json!({"nameservers": [], "searches": [bad], "options": []});
            assert!(serde_json::from_value::<SandboxDns>(record).is_err(), "{bad:?}");
            assert!(serde_json::from_value::<HostEntry>(serde_json::json!({"ip": "::1", "names": [bad]})).is_err());
        }
    }
}
