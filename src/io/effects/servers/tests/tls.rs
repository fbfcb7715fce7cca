//! Servers with a certificate: clients that trust it come in, and what can not serve is refused before anybody does.

use super::*;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

const TLS: &str = r#"
    [allow]
    effects = ["net.listen", "fs.read"]
    [scope]
    net = "any"
    fs_read = ["DIR/in"]
"#;

/// A town with `in/cert.pem` and `in/key.pem`, and the certificate.
async fn town() -> (Town, String) {
    let town = Town::new(TLS).await;
    fs::create_dir(town.dir.path().join("in")).unwrap();
    let (cert, key) = certificate(2999);
    put(&town, "in/cert.pem", &cert, 0o644);
    put(&town, "in/key.pem", &key, 0o600);
    (town, cert)
}

/// A certificate for localhost until that year, and its key.
fn certificate(until_year: i32) -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(until_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn put(town: &Town, name: &str, text: &str, mode: u32) {
    let path = town.dir.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn args(town: &Town, cert: &str, key: &str) -> Value {
    let path = |name: &str| town.dir.path().join(name).to_str().unwrap().to_owned();
    json!({ "port": 0, "cert": path(cert), "key": path(key), "handler": { "function": "path" } })
}

/// How it is refused.
async fn refused(town: &Town, cert: &str, key: &str) -> String {
    let session = town.session("shell-bob").await;
    call(&session, Op::NetServeTls, args(town, cert, key)).await.unwrap_err().to_string()
}

fn client(trusted: &str, site: &Site) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = Arc::new(config.with_no_client_auth());
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(config, name).unwrap(), site.connect())
}

const GET: &[u8] = b"GET /safe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_trusts_the_certificate_is_served_and_no_other() {
    let (town, cert) = town().await;
    let args = args(&town, "in/cert.pem", "in/key.pem");
    let site = Site::open(town.session("shell-bob").await, Op::NetServeTls, args).await.unwrap();
    let mut trusting = client(&cert, &site);
    trusting.write_all(GET).unwrap();
    assert_eq!(Reply::read(&mut trusting).text(), "/safe");
    let (stranger, _) = certificate(2999);
    let error = client(&stranger, &site).write_all(GET).unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    // In the clear nothing is said.
    assert!(!site.ask_raw(GET).starts_with(b"HTTP"));
    site.close().await;
    assert_eq!(site.sockets(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_shake_hands_in_time_is_hung_up_on() {
    let (town, _) = town().await;
    let limits = Limits { head_time: Duration::from_millis(200), ..Limits::default() };
    let hasty = Town::within(&TLS.replace("DIR", town.dir.path().to_str().unwrap()), limits).await;
    let args = args(&town, "in/cert.pem", "in/key.pem");
    let site = Site::open(hasty.session("shell-bob").await, Op::NetServeTls, args).await.unwrap();
    assert_eq!(rest(&mut site.connect()), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_serve_is_refused_by_its_name_before_anybody_connects() {
    let (town, cert) = town().await;
    let (expired, expired_key) = certificate(2001);
    let (_, other_key) = certificate(2999);
    put(&town, "in/expired.pem", &expired, 0o644);
    put(&town, "in/expired-key.pem", &expired_key, 0o600);
    put(&town, "in/other-key.pem", &other_key, 0o600);
    put(&town, "in/open-key.pem", &other_key, 0o640);
    put(&town, "in/text", "no PEM at all", 0o600);
    put(&town, "in/garbage", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", 0o600);
    put(&town, "in/hollow", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o600);
    put(&town, "in/cut", &cert[..cert.len() / 2], 0o600);
    put(&town, "in/large", &"x".repeat(256 * 1024 + 1), 0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, town.dir.path().join("in/fifo"), 0o600.into()).unwrap();
    for (cert, key, why) in [
        ("in/expired.pem", "in/expired-key.pem", "\"cert\": has expired"),
        ("in/text", "in/key.pem", "\"cert\": holds no certificate in PEM"),
        ("in/key.pem", "in/key.pem", "\"cert\": holds no certificate in PEM"),
        ("in/garbage", "in/key.pem", "\"cert\": holds PEM that can not be read"),
        ("in/cut", "in/key.pem", "\"cert\": holds PEM that can not be read"),
        ("in/hollow", "in/key.pem", "\"cert\": holds a certificate that can not be read"),
        ("in/large", "in/key.pem", "cert is over its limit of 262144"),
        ("in/fifo", "in/key.pem", "no regular file"),
        ("in/nothing", "in/key.pem", "not found"),
        ("in/cert.pem", "in/other-key.pem", "\"key\": is not the key of this certificate"),
        ("in/cert.pem", "in/open-key.pem", "\"key\": may be read by others than its owner: chmod 600"),
        ("in/cert.pem", "in/text", "\"key\": holds no private key in PEM"),
        ("in/cert.pem", "in/large", "key is over its limit of 262144"),
        ("in/cert.pem", "in/nothing", "not found"),
        ("effects/audit.log", "in/key.pem", "denied"),
        ("in/cert.pem", "in/../effects/audit.log", "denied"),
    ] {
        let error = refused(&town, cert, key).await;
        assert!(error.contains(why), "{cert} with {key}: {error}");
    }
}

impl Site {
    fn ask_raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        rest(&mut stream)
    }
}
