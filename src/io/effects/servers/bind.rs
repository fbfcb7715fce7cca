//! Takes a port, or says why it can not be had.

use coalmine_actors::effects::error::EffectError;
use std::{io, net::SocketAddr};
use tokio::net::TcpListener;

/// Listens there; where the port is 0 the system chooses one.
///
/// # Errors
/// Somebody else has it, it is not for this user, or the host has no such address.
pub(super) async fn listen(at: SocketAddr) -> Result<(TcpListener, SocketAddr), EffectError> {
    let bound = TcpListener::bind(at).await.map_err(|error| refusal(&error))?;
    let address = bound.local_addr()?;
    Ok((bound, address))
}

fn refusal(error: &io::Error) -> EffectError {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "is in use: somebody listens there already",
        io::ErrorKind::PermissionDenied => "is not for this user: ports below 1024 are the system's",
        io::ErrorKind::AddrNotAvailable => "can not be had: this host has not the address that the policy names",
        kind => return EffectError::Io { kind },
    };
    EffectError::bad("port", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_somebody_has_is_refused_in_words() {
        let (_held, address) = listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        let error = listen(address).await.unwrap_err();
        assert_eq!(error.to_string(), "bad argument \"port\": is in use: somebody listens there already");
    }

    #[tokio::test]
    async fn an_address_that_the_host_has_not_is_refused_in_words() {
        let error = listen(([192, 0, 2, 1], 0).into()).await.unwrap_err();
        assert!(error.to_string().contains("has not the address"), "{error}");
    }

    #[test]
    fn a_port_that_is_not_for_this_user_says_so() {
        let error = refusal(&io::ErrorKind::PermissionDenied.into());
        assert!(error.to_string().contains("below 1024"), "{error}");
    }
}
