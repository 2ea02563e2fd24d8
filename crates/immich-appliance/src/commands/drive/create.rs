//! `drive create`

use std::path::PathBuf;

use appliance_config::Encryption;
use serde::Serialize;

use crate::cli::DriveCreate;
use crate::context::Context;
use crate::report::Report;
use crate::secrets;
use crate::steps::{create, open};

#[derive(Debug, Serialize)]
struct Made {
    device: PathBuf,
    uuid: String,
    cipher: Option<String>,
    mounted_at: PathBuf,
}

/// Makes a drive for Immich.
pub fn run(context: &Context, arguments: &DriveCreate) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively()?;
    open::nothing_is_open(context, "create a drive")?;
    let device = create::consented(context, &arguments.device, &arguments.destruction)?;
    let passphrase = match arguments.new_drive.encryption(&context.settings) {
        Encryption::None => appliance_secret::Secret::default(),
        Encryption::Luks2 => {
            let source = secrets::passphrase_source(context.ui, &arguments.passphrase)?;
            secrets::obtain_new(context.ui, &source, "Passphrase for the new drive")?
        }
    };
    let created = create::create(context, &device, &arguments.new_drive, &passphrase)?;
    Ok(Box::new(Made {
        device: created.device,
        uuid: created.uuid.to_string(),
        cipher: created.cipher,
        mounted_at: context.mount_point().to_owned(),
    }))
}

impl Report for Made {
    fn text(&self) -> String {
        format!(
            "The drive on {} is ready ({}), mounted at {}.\nNext: immich-appliance unlock --start",
            self.device.display(),
            self.cipher.as_deref().unwrap_or("not encrypted"),
            self.mounted_at.display()
        )
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
