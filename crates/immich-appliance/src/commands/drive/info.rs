//! `drive info`

use std::path::PathBuf;

use appliance_drive::luks;
use serde::Serialize;

use crate::cli::DriveInfo;
use crate::context::Context;
use crate::report::{Report, size};

#[derive(Debug, Serialize)]
struct Info {
    device: PathBuf,
    uuid: String,
    state: &'static str,
    size: u64,
    model: Option<String>,
    /// None where the drive is not encrypted.
    header: Option<luks::Info>,
    memory_needed_kib: u64,
    memory_available_kib: u64,
    header_backup: Option<PathBuf>,
}

/// Shows a drive's header, keyslots and state.
pub fn run(context: &Context, arguments: &DriveInfo) -> anyhow::Result<Box<dyn Report>> {
    let (found, state) = context.find(&arguments.drive)?;
    let header = found
        .encrypted
        .then(|| luks::info(&found.device.path))
        .transpose()?;
    let backup = context.header_backup_file(found.uuid);
    Ok(Box::new(Info {
        device: found.device.path,
        uuid: found.uuid.to_string(),
        state,
        size: found.device.size,
        model: found.device.model,
        memory_needed_kib: header.as_ref().map_or(0, luks::Info::memory_needed_kib),
        memory_available_kib: luks::memory_available_kib()?,
        header,
        header_backup: backup.exists().then_some(backup),
    }))
}

impl Report for Info {
    fn text(&self) -> String {
        let mut lines = vec![
            format!("drive     {} ({})", self.device.display(), self.state),
            format!("size      {}", size(self.size)),
            format!("UUID      {}", self.uuid),
        ];
        if let Some(model) = &self.model {
            lines.push(format!("model     {model}"));
        }
        match &self.header {
            None => lines.push("header    none: the drive is not encrypted".into()),
            Some(header) => {
                lines.push(format!(
                    "header    LUKS{}, {}, {}-bit key, {}-byte sectors",
                    header.version, header.cipher, header.key_bits, header.sector_size
                ));
                for slot in &header.keyslots {
                    lines.push(format!(
                        "keyslot   {}: {}, {} MiB, {} passes, {} threads",
                        slot.number,
                        slot.kdf,
                        slot.memory_kib / 1024,
                        slot.iterations,
                        slot.parallel
                    ));
                }
                lines.push(format!(
                    "memory    unlocking takes {} MiB, {} MiB are free",
                    self.memory_needed_kib / 1024,
                    self.memory_available_kib / 1024
                ));
                lines.push(match &self.header_backup {
                    Some(file) => format!("backup    of the header: {}", file.display()),
                    None => "backup    of the header: none on this box".into(),
                });
            }
        }
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
