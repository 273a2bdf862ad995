//! [`Endpoint`]: where a member answers.

use std::fmt;

use http::Uri;
use tokio_rustls::rustls::pki_types::ServerName;

use super::config::EtcdConfigError;

/// The port of etcd for clients.
const PORT: u16 = 2379;

/// Where a member answers.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    origin: Uri,
    host: String,
    port: u16,
    server_name: ServerName<'static>,
}

impl Endpoint {
    /// Reads `host`, `host:port` or a URL of them. `server_name` is what the server's certificate must be for, if that is
    /// not the host.
    pub(super) fn parse(text: &str, with_tls: bool, server_name: Option<&str>) -> Result<Self, EtcdConfigError> {
        let refused = |why: &str| EtcdConfigError::Endpoint { text: text.to_owned(), why: why.to_owned() };
        let scheme = if with_tls { "https" } else { "http" };
        let (given, rest) = text.split_once("://").unwrap_or((scheme, text));
        match (given, with_tls) {
            ("http", false) | ("https", true) => {}
            ("http", true) => return Err(refused("TLS is set up, but http is not encrypted: write https")),
            ("https", false) => return Err(refused("https needs TLS to be set up: give the authority's certificate")),
            _ => return Err(refused("expected http or https before the ://")),
        }
        let uri: Uri = format!("{scheme}://{}", rest.strip_suffix('/').unwrap_or(rest))
            .parse()
            .map_err(|error: http::uri::InvalidUri| refused(&error.to_string()))?;
        let authority = uri.authority().ok_or_else(|| refused("there is no host"))?;
        if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(refused("expected nothing but host and port"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(refused("there is no host"));
        }
        let port = authority.port_u16();
        if port.is_none() && authority.as_str().trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(':') {
            return Err(refused("the port is not a number from 1 to 65535"));
        }
        let port = port.unwrap_or(PORT);
        let server_name = ServerName::try_from(server_name.unwrap_or(&host).to_owned())
            .map_err(|error| refused(&format!("no certificate can be for it: {error}")))?;
        let shown_host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let origin = format!("{scheme}://{shown_host}:{port}").parse().map_err(|_| refused("it is no address"))?;
        Ok(Self { origin, host, port, server_name })
    }

    /// A name, or an address without brackets.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What URLs begin with.
    pub(super) fn origin(&self) -> &Uri {
        &self.origin
    }

    /// What the server's certificate must be for.
    pub(super) fn server_name(&self) -> &ServerName<'static> {
        &self.server_name
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin.to_string().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_read_whatever_stands_around_them() {
        let cases = [
            ("localhost", "http://localhost:2379", "localhost", 2379),
            ("10.0.0.1:22", "http://10.0.0.1:22", "10.0.0.1", 22),
            ("http://a.example/", "http://a.example:2379", "a.example", 2379),
            ("[::1]:1234", "http://[::1]:1234", "::1", 1234),
            ("[::1]", "http://[::1]:2379", "::1", 2379),
        ];
        for (text, shown, host, port) in cases {
            let endpoint = Endpoint::parse(text, false, None).expect(text);
            assert_eq!(
                (endpoint.to_string().as_str(), endpoint.host(), endpoint.port()),
                (shown, host, port),
                "{text}"
            );
        }
        let endpoint = Endpoint::parse("https://10.0.0.1", true, Some("etcd.example")).expect("an endpoint");
        assert_eq!(endpoint.server_name().to_str(), "etcd.example");
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in ["", "http://", "ftp://a", "a/b", "a?b", "user@a", "a:70000", "a:", "a b", "https://a"] {
            assert!(Endpoint::parse(text, false, None).is_err(), "{text:?}");
        }
        assert!(Endpoint::parse("http://a", true, None).is_err(), "not encrypted, though TLS is asked for");
    }
}
