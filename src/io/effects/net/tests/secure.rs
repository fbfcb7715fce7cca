//! Whom TLS trusts.

use super::{Names, Net, Session, net};
use crate::io::effects::net::tls::Tls;
use crate::io::effects::testing::server::{Server, Then, ok};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring::default_provider, pki_types::PrivateKeyDer};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// A server with a certificate for these names, and connections that trust it.
async fn server(names: &[&str]) -> (Server, Net) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let trusting = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = Server::over(Some(TlsAcceptor::from(Arc::new(config))), ok("secret"), Then::Close).await;
    let lookup = Names::of(&[("localhost", &[&["127.0.0.1"]])]);
    (server, Net { tls: Tls::with(trusting), ..net(lookup) })
}

#[tokio::test]
async fn a_certificate_that_is_trusted_and_of_this_host_is_taken() {
    let (server, net) = server(&["127.0.0.1"]).await;
    let url = format!("https://127.0.0.1:{}", server.port);
    assert_eq!(Session::with(&[&url], net).await.get(&url).await.unwrap(), "secret");
    assert!(server.seen()[0].contains(&format!("host: 127.0.0.1:{}\r\n", server.port)));
}

#[tokio::test]
async fn a_certificate_of_a_stranger_or_of_another_host_is_refused_before_anything_is_sent() {
    let (other, trusting) = server(&["other.example"]).await;
    let url = format!("https://127.0.0.1:{}", other.port);
    let wrong = Session::with(&[&url], trusting).await.get(&url).await.unwrap_err();
    let (strange, _) = server(&["127.0.0.1"]).await;
    let url = format!("https://127.0.0.1:{}", strange.port);
    let foreign = Session::granting(&[&url]).await.get(&url).await.unwrap_err();
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", plain.local_addr().unwrap());
    let session = Session::granting(&[&url]).await;
    let (none, ()) = tokio::join!(session.get(&url), async {
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _until_it_is_closed = stream.read_to_end(&mut Vec::new()).await;
    });
    let none = none.unwrap_err();
    for error in [wrong, foreign, none] {
        assert_eq!(error.code(), "tls", "{error}");
    }
    assert_eq!((other.seen(), strange.seen()), (Vec::new(), Vec::new()));
}
