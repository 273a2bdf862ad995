//! Certificates for rustls.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::config::{EtcdConfigError, EtcdTls};

/// What encrypts connections as `tls` says.
pub(super) fn connector(tls: &EtcdTls) -> Result<TlsConnector, EtcdConfigError> {
    let mut authorities = RootCertStore::empty();
    for certificate in certificates("the authority's certificate", &tls.authorities)? {
        authorities.add(certificate).map_err(|error| unusable("the authority's certificate", &error))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS", &error))?
        .with_root_certificates(authorities);
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = certificates("the client's certificate", &identity.certificate)?;
            let key =
                PrivateKeyDer::from_pem_slice(&identity.key).map_err(|error| unusable("the client's key", &error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable("the client's certificate", &error))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, EtcdConfigError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| unusable(what, &error))?;
    if certificates.is_empty() {
        return Err(unusable(what, &"there is none in it: expected PEM, -----BEGIN CERTIFICATE-----"));
    }
    Ok(certificates)
}

fn unusable(what: &'static str, why: &dyn std::fmt::Display) -> EtcdConfigError {
    EtcdConfigError::Certificate { what, why: why.to_string() }
}
