//! Real mounts of an ext4 image through a loop device. They need root and loop devices.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use appliance_drive::holders::holders;
use appliance_drive::inspect::{self, Consented, Content, Kind, Refusal, refusal};
use appliance_drive::mount::{Guard, MountError, detach, mount, mounted_at, prepare, unmount};
use appliance_drive::usage::usage;
use appliance_drive::{System, filesystem, layout, luks};
use tempfile::TempDir;

/// These tests run one after another: a child that one of them starts holds, for a moment, the
/// files that the others have open, and a drive is then busy for no reason of theirs.
static ALONE: Mutex<()> = Mutex::new(());

/// An ext4 image on a loop device, with a mount point; cleared away whatever happens.
struct Rig {
    _alone: Option<MutexGuard<'static, ()>>,
    folder: TempDir,
    device: PathBuf,
    mount_point: PathBuf,
}

impl Rig {
    /// `None`, with the reason printed, where it cannot be had.
    fn new() -> Option<Self> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self::make(Some(alone))
    }

    /// A second one in the same test.
    fn beside(_first: &Self) -> Option<Self> {
        Self::make(None)
    }

    fn make(alone: Option<MutexGuard<'static, ()>>) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let image = folder.path().join("drive.img");
        File::create(&image).unwrap().set_len(640 << 20).unwrap();
        let attached = Command::new("/sbin/losetup")
            .args([OsStr::new("--find"), OsStr::new("--show"), image.as_ref()])
            .output();
        let device = match attached {
            Ok(output) if output.status.success() => {
                PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
            }
            other => {
                eprintln!("skipped: no loop device to be had (it needs root): {other:?}");
                return None;
            }
        };
        let mount_point = fs::canonicalize(folder.path()).unwrap().join("mnt/drive");
        let rig = Self {
            _alone: alone,
            folder,
            device,
            mount_point,
        };
        filesystem::make(&rig.consented()).unwrap();
        Some(rig)
    }

    fn consented(&self) -> Consented {
        let device = inspect::device(&system(), self.device.to_str().unwrap()).unwrap();
        Consented::to(&system(), &device).unwrap()
    }

    fn mounted() -> Option<Self> {
        let rig = Self::new()?;
        prepare(&system(), &rig.mount_point).unwrap();
        mount(&system(), &rig.device, &rig.mount_point).unwrap();
        Some(rig)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Lazily: a test that failed half way may have left a file open.
        let _ = detach(&system(), &self.mount_point, "no-such-mapping");
        let _ = Command::new("/usr/bin/chattr")
            .arg("-i")
            .arg(&self.mount_point)
            .output();
        let _ = Command::new("/sbin/losetup")
            .arg("--detach")
            .arg(&self.device)
            .output();
    }
}

fn system() -> System {
    System::live()
}

#[test]
fn a_drive_is_mounted_once_and_unmounted_once() {
    let Some(rig) = Rig::mounted() else { return };
    let there = mounted_at(&system(), &rig.mount_point).unwrap().unwrap();
    assert_eq!(there.source, rig.device);
    assert_eq!(there.kind, "ext4");
    assert!(!there.read_only);
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = table
        .lines()
        .find(|line| line.contains(rig.mount_point.to_str().unwrap()))
        .unwrap();
    assert!(line.contains("nosuid,nodev,noatime"), "{line}");

    // Each is done when it is done already.
    mount(&system(), &rig.device, &rig.mount_point).unwrap();
    unmount(&system(), &rig.mount_point).unwrap();
    assert_eq!(mounted_at(&system(), &rig.mount_point).unwrap(), None);
    unmount(&system(), &rig.mount_point).unwrap();
}

#[test]
fn nothing_can_be_written_under_the_bare_mount_point() {
    let Some(rig) = Rig::new() else { return };
    match prepare(&system(), &rig.mount_point).unwrap() {
        Guard::Immutable => {}
        Guard::Unsupported { why } => {
            eprintln!("skipped: this file system knows no immutable folders: {why}");
            return;
        }
    }
    assert!(fs::write(rig.mount_point.join("lost.jpg"), "x").is_err());
    // Done twice is done; and mounting over it works.
    assert_eq!(
        prepare(&system(), &rig.mount_point).unwrap(),
        Guard::Immutable
    );
    mount(&system(), &rig.device, &rig.mount_point).unwrap();
    fs::write(rig.mount_point.join("kept.jpg"), "x").unwrap();
    let error = prepare(&system(), &rig.mount_point).unwrap_err();
    assert!(matches!(error, MountError::Occupied { .. }), "{error}");
}

