//! [`EtcdConfig::from_url`].

use std::fs;
use std::path::PathBuf;

use super::config::{EtcdConfig, EtcdConfigError, EtcdCredentials, EtcdIdentity, EtcdTls};

impl EtcdConfig {
    /// Reads a store's address:
    ///
    /// ```text
    /// etcd://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]…][/PREFIX][?NAME=VALUE[&NAME=VALUE…]]
    /// etcds://…?ca=FILE
    /// ```
    ///
    /// `etcds` is encrypted. What is not given is as in [`EtcdConfig::default`]. The names are:
    ///
    /// | name | value |
    /// |---|---|
    /// | `ca` | a PEM file with the certificates of the authorities that vouch for the servers |
    /// | `cert`, `key` | PEM files with the client's certificate and key |
    /// | `server-name` | what the servers' certificates are for, if not the hosts |
    /// | `password-file` | a file with the user's password; others can see the command line that a password stands in |
    ///
    /// In user, password, prefix and values `%` and two hexadecimal digits stand for a byte.
    ///
    /// # Errors
    /// [`EtcdConfigError`]: text that cannot be read so, a name that is not known, a file that cannot be read.
    pub fn from_url(url: &str) -> Result<Self, EtcdConfigError> {
        Parser { url }.parse()
    }
}

struct Parser<'a> {
    url: &'a str,
}

/// What may stand behind the question mark.
#[derive(Default)]
struct Options {
    authorities: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    server_name: Option<String>,
    password_file: Option<PathBuf>,
}

impl Parser<'_> {
    fn parse(&self) -> Result<EtcdConfig, EtcdConfigError> {
        let (with_tls, rest) = match self.url.split_once("://") {
            Some(("etcd", rest)) => (false, rest),
            Some(("etcds", rest)) => (true, rest),
            _ => return Err(self.refuse("expected etcd:// or etcds:// at its beginning")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        let options = self.options(query)?;
        let mut config = EtcdConfig::default();
        let scheme = if with_tls { "https" } else { "http" };
        config.endpoints = hosts.split(',').map(|host| format!("{scheme}://{host}")).collect();
        if !prefix.trim_matches('/').is_empty() {
            config.prefix = format!("/{}/", self.decoded(prefix.trim_matches('/'))?);
        }
        config.credentials = self.credentials(user, options.password_file.as_ref())?;
        config.tls = self.tls(with_tls, options)?;
        Ok(config)
    }

    fn options(&self, query: &str) -> Result<Options, EtcdConfigError> {
        let mut options = Options::default();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = self.decoded(value)?;
            if value.is_empty() {
                return Err(self.refuse(&format!("{name} has no value")));
            }
            match name {
                "ca" => options.authorities = Some(value.into()),
                "cert" => options.certificate = Some(value.into()),
                "key" => options.key = Some(value.into()),
                "server-name" => options.server_name = Some(value),
                "password-file" => options.password_file = Some(value.into()),
                _ => {
                    let known = "ca, cert, key, server-name, password-file";
                    return Err(self.refuse(&format!("{name:?} is none of {known}")));
                }
            }
        }
        Ok(options)
    }

    fn credentials(
        &self,
        user: Option<&str>,
        password_file: Option<&PathBuf>,
    ) -> Result<Option<EtcdCredentials>, EtcdConfigError> {
        let Some(user) = user else {
            return match password_file {
                None => Ok(None),
                Some(_) => Err(self.refuse("there is a password-file, but no user before the @")),
            };
        };
        let (name, password) = match user.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (user, None),
        };
        let password = match (password, password_file) {
            (Some(password), None) => self.decoded(password)?,
            (None, Some(file)) => {
                let text = String::from_utf8(read(file)?)
                    .map_err(|_| self.refuse(&format!("{} is no text", file.display())))?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            (None, None) => return Err(self.refuse("the user has no password: give user:password@ or a password-file")),
            (Some(_), Some(_)) => return Err(self.refuse("there is both a password and a password-file")),
        };
        Ok(Some(EtcdCredentials { user: self.decoded(name)?, password }))
    }

    fn tls(&self, with_tls: bool, options: Options) -> Result<Option<EtcdTls>, EtcdConfigError> {
        let Options { authorities, certificate, key, server_name, password_file: _ } = options;
        if !with_tls {
            let any = [&authorities, &certificate, &key].into_iter().any(Option::is_some) || server_name.is_some();
            return if any { Err(self.refuse("ca, cert, key and server-name are for etcds://")) } else { Ok(None) };
        }
        let Some(authorities) = authorities else {
            return Err(self.refuse("etcds:// needs ?ca=FILE: whom to trust"));
        };
        let identity = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(EtcdIdentity { certificate: read(&certificate)?, key: read(&key)? }),
            _ => return Err(self.refuse("cert and key belong together")),
        };
        Ok(Some(EtcdTls { authorities: read(&authorities)?, identity, server_name }))
    }

    fn decoded(&self, text: &str) -> Result<String, EtcdConfigError> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let [first, others @ ..] = rest {
            rest = others;
            if *first != b'%' {
                bytes.push(*first);
                continue;
            }
            let digits = others.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
            let byte = digits
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .ok_or_else(|| self.refuse("a % is not followed by two hexadecimal digits"))?;
            bytes.push(byte);
            rest = &others[2..];
        }
        String::from_utf8(bytes).map_err(|_| self.refuse("after decoding its % it is no UTF-8"))
    }

    /// The error, with the URL but without its password.
    fn refuse(&self, why: &str) -> EtcdConfigError {
        let mut url = self.url.to_owned();
        let start = url.find("://").map_or(0, |scheme| scheme + 3);
        if let Some(at) = url.rfind('@')
            && let Some(colon) = url[start..at.max(start)].find(':')
        {
            url.replace_range(start + colon + 1..at, "…");
        }
        EtcdConfigError::Url { url, why: why.to_owned() }
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, EtcdConfigError> {
    fs::read(path).map_err(|source| EtcdConfigError::File { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_prefix_and_user_are_read() {
        let config = EtcdConfig::from_url("etcd://me:p%40ss@a,b:22,[::1]:33/x/y?").expect("a URL");
        assert_eq!(config.endpoints, ["http://a", "http://b:22", "http://[::1]:33"]);
        assert_eq!(config.prefix, "/x/y/");
        let credentials = config.credentials.expect("a user");
        assert_eq!((credentials.user.as_str(), credentials.password.as_str()), ("me", "p@ss"));
        let config = EtcdConfig::from_url("etcd://a").expect("a URL");
        assert_eq!(
            (config.prefix.as_str(), config.credentials.is_none(), config.tls.is_none()),
            ("/orch/", true, true)
        );
    }

    #[test]
    fn what_is_wrong_is_named_without_the_password() {
        let cases = [
            ("http://a", "etcd://"),
            ("etcd://a?colour=red", "colour"),
            ("etcd://a?ca=x", "etcds"),
            ("etcds://a", "ca=FILE"),
            ("etcd://me@a", "password"),
            ("etcd://me:secret@a?x=y", "\"x\""),
            ("etcd://a/%zz", "hexadecimal"),
            ("etcds://a?ca=x&cert=y", "belong together"),
        ];
        for (url, word) in cases {
            let error = EtcdConfig::from_url(url).expect_err(url).to_string();
            assert!(error.contains(word), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
