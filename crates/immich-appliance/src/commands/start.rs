//! `start`

use crate::context::Context;
use crate::report::Report;
use crate::steps::services;

/// Starts Immich and waits until it is ready.
pub fn run(context: &Context) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively()?;
    context.require_mounted("start Immich")?;
    Ok(Box::new(services::start(context)?))
}
