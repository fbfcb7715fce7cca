//! The certificate of a server and its key: read beneath the granted root, and refused before anybody connects.

use crate::io::effects::fs::grants;
use coalmine_actors::effects::{error::EffectError, plan::Beneath, port::Opened};
use rustls::{
    CertificateError, Error, RootCertStore, ServerConfig,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use std::{fs::Metadata, io::Read, os::unix::fs::PermissionsExt, sync::Arc};
use tokio_rustls::TlsAcceptor;

/// Largest file of certificates, or of a key, bytes.
const PEM_BYTES_MAX: u64 = 256 * 1024;
/// Bits of a file's mode that let others than its owner have it.
const OTHERS: u32 = 0o077;

/// Reads both, and checks that they can serve. Blocks.
///
/// # Errors
/// By the name of the argument: not there, no regular file, too large, no PEM, expired, of another key, or a key that
/// others may read.
pub(super) fn acceptor(opened: &Opened, cert: &Beneath, key: &Beneath) -> Result<TlsAcceptor, EffectError> {
    let provider = Arc::new(ring::default_provider());
    let chain = chain(&read(opened, cert, "cert")?.0)?;
    in_force(&chain, &provider)?;
    let (pem, of) = read(opened, key, "key")?;
    if of.permissions().mode() & OTHERS != 0 {
        return Err(EffectError::bad("key", "may be read by others than its owner: chmod 600"));
    }
    let key =
        PrivateKeyDer::from_pem_slice(&pem).map_err(|_| EffectError::bad("key", "holds no private key in PEM"))?;
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| EffectError::Internal(error.to_string()))?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        Error::InconsistentKeys(_) => EffectError::bad("key", "is not the key of this certificate"),
        error => EffectError::bad("key", format!("can not be used: {error}")),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(opened: &Opened, at: &Beneath, which: &'static str) -> Result<(Vec<u8>, Metadata), EffectError> {
    let (file, _) = grants(opened)?.place(at)?.open_file()?;
    let (metadata, mut pem) = (file.metadata()?, Vec::new());
    // One more than there may be, to see that there is more; it may grow meanwhile.
    file.take(PEM_BYTES_MAX + 1).read_to_end(&mut pem)?;
    if pem.len() as u64 > PEM_BYTES_MAX { Err(EffectError::limit(which, PEM_BYTES_MAX)) } else { Ok((pem, metadata)) }
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, EffectError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_none) => Err(EffectError::bad("cert", "holds no certificate in PEM")),
        Err(_garbage) => Err(EffectError::bad("cert", "holds PEM that can not be read")),
    }
}

/// Refuses what every client would refuse. Whom it is for, and who vouches for it, is theirs to know: of what the verifier
/// says only the time is taken, which it looks at first.
fn in_force(chain: &[CertificateDer<'static>], provider: &Arc<CryptoProvider>) -> Result<(), EffectError> {
    let none = |_| EffectError::bad("cert", "holds a certificate that can not be read");
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).map_err(none)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    let verifier = verifier.map_err(|error| EffectError::Internal(error.to_string()))?;
    let anybody = ServerName::try_from("localhost").expect("a name of letters is one");
    let verdict = verifier.verify_server_cert(&chain[0], &chain[1..], &anybody, &[], UnixTime::now());
    match verdict {
        Err(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            Err(EffectError::bad("cert", "has expired"))
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })) => {
            Err(EffectError::bad("cert", "is not valid yet"))
        }
        _ => Ok(()),
    }
}
