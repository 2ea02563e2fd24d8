//! Tying the mount to the disk beneath, for systemd.

use std::path::Path;

use uuid::Uuid;

/// The units that tie a mount to its disk; see [`binding`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// What systemd makes of the mount, such as `mnt-immich_drive.mount`.
    pub mount: String,
    /// The target to be started while it is mounted.
    pub target: String,
}

/// The names of the units by which systemd unmounts `mount_point`, and so stops everything bound
/// to the mount, when the disk with that UUID (of the LUKS header, or of the file system of an
/// unencrypted drive) is pulled out.
///
/// Start the target once the mount is active. It is shipped as the template
/// `immich-appliance-drive@.target`, for the mount point `/mnt/immich_drive`, and waits itself
/// until udev has announced the disk.
pub fn binding(mount_point: &Path, uuid: Uuid) -> Binding {
    Binding {
        mount: format!("{}.mount", escape(mount_point)),
        target: format!(
            "immich-appliance-drive@{}.target",
            escape(Path::new(&uuid.to_string()))
        ),
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
    fn the_mount_is_bound_to_the_disk_and_not_to_the_mapping() {
        let uuid = Uuid::from_u128(0x1234);
        let binding = binding(Path::new("/mnt/immich_drive"), uuid);
        assert_eq!(binding.mount, "mnt-immich_drive.mount");
        // As `systemd-escape --template=immich-appliance-drive@.target UUID` gives it.
        assert_eq!(
            binding.target,
            r"immich-appliance-drive@00000000\x2d0000\x2d0000\x2d0000\x2d000000001234.target"
        );
    }
}
