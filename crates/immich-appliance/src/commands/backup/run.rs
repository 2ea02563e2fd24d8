//! `backup run`

use appliance::backup::run::{Backup, Made, RunOptions, run as back_up};
use appliance_terminal::{Report, Said, Told, size};
use serde_json::{Value, json};

use crate::cli::BackupRun;
use crate::run::Run;

/// Backs up now.
pub fn run(run: &Run, arguments: &BackupRun) -> anyhow::Result<Box<dyn Report>> {
    let options = RunOptions {
        scope: arguments.scope,
        if_older_than_hours: arguments.if_older_than,
    };
    Ok(match back_up(&run.appliance(), &options)? {
        Backup::Made(made) => Box::new(Told::new(document(&made), |_| text(&made))),
        Backup::YoungEnough { hours } => {
            Said::already(format!("the last good backup is {hours:.1} hours old"))
        }
    })
}

pub(crate) fn text(made: &Made) -> String {
    let Made {
        repository,
        dump,
        snapshot,
    } = made;
    let counts = dump.verified.counts();
    let mut lines = vec![
        format!(
            "Backed up to {repository}: snapshot {}.",
            snapshot.snapshot.short_id()
        ),
        format!(
            "  database  {} users, {} photos and videos, {} albums; the dump is proven complete",
            counts.users(),
            counts.assets(),
            counts.albums()
        ),
        format!(
            "  files     {} new, {} changed, {} unchanged; {} in total, {} sent",
            snapshot.files_new,
            snapshot.files_changed,
            snapshot.files_unmodified,
            size(snapshot.bytes_processed),
            size(snapshot.bytes_stored)
        ),
    ];
    if !snapshot.skipped.is_empty() {
        lines.push(format!(
            "  skipped   {} (listed above)",
            snapshot.skipped.len()
        ));
    }
    lines.join("\n")
}

fn document(made: &Made) -> Value {
    let (dump, snapshot) = (&made.dump, &made.snapshot);
    let counts = dump.verified.counts();
    json!({
        "repository": made.repository,
        "snapshot": snapshot.snapshot.id,
        "dump": dump.verified.path(),
        "counts": {
            "users": counts.users(),
            "assets": counts.assets(),
            "albums": counts.albums(),
        },
        "files_new": snapshot.files_new,
        "files_changed": snapshot.files_changed,
        "files_unmodified": snapshot.files_unmodified,
        "bytes_processed": snapshot.bytes_processed,
        "bytes_added": snapshot.bytes_added,
        "bytes_stored": snapshot.bytes_stored,
        "seconds": snapshot.duration.as_secs_f64(),
        "skipped": snapshot.skipped.iter().map(|skipped| json!({
            "path": skipped.path,
            "original": skipped.original,
        })).collect::<Vec<_>>(),
        "changed_while_read": snapshot.changed_while_read,
    })
}
