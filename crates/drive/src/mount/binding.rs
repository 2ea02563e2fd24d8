//! Tying the mount to the disk beneath, for systemd.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::System;

/// Units and drop-ins that last until the next boot.
const RUNTIME: &str = "/run/systemd/system";

/// A unit drop-in that ties the mount to the disk beneath it; see [`binding`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Unit it is for, such as `mnt-immich_drive.mount`.
    pub unit: String,
    /// Where to write it, under `/run/systemd/system`.
    pub path: PathBuf,
    /// What to write.
    pub text: String,
}

/// The drop-in that makes systemd unmount `mount_point`, and so stop everything bound to the
/// mount, when the disk with that UUID (of the LUKS header, or of the file system of an
/// unencrypted drive) is pulled out.
///
/// Write it after mounting and reload systemd: it reads the drop-ins of a unit that has no file
/// only then. It unmounts at once if it does not know the device: ask [`device_known`] first, and
/// leave the binding out where it says no.
pub fn binding(mount_point: &Path, uuid: Uuid) -> Binding {
    let unit = format!("{}.mount", escape(mount_point));
    let device = escape(&Path::new("/dev/disk/by-uuid").join(uuid.to_string()));
    let text = format!(
        "# Written by immich-appliance at unlock: pulling the drive out unmounts it.\n\
         [Unit]\n\
         BindsTo={device}.device\n\
         After={device}.device\n\
         OnSuccess=immich-appliance-gone.service\n\
         OnFailure=immich-appliance-gone.service\n\
         \n\
         [Mount]\n\
         # A drive that is gone must not hold the mount point because a file is still open.\n\
         LazyUnmount=yes\n"
    );
    Binding {
        path: Path::new(RUNTIME)
            .join(format!("{unit}.d"))
            .join("50-immich-appliance.conf"),
        unit,
        text,
    }
}

/// Waits, at most for `patience`, until udev has announced the disk with that UUID, and systemd
/// with it knows its device unit. Just after a header was written that takes a moment.
pub fn device_known(system: &System, uuid: Uuid, patience: Duration) -> bool {
    let link = system.dev.join("disk/by-uuid").join(uuid.to_string());
    let start = Instant::now();
    loop {
        // Followed: a link that leads nowhere is left over from a drive that is gone.
        if link.exists() {
            return true;
        }
        if start.elapsed() >= patience {
            return false;
        }
        thread::sleep(Duration::from_millis(50).min(patience));
    }
}

/// A path as systemd writes it in unit names (`systemd-escape --path`).
fn escape(path: &Path) -> String {
    let text = path.to_string_lossy();
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return "-".to_owned();
    }
    let mut escaped = String::new();
    for (at, byte) in parts.join("/").bytes().enumerate() {
        match byte {
            b'/' => escaped.push('-'),
            b'.' if at == 0 => escaped.push_str("\\x2e"),
            b':' | b'_' | b'.' => escaped.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => escaped.push(byte.into()),
            byte => escaped.push_str(&format!("\\x{byte:02x}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_as_systemd_does() {
        // Each as `systemd-escape --path` gives it.
        for (path, escaped) in [
            ("/mnt/immich_drive", "mnt-immich_drive"),
            ("/mnt//my drive/", r"mnt-my\x20drive"),
            ("/dev/disk/by-uuid/a-b", r"dev-disk-by\x2duuid-a\x2db"),
            ("/.hidden/a.b", r"\x2ehidden-a.b"),
            ("/", "-"),
            ("/srv/ü", r"srv-\xc3\xbc"),
        ] {
            assert_eq!(escape(Path::new(path)), escaped, "{path}");
        }
    }

    #[test]
    fn a_disk_is_known_once_udev_made_its_link() {
        let root = tempfile::TempDir::new().unwrap();
        let system = System::under(root.path());
        let uuid = Uuid::from_u128(7);
        assert!(!device_known(&system, uuid, Duration::ZERO));
        let folder = root.path().join("dev/disk/by-uuid");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(uuid.to_string()), "").unwrap();
        assert!(device_known(&system, uuid, Duration::ZERO));
    }

    #[test]
    fn the_mount_is_bound_to_the_disk_and_not_to_the_mapping() {
        let uuid = Uuid::from_u128(0x1234);
        let binding = binding(Path::new("/mnt/immich_drive"), uuid);
        assert_eq!(binding.unit, "mnt-immich_drive.mount");
        assert_eq!(
            binding.path,
            Path::new("/run/systemd/system/mnt-immich_drive.mount.d/50-immich-appliance.conf")
        );
        let device = r"dev-disk-by\x2duuid-00000000\x2d0000\x2d0000\x2d0000\x2d000000001234.device";
        assert!(
            binding.text.contains(&format!("BindsTo={device}\n")),
            "{}",
            binding.text
        );
    }
}