#[test]
fn files_under_the_mount_point_are_never_hidden() {
    let Some(rig) = Rig::new() else { return };
    fs::create_dir_all(rig.mount_point.join("immich_data")).unwrap();
    for result in [
        prepare(&system(), &rig.mount_point).map(|_| ()),
        mount(&system(), &rig.device, &rig.mount_point),
    ] {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, MountError::NotEmpty { first, .. } if first == "immich_data"),
            "{error}"
        );
    }
}

#[test]
fn a_mount_point_that_is_a_file_or_a_link_is_refused() {
    let Some(rig) = Rig::new() else { return };
    let folder = rig.folder.path();
    let file = folder.join("file");
    fs::write(&file, "x").unwrap();
    let link = folder.join("link");
    std::os::unix::fs::symlink("/tmp", &link).unwrap();
    for path in [&file, &link] {
        let error = prepare(&system(), path).unwrap_err();
        assert!(matches!(error, MountError::NotAFolder { .. }), "{error}");
        let error = mount(&system(), &rig.device, path).unwrap_err();
        assert!(matches!(error, MountError::NotAFolder { .. }), "{error}");
    }
}

#[test]
fn another_drive_is_not_mounted_over_the_first() {
    let Some(rig) = Rig::mounted() else { return };
    let Some(other) = Rig::beside(&rig) else {
        return;
    };
    let error = mount(&system(), &other.device, &rig.mount_point).unwrap_err();
    assert!(
        matches!(&error, MountError::Occupied { source_there, .. } if *source_there == rig.device),
        "{error}"
    );
}

#[test]
fn a_busy_drive_is_not_unmounted_and_its_holder_is_named() {
    let Some(rig) = Rig::mounted() else { return };
    let path = rig.mount_point.join("photo.jpg");
    fs::write(&path, "x").unwrap();
    let mut child = Command::new("sleep")
        .arg("60")
        .stdin(File::open(&path).unwrap())
        .spawn()
        .unwrap();
    let result = unmount(&system(), &rig.mount_point);
    let found = holders(&rig.mount_point).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(result, Err(MountError::Busy { .. })), "{result:?}");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].path, path);
    unmount(&system(), &rig.mount_point).unwrap();
}

#[test]
fn a_drive_is_not_unmounted_through_a_link() {
    let Some(rig) = Rig::mounted() else { return };
    let link = rig.folder.path().join("link");
    std::os::unix::fs::symlink(&rig.mount_point, &link).unwrap();
    assert!(unmount(&system(), &link).is_err());
    assert!(mounted_at(&system(), &rig.mount_point).unwrap().is_some());
}

#[test]
fn a_lost_drive_leaves_the_tree_even_while_files_are_open() {
    let Some(rig) = Rig::mounted() else { return };
    let open = File::create(rig.mount_point.join("photo.jpg")).unwrap();
    let detached = detach(&system(), &rig.mount_point, "no-such-mapping").unwrap();
    assert!(detached.unmounted);
    assert_eq!(mounted_at(&system(), &rig.mount_point).unwrap(), None);
    drop(open);
}

#[test]
fn a_mounted_device_is_shown_refused_and_kept_from_harm() {
    let Some(rig) = Rig::mounted() else { return };
    let device = inspect::device(&system(), rig.device.to_str().unwrap()).unwrap();
    assert_eq!(device.kind, Kind::Loop);
    assert_eq!(device.size, 640 << 20);
    assert!(
        matches!(&device.content, Content::FileSystem { kind, .. } if kind == "ext4"),
        "{device:?}"
    );
    assert!(
        matches!(refusal(&device), Some(Refusal::Mounted { at, .. }) if at == rig.mount_point),
        "{device:?}"
    );
    let listed = inspect::list(&system()).unwrap();
    assert!(listed.contains(&device), "{listed:?}");

    // Whoever does not ask is stopped by the kernel.
    let how = luks::Format {
        cipher: appliance_drive::cipher::Cipher::AesXts,
        limits: luks::Limits::for_machine(1 << 20, 1),
        uuid: None,
    };
    let passphrase = secrecy::SecretSlice::from(b"p".to_vec());
    let error = luks::format(&rig.consented(), &how, &passphrase, &[]).unwrap_err();
    assert!(matches!(error, luks::LuksError::InUse { .. }), "{error}");
    let error = filesystem::make(&rig.consented()).unwrap_err();
    assert!(
        matches!(error, filesystem::FilesystemError::InUse { .. }),
        "{error}"
    );
    let error = filesystem::check(&rig.device, filesystem::Repair::Everything).unwrap_err();
    assert!(
        matches!(error, filesystem::FilesystemError::InUse { .. }),
        "{error}"
    );
}

