//! What a peer's program may reach where it runs behind walls: its policy as it is when its life begins.

use super::Shared;
use crate::io::{
    blocking,
    effects::grants,
    sandbox::{
        self,
        rules::{Rules, Without},
    },
};
use coalmine_actors::{
    effects::policy::{NONE, Policy},
    error::FleetError,
    peer::sandbox::Sandbox,
    ports::Program,
};

/// The rules for `program`; nothing where it is to run freely.
///
/// # Errors
/// Its policy can not be read; this kernel can not hold it, and it must be held.
pub(super) async fn rules(shared: &Shared, program: &Program) -> Result<Option<(Rules, Without)>, FleetError> {
    let without = match program.sandbox {
        Sandbox::Off => return Ok(None),
        Sandbox::BestEffort => Without::GoOn,
        Sandbox::Required => Without::Refuse,
    };
    if without == Without::Refuse {
        required(sandbox::abi().is_some())?;
    }
    let policy = match program.policy.clone().filter(|name| name != NONE) {
        Some(name) => {
            let policies = shared.policies.clone();
            blocking::answer(move || policies.read(&name)).await?
        }
        None => Policy::default(),
    };
    Ok(Some((grants::rules(&policy), without)))
}

/// Refuses what must be held where nothing holds it.
///
/// # Errors
/// [`FleetError::Unsupported`].
pub(crate) fn required(can_be: bool) -> Result<(), FleetError> {
    can_be.then_some(()).ok_or_else(|| FleetError::Unsupported {
        what: "a sandbox: this kernel has no Landlock (Linux 5.13 has it, unless it is left out of `lsm=`)".into(),
        hint: "use `--sandbox=best-effort` to let it run unheld here, or leave --sandbox out".into(),
    })
}
