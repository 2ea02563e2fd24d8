//! `backup forget`

use appliance::backup::forget::{ForgetOptions, forget};
use appliance_backup::forget::{ForgetPlan, Retention};
use appliance_backup::snapshot::Snapshot;
use appliance_terminal::{Report, Told, table};
use serde_json::json;

use crate::answers::Answers;
use crate::cli::BackupForget;
use crate::run::Run;

/// Removes old snapshots of this box by a policy.
pub fn run(run: &Run, arguments: &BackupForget) -> anyhow::Result<Box<dyn Report>> {
    let appliance = run.answered(Answers::default().erase(&arguments.destruction));
    let options = ForgetOptions {
        keep: Retention {
            last: arguments.keep_last,
            daily: arguments.keep_daily,
            weekly: arguments.keep_weekly,
            monthly: arguments.keep_monthly,
            yearly: arguments.keep_yearly,
        },
        dry_run: arguments.dry_run,
    };
    let plan = forget(&appliance, &options)?;
    let ids = |snapshots: &[Snapshot]| {
        let ids = snapshots.iter().map(|snapshot| snapshot.id.clone());
        ids.collect::<Vec<_>>()
    };
    let kept: Vec<_> = plan.keep.iter().map(|(kept, _)| kept.clone()).collect();
    let document = json!({
        "kept": ids(&kept),
        "removed": ids(&plan.remove),
        "dry_run": options.dry_run,
    });
    let text = text(&plan, options.dry_run);
    Ok(Box::new(Told::new(document, |_| text)))
}

fn text(plan: &ForgetPlan, dry_run: bool) -> String {
    let row = |snapshot: &Snapshot, why: String| {
        [
            snapshot.short_id().to_owned(),
            snapshot.time.strftime("%Y-%m-%d %H:%M").to_string(),
            why,
        ]
    };
    let gone = if dry_run {
        "would be removed"
    } else {
        "removed"
    };
    let kept = plan.keep.iter();
    let mut rows: Vec<_> = kept
        .map(|(snapshot, why)| row(snapshot, format!("kept: {}", why.join(", "))))
        .collect();
    rows.extend(
        plan.remove
            .iter()
            .map(|snapshot| row(snapshot, gone.to_owned())),
    );
    if rows.is_empty() {
        return "There are no snapshots of this box yet.".into();
    }
    table(&rows)
}
