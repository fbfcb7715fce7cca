//! Whom TLS trusts: the authorities that this host trusts.

use coalmine_actors::effects::EffectError;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// How TLS is spoken. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Tls(Arc<OnceCell<Arc<ClientConfig>>>);

impl Tls {
    /// As `config` says.
    #[cfg(test)]
    pub(super) fn with(config: ClientConfig) -> Self {
        Self(Arc::new(OnceCell::new_with(Some(Arc::new(config)))))
    }

    /// Made with the first connection that needs it: it reads the host's authorities.
    pub(super) async fn config(&self) -> Result<Arc<ClientConfig>, EffectError> {
        let make = || async {
            let made = tokio::task::spawn_blocking(of_host).await;
            made.map_err(|panic| EffectError::Internal(panic.to_string()))?
        };
        self.0.get_or_try_init(make).await.cloned()
    }
}

/// Blocks.
fn of_host() -> Result<Arc<ClientConfig>, EffectError> {
    // Named here, for a default of the whole process would be its embedder's business.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier);
    let config = config.map_err(|error| EffectError::Tls { what: format!("this host's authorities: {error}") })?;
    Ok(Arc::new(config.with_no_client_auth()))
}
