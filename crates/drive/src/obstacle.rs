//! What keeps a device or a mapping from being closed, and how each lets go of it.

use std::fs;

use serde::Serialize;

use crate::System;
use crate::inspect::Use;

/// One thing that uses a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// What it is, in words.
    pub what: String,
    /// The command that makes it let go.
    pub release: String,
}

/// What has to let go of a device, in the order in which it can: what lies on top comes first.
/// `uses` are those of the device, or of the mapping `/dev/mapper/…` as
/// [`crate::inspect::device`] gives it, so that our own mapping is not among them.
pub fn obstacles(system: &System, uses: &[Use]) -> Vec<Obstacle> {
    let kind = |by: &str| {
        let file = system.sys.join("block").join(by).join("dm/uuid");
        fs::read_to_string(file).unwrap_or_default()
    };
    let mut obstacles: Vec<Obstacle> = Vec::new();
    for used in uses.iter().rev() {
        let obstacle = obstacle(used, &kind);
        // Several volumes of one group are released together.
        if !obstacles
            .iter()
            .any(|other| other.release == obstacle.release)
        {
            obstacles.push(obstacle);
        }
    }
    obstacles
}

fn obstacle(used: &Use, kind: &dyn Fn(&str) -> String) -> Obstacle {
    let (what, release) = match used {
        Use::Mounted { at } => {
            let quoted = at.display().to_string().replace('\'', r"'\''");
            (
                format!("a file system mounted at {}", at.display()),
                format!("umount '{quoted}'"),
            )
        }
        Use::Swap => ("swap space".to_owned(), "swapoff --all".to_owned()),
        Use::Held {
            by,
            mapper: Some(mapper),
        } if kind(by).starts_with("LVM-") => {
            let group = volume_group(mapper);
            (
                format!("the volume group {group} of LVM"),
                format!("vgchange --activate n {group}"),
            )
        }
        Use::Held {
            mapper: Some(mapper),
            ..
        } => (
            format!("the mapping {mapper}"),
            format!("cryptsetup close {mapper}"),
        ),
        Use::Held { by, mapper: None } => {
            (format!("the RAID {by}"), format!("mdadm --stop /dev/{by}"))
        }
    };
    Obstacle { what, release }
}

/// LVM writes `group-volume`, and a hyphen inside a name twice.
fn volume_group(mapper: &str) -> String {
    let bytes = mapper.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'-' {
            if bytes.get(at + 1) != Some(&b'-') {
                break;
            }
            at += 1;
        }
        at += 1;
    }
    mapper.get(..at).unwrap_or(mapper).replace("--", "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(by: &str, mapper: Option<&str>) -> Use {
        Use::Held {
            by: by.into(),
            mapper: mapper.map(Into::into),
        }
    }

    fn releases(uses: &[Use]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        let lvm = root.path().join("sys/block/dm-1/dm");
        fs::create_dir_all(&lvm).unwrap();
        fs::write(lvm.join("uuid"), "LVM-0123abcd\n").unwrap();
        obstacles(&System::under(root.path()), uses)
            .into_iter()
            .map(|obstacle| obstacle.release)
            .collect()
    }

    #[test]
    fn what_lies_on_top_is_released_first() {
        let uses = [
            held("dm-1", Some("photos-root")),
            Use::Mounted {
                at: "/media/it's".into(),
            },
        ];
        assert_eq!(
            releases(&uses),
            [r"umount '/media/it'\''s'", "vgchange --activate n photos"]
        );
    }

    #[test]
    fn each_kind_of_holder_has_its_own_way_out_and_none_is_our_own_lock() {
        let uses = [
            held("dm-0", Some("luks-1234")),
            held("md0", None),
            Use::Swap,
        ];
        assert_eq!(
            releases(&uses),
            [
                "swapoff --all",
                "mdadm --stop /dev/md0",
                "cryptsetup close luks-1234"
            ]
        );
    }

    #[test]
    fn a_volume_group_is_named_once_and_with_its_own_hyphens() {
        let uses = [
            held("dm-1", Some("my--group-root")),
            held("dm-1", Some("my--group-home--two")),
        ];
        assert_eq!(releases(&uses), ["vgchange --activate n my-group"]);
        for odd in ["", "-", "--", "a--", "ü-x"] {
            let _ = volume_group(odd);
        }
        assert_eq!(volume_group("ü-x"), "ü");
    }
}
