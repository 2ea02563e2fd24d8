//! The unit files in `dist/systemd/`, held against the configuration and against systemd itself.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use appliance_config::Settings;

const MOUNT: &str = "mnt-immich_drive.mount";
const COMMAND: &str = "/usr/bin/immich-appliance";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/systemd")
}

/// A unit file's settings, each as its words; a setting given twice adds up.
struct Unit(Vec<(String, String)>);

impl Unit {
    fn read(name: &str) -> Self {
        let text = fs::read_to_string(folder().join(name)).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with(['#', '[']));
        let settings = lines.filter_map(|line| line.split_once('='));
        Self(
            settings
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    fn words(&self, key: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(given, _)| given == key);
        values
            .flat_map(|(_, value)| value.split_whitespace())
            .collect()
    }
}

fn drop_in(unit: &str) -> Unit {
    Unit::read(&format!("{unit}.d/immich-appliance.conf"))
}

#[test]
fn every_unit_of_the_appliance_is_bound_to_the_mount_and_part_of_the_target() {
    let settings = Settings::default();
    let mount_point = settings.drive.mount_point.to_str().unwrap();
    assert_eq!(
        mount_point, "/mnt/immich_drive",
        "{MOUNT} is named after it"
    );
    for unit in &settings.services.units {
        let drop_in = drop_in(unit);
        assert_eq!(drop_in.words("BindsTo"), [MOUNT], "{unit}");
        assert!(drop_in.words("After").contains(&MOUNT), "{unit}");
        assert_eq!(
            drop_in.words("AssertPathIsMountPoint"),
            [mount_point],
            "{unit}"
        );
        assert_eq!(
            drop_in.words("PartOf"),
            [&settings.services.target],
            "{unit}"
        );
    }
}

#[test]
fn the_target_pulls_in_the_units_and_comes_after_them() {
    let services = Settings::default().services;
    let target = Unit::read(&services.target);
    let units: Vec<_> = services.units.iter().map(String::as_str).collect();
    assert_eq!(target.words("Wants")[..units.len()], units);
    assert_eq!(target.words("After")[..units.len()], units);
    assert_eq!(target.words("BindsTo"), [MOUNT]);
}

#[test]
fn a_missed_backup_is_caught_up_with_when_the_target_starts() {
    let timer = Unit::read("immich-appliance-backup.timer");
    let target = Settings::default().services.target;
    assert_eq!(timer.words("Persistent"), ["true"]);
    for key in ["Requisite", "After", "PartOf"] {
        assert_eq!(timer.words(key), [&target], "{key}");
    }
    assert!(
        timer.words("WantedBy").is_empty(),
        "nobody has to enable it"
    );
    assert!(
        Unit::read(&target)
            .words("Wants")
            .contains(&"immich-appliance-backup.timer")
    );
}

#[test]
fn a_backup_skips_itself_while_the_drive_is_locked() {
    let backup = Unit::read("immich-appliance-backup.service");
    assert_eq!(
        backup.words("ConditionPathIsMountPoint"),
        ["/mnt/immich_drive"]
    );
    assert_eq!(backup.words("IOSchedulingClass"), ["idle"]);
}

#[test]
fn no_sandbox_takes_away_the_call_that_follows_no_link() {
    // RestrictSUIDSGID= answers openat2(2), by which folders are opened, with ENOSYS.
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap().to_str().unwrap();
            let restricted = Unit::read(name).words("RestrictSUIDSGID").concat();
            assert!(["", "no"].contains(&restricted.as_str()), "{name}");
        }
    }
}

#[test]
fn at_boot_the_card_is_read_and_at_most_a_drive_without_encryption_starts() {
    let mut enabled = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_file() && !Unit::read(&name).words("WantedBy").is_empty() {
            enabled.push(name);
        }
    }
    enabled.sort();
    assert_eq!(
        enabled,
        [
            "immich-appliance-first-boot.service",
            "immich-appliance-unlock.service"
        ]
    );
}

#[test]
fn postgresql_learns_at_unlock_where_its_cluster_is() {
    assert_eq!(
        drop_in("postgresql.service").words("EnvironmentFile"),
        ["-/run/immich-appliance/postgresql.env"]
    );
}

#[test]
fn a_pulled_disk_takes_the_mount_along_and_what_it_left_is_cleared_away() {
    let drive = Unit::read("immich-appliance-drive@.target");
    let disk = r"dev-disk-by\x2duuid-%i.device";
    assert_eq!(drive.words("BindsTo"), [disk, MOUNT]);
    assert_eq!(drive.words("After"), [disk, MOUNT]);
    assert_eq!(drive.words("PropagatesStopTo"), [MOUNT]);
    let gone = "immich-appliance-gone@%i.service";
    assert_eq!(drive.words("OnSuccess"), [gone]);
    let gone = Unit::read(&gone.replace("%i", ""));
    assert_eq!(gone.words("After"), [MOUNT]);
    assert_eq!(gone.words("ConditionPathExists"), ["!/dev/disk/by-uuid/%I"]);
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let temporary = tempfile::tempdir().unwrap();
    let here = temporary.path();
    for unit in &Settings::default().services.units {
        let stub = "[Unit]\nDescription=A stub\n[Service]\nExecStart=/bin/sh\n";
        fs::write(here.join(unit), stub).unwrap();
    }
    // Stands for the mount that systemd finds in the mount table.
    let mount = "[Unit]\nDescription=A stub\n[Mount]\nWhat=/dev/null\nWhere=/mnt/immich_drive\n";
    fs::write(here.join(MOUNT), mount).unwrap();
    let mut units = vec![];
    install(&folder(), here, &mut units);
    assert!(units.len() >= 5, "{units:?}");

    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=yes"])
        .args(units.iter().chain([&here.join("postgresql.service")]))
        .env("SYSTEMD_UNIT_PATH", format!("{}:", here.display()))
        .output();
    let verified = match verified {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: there is no systemd-analyze on this machine");
            return;
        }
        other => other.unwrap(),
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    // Units of the machine itself may be at fault too; ours must not.
    let ours: Vec<_> = said
        .lines()
        .filter(|line| {
            ["immich", "postgresql", "redis"]
                .iter()
                .any(|word| line.contains(word))
        })
        .collect();
    assert!(ours.is_empty(), "{said}");
}

/// Copies units and drop-ins, with a command in place of the tool, which is not installed here.
fn install(from: &Path, to: &Path, units: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            install(&path, &target, units);
        } else if path.extension().is_none_or(|extension| extension != "md") {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&target, text.replace(COMMAND, "/bin/sh")).unwrap();
            if path
                .extension()
                .is_some_and(|extension| extension != "conf")
            {
                units.push(target);
            }
        }
    }
}
