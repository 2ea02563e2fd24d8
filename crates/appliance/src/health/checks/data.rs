use appliance_drive::layout;
use appliance_immich::database::DumpLedger;
use appliance_immich::media::{self, BACKUPS};

use super::{Findings, Verdict};
use crate::Result;
use crate::drive::folders as drive_folders;
use crate::error::in_one_line;
use crate::immich::units;
use crate::size::size;

/// Less free space than this share of the drive is told of.
const LITTLE_SPACE: f64 = 0.05;
const MEND: &str = "immich-appliance doctor --mend";

pub(super) fn folders(findings: &mut Findings<'_>) -> Result<()> {
    let appliance = findings.appliance;
    let found = layout::check(
        &appliance.paths.mount_point,
        &appliance.settings.immich.media_folder,
        &appliance.owners()?,
    )?;
    if found.is_empty() {
        findings.good("all are in order");
    } else if findings.mend {
        drive_folders::put_in_order(appliance)?;
        findings.mended(format!("{} repaired", found.len()));
    } else {
        findings.bad(
            format!(
                "{} are missing or have the wrong owner or mode",
                found.len()
            ),
            MEND,
        );
    }
    Ok(())
}

pub(super) fn media(findings: &mut Findings<'_>) -> Result<()> {
    let appliance = findings.appliance;
    let (root, owner) = (&appliance.paths.media, appliance.immich_owner()?);
    let found = media::check(root, owner)?;
    if found.is_empty() {
        findings.good("folders and markers are in order");
    } else if findings.mend {
        media::mend(root, owner)?;
        findings.mended(format!("{} repaired", found.len()));
    } else {
        for finding in found {
            findings.bad(finding.to_string(), MEND);
        }
    }
    Ok(())
}

/// What the database knows, held against what is on the drive.
pub(super) fn originals(findings: &mut Findings<'_>) -> Result<()> {
    let appliance = findings.appliance;
    if !units::database_runs(appliance)? {
        findings.notice(
            "not checked: the database is not running",
            "run immich-appliance start, then immich-appliance doctor again",
        );
        return Ok(());
    }
    let originals = appliance
        .photos()
        .missing_originals(&appliance.paths.media)?;
    if originals.missing.is_empty() {
        findings.good(format!(
            "all {} in the database are on the drive",
            originals.checked
        ));
    }
    for missing in originals.missing {
        findings.bad(
            format!("{} is missing", missing.path.display()),
            "immich-appliance backup restore latest PATH --to FOLDER",
        );
    }
    Ok(())
}

pub(super) fn dumps(findings: &mut Findings<'_>) -> Result<()> {
    let paths = &findings.appliance.paths;
    let ledger = DumpLedger::read(&paths.dump_ledger())?;
    let mut whole = 0;
    for dump in ledger.files(&BACKUPS.path(&paths.media))? {
        match findings.appliance.photos().prove(&dump.path) {
            Ok(_) => whole += 1,
            Err(why) => findings.bad(
                in_one_line(&why),
                "delete it; immich-appliance backup run makes a new one",
            ),
        }
    }
    findings.good(format!("{whole} database dumps are complete"));
    Ok(())
}

pub(super) fn space(findings: &mut Findings<'_>) -> Result<()> {
    let usage = findings
        .appliance
        .disks()
        .usage(&findings.appliance.paths.mount_point)?;
    // Precision does not matter for a share.
    #[allow(clippy::cast_precision_loss)]
    let share = usage.available as f64 / usage.total.max(1) as f64;
    let detail = format!("{} free", size(usage.available));
    if share < LITTLE_SPACE {
        findings.add(Verdict::Bad, detail, None);
    } else {
        findings.good(detail);
    }
    Ok(())
}
