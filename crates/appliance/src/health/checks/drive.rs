use appliance_drive::luks;
use appliance_services::ActiveState;

use super::Findings;
use crate::Result;
use crate::drive::binding_target;
use crate::health::DriveCondition;
use crate::size::size;

const UNLOCK: &str = "immich-appliance unlock --start";
/// Less free space than this on the card is told of: 200 MB.
const LITTLE_ON_CARD: u64 = 200_000_000;

pub(super) fn drive(findings: &mut Findings<'_>) -> Result<()> {
    match &findings.condition.drive {
        DriveCondition::Absent(error) => {
            findings.bad(error.to_string(), "immich-appliance drive list");
        }
        DriveCondition::Gone => findings.bad("it was unplugged while it was in use", UNLOCK),
        DriveCondition::Occupied { by } => {
            let at = findings.appliance.paths.mount_point.display().to_string();
            findings.bad(
                format!("its place is taken by {by}"),
                format!("unmount it: umount {at}"),
            );
        }
        DriveCondition::Locked(_) | DriveCondition::Unlocked(_) => {
            findings.notice("attached, and not mounted", UNLOCK);
        }
        DriveCondition::Mounted {
            read_only: true, ..
        } => findings.bad(
            "mounted read-only: the kernel found errors on it",
            "run immich-appliance lock, then immich-appliance unlock --start, which checks it",
        ),
        DriveCondition::Mounted { found, .. } => {
            findings.good(format!("{} is mounted", found.device.path.display()));
        }
    }
    Ok(())
}

/// Whether systemd knows what to do when the drive is pulled out.
pub(super) fn unplugging(findings: &mut Findings<'_>) -> Result<()> {
    let Some(found) = findings.condition.drive.found() else {
        return Ok(());
    };
    let target = binding_target(findings.appliance, found.uuid);
    let state = findings.appliance.manager()?.state(&target)?;
    if state.active == ActiveState::Active {
        findings.good("Immich stops if the drive is pulled out");
    } else {
        findings.bad(
            format!("Immich will not stop if the drive is pulled out: {target} is not running"),
            "immich-appliance unlock",
        );
    }
    Ok(())
}

pub(super) fn header(findings: &mut Findings<'_>) -> Result<()> {
    let found = findings.condition.drive.found();
    let Some(found) = found.filter(|found| found.encrypted) else {
        return Ok(());
    };
    let disks = findings.appliance.disks();
    let info: luks::Info = disks.header(&found.device.path)?;
    let free = disks.memory_available_kib()?;
    if info.memory_needed_kib() > free {
        findings.notice(
            format!(
                "unlocking needs {} MiB of memory, and {} MiB are free",
                info.memory_needed_kib() / 1024,
                free / 1024
            ),
            "immich-appliance drive passphrase change makes a keyslot for this machine",
        );
    }
    if findings.appliance.paths.header(found.uuid).exists() {
        findings.good("this box has a copy of it");
    } else {
        findings.bad(
            "this box has no copy of it",
            "immich-appliance unlock makes one",
        );
    }
    if info.keyslots.len() < 2 {
        findings.notice(
            "only one passphrase opens the drive",
            "immich-appliance drive passphrase add",
        );
    }
    Ok(())
}

/// The card that the box runs from: a full or read-only one forgets.
pub(super) fn card(findings: &mut Findings<'_>) -> Result<()> {
    let paths = &findings.appliance.paths;
    let probe = paths
        .state
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(&paths.state);
    let space = nix::sys::statvfs::statvfs(probe).map_err(std::io::Error::from)?;
    let read_only = space
        .flags()
        .contains(nix::sys::statvfs::FsFlags::ST_RDONLY);
    let free = findings.appliance.disks().usage(probe)?.available;
    let no_files_left = space.files() > 0 && space.files_available() == 0;
    if read_only {
        findings.bad(
            "the card that the box runs from is read-only: it may be worn out",
            "flash a new card; the photos are on the drive and do not depend on it",
        );
    } else if free < LITTLE_ON_CARD || no_files_left {
        findings.bad(
            format!(
                "the card that the box runs from is full: {} free",
                size(free)
            ),
            "see what fills it with: sudo du -xhd2 / | sort -h | tail",
        );
    } else {
        findings.good(format!(
            "{} free on the card that the box runs from",
            size(free)
        ));
    }
    Ok(())
}
