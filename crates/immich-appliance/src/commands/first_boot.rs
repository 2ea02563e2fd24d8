//! `first-boot`. Run by systemd at every boot; without a new file it changes nothing.

use appliance_terminal::{Report, Told};
use serde_json::json;

use crate::run::Run;

/// Takes over a new settings file on the card, if there is one.
pub fn run(run: &Run) -> anyhow::Result<Box<dyn Report>> {
    let record = appliance::first_boot::first_boot(&run.appliance())?;
    let text = record.as_ref().map_or_else(String::new, |record| {
        format!("taken over from the card: {}", record.done.join(", "))
    });
    Ok(Box::new(Told::new(json!({ "taken_over": record }), |_| {
        text
    })))
}
