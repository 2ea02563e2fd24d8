//! `config …`

use appliance_config::{CONFIG_FILE, CONFIG_FOLDER, Settings};
use appliance_terminal::{Report, Said};

use crate::cli::Global;

/// Reads the configuration and says whether it is valid. Touches nothing else, so that it
/// needs no root and runs where there is no box at all.
pub fn check(global: &Global) -> anyhow::Result<Box<dyn Report>> {
    Settings::load(global.config.as_deref())?;
    let read = match &global.config {
        Some(file) => file.display().to_string(),
        None => format!("{CONFIG_FILE} and {CONFIG_FOLDER}"),
    };
    Ok(Said::already(format!(
        "The configuration in {read} is valid."
    )))
}