#[test]
fn a_file_system_left_mounted_at_a_power_cut_asks_for_a_check_and_is_mended() {
    let Some(rig) = Rig::mounted() else { return };
    fs::write(rig.mount_point.join("photo.jpg"), vec![7; 1 << 20]).unwrap();
    File::open(&rig.mount_point).unwrap().sync_all().unwrap();
    // What the disk holds at this moment is what a power cut would leave.
    let cut = rig.folder.path().join("cut.img");
    fs::copy(rig.folder.path().join("drive.img"), &cut).unwrap();
    let now = std::time::SystemTime::now();
    let superblock = filesystem::superblock(&cut).unwrap();
    assert_eq!(
        filesystem::needs_check(&superblock, now),
        Some(filesystem::CheckReason::JournalToReplay)
    );
    let checked = filesystem::check(&cut, filesystem::Repair::Preen).unwrap();
    assert!(
        matches!(
            checked.outcome,
            filesystem::Outcome::Clean | filesystem::Outcome::Fixed
        ),
        "{checked:?}"
    );
    let superblock = filesystem::superblock(&cut).unwrap();
    assert_eq!(filesystem::needs_check(&superblock, now), None);
}

#[test]
fn folders_are_laid_out_and_space_is_told() {
    let Some(rig) = Rig::mounted() else { return };
    let owners = layout::Owners {
        immich: layout::Owner { uid: 901, gid: 902 },
        postgres: layout::Owner { uid: 903, gid: 904 },
        secrets: layout::Owner::ROOT,
    };
    layout::create(&rig.mount_point, layout::IMMICH_DATA, &owners, 15).unwrap();
    assert_eq!(
        layout::check(&rig.mount_point, layout::IMMICH_DATA, &owners).unwrap(),
        []
    );
    assert_eq!(owner(&rig.mount_point.join("immich_data")), (901, 902));
    assert_eq!(owner(&rig.mount_point.join("postgres/15")), (903, 904));
    assert_eq!(owner(&rig.mount_point.join("secrets")), (0, 0));

    let space = usage(&rig.mount_point).unwrap();
    assert!(
        space.total > 500 << 20 && space.total < 640 << 20,
        "{space:?}"
    );
    assert!(space.available <= space.total - space.used, "{space:?}");
}

fn owner(path: &Path) -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    let data = fs::metadata(path).unwrap();
    (data.uid(), data.gid())
}

fn losetup(arguments: &[&OsStr]) -> bool {
    let done = Command::new("/sbin/losetup").args(arguments).output();
    done.unwrap().status.success()
}

#[test]
fn another_disk_under_the_same_name_is_not_the_one_consented_to() {
    let Some(rig) = Rig::new() else { return };
    let shown = inspect::device(&system(), rig.device.to_str().unwrap()).unwrap();
    Consented::to(&system(), &shown).unwrap().check().unwrap();

    // While the person reads, a twin of the disk takes its name and number.
    let twin = rig.folder.path().join("twin.img");
    fs::copy(rig.folder.path().join("drive.img"), &twin).unwrap();
    let device = rig.device.as_os_str();
    assert!(losetup(&["--detach".as_ref(), device]));
    assert!(losetup(&[device, twin.as_ref()]));
    let now = inspect::device(&system(), rig.device.to_str().unwrap()).unwrap();
    assert_eq!((now.number, now.size), (shown.number, shown.size));
    if shown.diskseq.is_none() {
        eprintln!("skipped: this kernel does not count disks (it needs Linux 5.15)");
        return;
    }
    let error = Consented::to(&system(), &shown).unwrap_err();
    assert!(
        error.to_string().contains("taken out or exchanged"),
        "{error}"
    );
}

#[test]
fn a_disk_that_is_held_cannot_be_exchanged_under_its_name() {
    let Some(rig) = Rig::new() else { return };
    let consented = rig.consented();
    let twin = rig.folder.path().join("twin.img");
    fs::copy(rig.folder.path().join("drive.img"), &twin).unwrap();
    let device = rig.device.as_os_str();
    losetup(&["--detach".as_ref(), device]);
    let exchanged = losetup(&[device, twin.as_ref()]);
    let before = fs::read(&twin).unwrap();
    let how = luks::Format {
        cipher: appliance_drive::cipher::Cipher::AesXts,
        limits: luks::Limits::for_machine(1 << 10, 1),
        uuid: None,
    };
    let passphrase = secrecy::SecretSlice::from(b"p".to_vec());
    let formatted = luks::format(&consented, &how, &passphrase, &[]);
    assert!(
        !exchanged || formatted.is_err(),
        "the twin was taken for the disk"
    );
    assert!(fs::read(&twin).unwrap() == before, "the twin was touched");
}
