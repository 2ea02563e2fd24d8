//! What is on a device, by its signatures.

use std::fs::File;
use std::path::Path;

use libblkid_rs::{BlkidErr, BlkidProbe, BlkidSafeprobeRet, BlkidSublks, BlkidSublksFlags};
use uuid::Uuid;

use super::Content;

/// What is on `path` (a device or an image file).
pub fn probe(path: &Path) -> Content {
    // libblkid says only that it failed; opening says why (no permission, no medium).
    if let Err(error) = File::open(path) {
        return Content::Unreadable {
            why: error.to_string(),
        };
    }
    signatures(path).unwrap_or_else(|error| Content::Unreadable {
        why: error.to_string(),
    })
}

fn signatures(path: &Path) -> Result<Content, BlkidErr> {
    let mut probe = BlkidProbe::new_from_filename(path)?;
    probe.enable_superblocks(true)?;
    probe.set_superblock_flags(BlkidSublksFlags::new(vec![
        BlkidSublks::Type,
        BlkidSublks::Version,
        BlkidSublks::Uuid,
        BlkidSublks::Label,
    ]))?;
    probe.enable_partitions(true)?;
    match probe.do_safeprobe()? {
        BlkidSafeprobeRet::None => return Ok(Content::Empty),
        BlkidSafeprobeRet::Ambiguous => {
            return Ok(Content::Other {
                kind: "several contradicting signatures".to_owned(),
            });
        }
        BlkidSafeprobeRet::Success => {}
    }
    let value = |name: &str| -> Option<String> {
        let there = probe.has_value(name).unwrap_or(false);
        there.then(|| probe.lookup_value(name).ok()).flatten()
    };
    Ok(match (value("TYPE"), value("PTTYPE")) {
        (Some(kind), _) => superblock(kind, &value),
        (None, Some(kind)) => Content::PartitionTable { kind },
        (None, None) => Content::Other {
            kind: "an unknown signature".to_owned(),
        },
    })
}

/// Kinds that libblkid reports beside file systems.
const NO_FILE_SYSTEMS: [&str; 9] = [
    "swap",
    "swsuspend",
    "linux_raid_member",
    "LVM1_member",
    "LVM2_member",
    "BitLocker",
    "drbd",
    "bcache",
    "zfs_member",
];

fn superblock(kind: String, value: &dyn Fn(&str) -> Option<String>) -> Content {
    let filled = |name: &str| value(name).filter(|text| !text.is_empty());
    if kind == "crypto_LUKS" {
        let version = filled("VERSION").and_then(|version| version.parse().ok());
        let uuid = filled("UUID").and_then(|uuid| Uuid::try_parse(&uuid).ok());
        return match (version, uuid) {
            (Some(version), Some(uuid)) => Content::Luks {
                version,
                uuid,
                label: filled("LABEL"),
                subsystem: filled("SUBSYSTEM"),
            },
            _ => Content::Other {
                kind: "a LUKS header without a UUID".to_owned(),
            },
        };
    }
    if NO_FILE_SYSTEMS.contains(&kind.as_str()) || kind.ends_with("_raid_member") {
        return Content::Other { kind };
    }
    Content::FileSystem {
        kind,
        uuid: filled("UUID"),
        label: filled("LABEL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn zeros_are_empty() {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(8 << 20).unwrap();
        assert_eq!(probe(image.path()), Content::Empty);
    }

    #[test]
    fn a_missing_device_is_never_taken_for_empty() {
        let content = probe(Path::new("/nonexistent/device"));
        assert!(matches!(content, Content::Unreadable { .. }), "{content:?}");
    }

    #[test]
    fn a_partition_table_is_seen() {
        let mut image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(8 << 20).unwrap();
        let mut sector = [0_u8; 512];
        // One Linux partition from sector 2048, 8192 sectors long.
        sector[446..462].copy_from_slice(&[0, 0, 33, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 32, 0, 0]);
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        image.write_all(&sector).unwrap();
        assert_eq!(
            probe(image.path()),
            Content::PartitionTable { kind: "dos".into() }
        );
    }
}
