//! [`Certificates`].

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// An authority made for one test, and what it vouches for. All in PEM.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority, which signed both of the following.
    pub authority: String,
    /// Of the server on this machine: `localhost`, 127.0.0.1.
    pub server: String,
    /// The server's private key.
    pub server_key: String,
    /// Of a client called `root`.
    pub client: String,
    /// The client's private key.
    pub client_key: String,
}

impl Certificates {
    /// New ones; those of another call do not trust them.
    ///
    /// # Panics
    /// When the operating system gives no random numbers.
    #[must_use]
    pub fn generate() -> Self {
        let mut authority = params("an authority for tests");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(authority, key()).expect("what is asked for can be signed");

        let mut server = params("localhost");
        // etcd is also a client of itself.
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let (server, server_key) = signed(&server, &authority);
        let mut client = params("root");
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (client, client_key) = signed(&client, &authority);
        Self { authority: authority.as_ref().pem(), server, server_key, client, client_key }
    }
}

fn params(name: &str) -> CertificateParams {
    let addresses = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(addresses).expect("these are valid names");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the operating system gives random numbers")
}

fn signed(params: &CertificateParams, authority: &CertifiedIssuer<'_, KeyPair>) -> (String, String) {
    let key = key();
    let certificate = params.signed_by(&key, authority).expect("what is asked for can be signed");
    (certificate.pem(), key.serialize_pem())
}
