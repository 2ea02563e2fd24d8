//! `drive info`

use appliance::drive::info::{DriveInfo as Info, info};
use appliance_terminal::{Report, Told, size};

use crate::cli::DriveInfo;
use crate::run::Run;

/// Shows a drive's header, keyslots and state.
pub fn run(run: &Run, arguments: &DriveInfo) -> anyhow::Result<Box<dyn Report>> {
    let drive = arguments.drive.wanted();
    let info = info(&run.appliance(), drive.as_ref())?;
    Ok(Box::new(Told::new(info, text)))
}

fn text(info: &Info) -> String {
    let mut lines = vec![
        format!("drive     {} ({})", info.device.display(), info.state),
        format!("size      {}", size(info.size)),
        format!("UUID      {}", info.uuid),
    ];
    if let Some(model) = &info.model {
        lines.push(format!("model     {model}"));
    }
    let Some(header) = &info.header else {
        lines.push("header    none: the drive is not encrypted".into());
        return lines.join("\n");
    };
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
        info.memory_needed_kib / 1024,
        info.memory_available_kib / 1024
    ));
    lines.push(match &info.header_backup {
        Some(file) => format!("backup    of the header: {}", file.display()),
        None => "backup    of the header: none on this box".into(),
    });
    lines.join("\n")
}
