//! A connection to an address that was looked at, in the clear or over TLS.

use coalmine_actors::effects::{EffectError, origin::Origin};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Host;

/// Bytes both ways.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Connects to the first of `addresses` that answers, and speaks as `origin` says; over TLS by `tls`.
pub(super) async fn connect(
    tls: Option<Arc<ClientConfig>>,
    origin: &Origin,
    addresses: &[SocketAddr],
    most: Duration,
) -> Result<Box<dyn Wire>, EffectError> {
    let plain = reach(addresses, most).await?;
    let Some(tls) = tls else { return Ok(Box::new(plain)) };
    let secure = TlsConnector::from(tls).connect(server_name(origin)?, plain).await;
    Ok(Box::new(secure.map_err(|error| broken(&error))?))
}

/// Each address has its share of the time, so that one that swallows everything does not hide the others.
async fn reach(addresses: &[SocketAddr], most: Duration) -> Result<TcpStream, EffectError> {
    let share = most / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = EffectError::Network { what: "the name has no address".into() };
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // What is written here is whole: waiting for more of it would only cost time.
                let _slower_without = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = broken(&error),
            Err(_late) => last = EffectError::Timeout { phase: "connect" },
        }
    }
    Err(last)
}

fn server_name(origin: &Origin) -> Result<ServerName<'static>, EffectError> {
    match origin.host() {
        Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_| EffectError::bad("url", "its host can stand in no certificate")),
        Host::Ipv4(address) => Ok(ServerName::IpAddress((*address).into())),
        Host::Ipv6(address) => Ok(ServerName::IpAddress((*address).into())),
    }
}

/// Why a connection broke: errors of TLS are within one of the kernel's kind.
pub(super) fn broken(error: &io::Error) -> EffectError {
    match error.get_ref().and_then(|within| within.downcast_ref::<rustls::Error>()) {
        Some(error) => EffectError::Tls { what: error.to_string() },
        None => EffectError::Network { what: error.kind().to_string().into() },
    }
}
