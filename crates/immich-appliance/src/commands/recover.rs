//! `recover`

use appliance::recover::{RecoverOptions, Recovered, recover};
use appliance_terminal::{Exit, Report, Told, size};

use crate::answers::Answers;
use crate::cli::Recover;
use crate::run::Run;

/// Rebuilds everything on a blank drive from a backup.
pub fn run(run: &Run, arguments: &Recover) -> anyhow::Result<Box<dyn Report>> {
    let answers = Answers::default()
        .new_drive(&arguments.new_drive, &arguments.passphrase)
        .repository(&arguments.access)
        .erase(&arguments.destruction);
    let options = RecoverOptions {
        drive: arguments.drive.clone(),
        from: arguments.access.named(&arguments.from, run.ui)?,
        snapshot: arguments.snapshot.clone(),
        new_drive: arguments.new_drive.how(&run.settings),
    };
    let recovered = recover(&run.answered(answers), &options)?;
    let exit = if recovered.is_complete() {
        Exit::Done
    } else {
        Exit::WithLosses
    };
    Ok(Box::new(Told::new(recovered, text).with_exit(exit)))
}

fn text(recovered: &Recovered) -> String {
    let mut lines = vec![format!(
        "Recovered the snapshot of {}: {} files, {}.",
        recovered.snapshot_time,
        recovered.files_restored + recovered.files_kept,
        size(recovered.bytes)
    )];
    for (what, count) in &recovered.counts.agree {
        lines.push(format!("  {what:12} {count:>8}, as in the snapshot"));
    }
    for difference in &recovered.counts.differ {
        lines.push(format!(
            "  {:12} {:>8}, but the snapshot held {}",
            difference.what, difference.found, difference.expected
        ));
    }
    if recovered.missing_originals.is_empty() {
        lines.push("Every photo and video in the database is on the drive.".into());
    } else {
        lines.push(format!(
            "{} originals are missing:",
            recovered.missing_originals.len()
        ));
        let missing = recovered.missing_originals.iter();
        lines.extend(missing.map(|path| format!("  {}", path.display())));
    }
    if !recovered.losses.is_empty() {
        lines.push(format!(
            "{} files or folders could not be brought back; they are listed in \
             recovery-losses.toml on the drive:",
            recovered.losses.len()
        ));
        let losses = recovered.losses.iter();
        lines.extend(losses.map(|lost| format!("  {}: {}", lost.path, lost.why)));
    }
    if let Some(address) = recovered.address.first() {
        lines.push(format!("Immich is at {address}; log in as before."));
    }
    lines.join("\n")
}
