use super::*;
use crate::inspect::tests::disk;

const A: Uuid = Uuid::from_u128(0xa);
const B: Uuid = Uuid::from_u128(0xb);

fn expected() -> Expected<'static> {
    Expected {
        mapper: "immich_drive",
        mount_point: Path::new("/mnt/immich_drive"),
        remembered: None,
        wanted: None,
        known: &[],
    }
}

fn locked(name: &str, uuid: Uuid) -> BlockDevice {
    BlockDevice {
        content: Content::Luks {
            version: 2,
            uuid,
            label: None,
            subsystem: None,
        },
        ..disk(name)
    }
}

fn open(name: &str, uuid: Uuid) -> BlockDevice {
    BlockDevice {
        uses: vec![Use::Held {
            by: "dm-0".into(),
            mapper: Some("immich_drive".into()),
        }],
        ..locked(name, uuid)
    }
}

fn plain(name: &str) -> BlockDevice {
    BlockDevice {
        content: Content::FileSystem {
            kind: "ext4".into(),
            uuid: Some(A.to_string()),
            label: Some("immich_drive".into()),
        },
        ..disk(name)
    }
}

fn mount(number: (u32, u32)) -> Mounted {
    Mounted {
        at: "/mnt/immich_drive".into(),
        source: "/dev/mapper/immich_drive".into(),
        number,
        kind: "ext4".into(),
        read_only: false,
    }
}

fn facts(devices: Vec<BlockDevice>) -> Facts {
    Facts {
        devices,
        mount: None,
        mount_alive: false,
        mapping: None,
        node: "/dev/mapper/immich_drive".into(),
    }
}

fn mapping(alive: bool) -> Option<Mapping> {
    Some(Mapping {
        number: (254, 0),
        alive,
    })
}

#[test]
fn every_state_can_be_told_to_a_program() {
    let state = decide(facts(vec![]), &expected());
    assert_eq!(
        serde_json::to_string(&state).unwrap(),
        r#"{"state":"absent","type":"not-found","wanted":null}"#
    );
    let state = decide(facts(vec![locked("sda", A)]), &expected());
    let json = serde_json::to_value(&state).unwrap();
    assert_eq!(json["state"], "locked");
    assert_eq!(json["device"]["path"], "/dev/sda");
}

#[test]
fn nothing_attached_is_absent() {
    let state = decide(facts(vec![]), &expected());
    assert_eq!(
        state,
        DriveState::Absent(FindError::NotFound { wanted: None })
    );
}

#[test]
fn attached_is_locked() {
    let state = decide(facts(vec![locked("sda", A)]), &expected());
    assert!(
        matches!(&state, DriveState::Locked(found) if found.uuid == A),
        "{state:?}"
    );
}

#[test]
fn opened_is_unlocked_even_with_another_drive_attached() {
    let state = decide(
        Facts {
            mapping: mapping(true),
            ..facts(vec![open("sda", A), locked("sdb", B)])
        },
        &expected(),
    );
    assert!(
        matches!(
            &state,
            DriveState::Unlocked { found, node }
                if found.uuid == A && node == Path::new("/dev/mapper/immich_drive")
        ),
        "{state:?}"
    );
}

#[test]
fn mounted_is_mounted() {
    let state = decide(
        Facts {
            mapping: mapping(true),
            mount: Some(mount((254, 0))),
            mount_alive: true,
            ..facts(vec![open("sda", A)])
        },
        &Expected {
            remembered: Some(A),
            ..expected()
        },
    );
    assert_eq!(state.word(), "mounted", "{state:?}");
}

#[test]
fn pulled_out_while_mounted_is_gone() {
    let state = decide(
        Facts {
            mapping: mapping(false),
            mount: Some(mount((254, 0))),
            // Plugged in again under another name: the dead mount must go first.
            ..facts(vec![locked("sdb", A)])
        },
        &expected(),
    );
    assert_eq!(
        state,
        DriveState::Gone {
            mount: Some(mount((254, 0))),
            mapper: Some("immich_drive".into())
        }
    );
}

#[test]
fn pulled_out_while_open_is_gone() {
    let state = decide(
        Facts {
            mapping: mapping(false),
            ..facts(vec![])
        },
        &expected(),
    );
    assert_eq!(
        state,
        DriveState::Gone {
            mount: None,
            mapper: Some("immich_drive".into())
        }
    );
}

#[test]
fn an_unencrypted_drive_needs_no_unlocking() {
    let state = decide(facts(vec![plain("sda")]), &expected());
    assert!(
        matches!(
            &state,
            DriveState::Unlocked { found, node }
                if !found.encrypted && node == Path::new("/dev/sda")
        ),
        "{state:?}"
    );
    let mut drive = plain("sda");
    drive.uses = vec![Use::Mounted {
        at: "/mnt/immich_drive".into(),
    }];
    let state = decide(
        Facts {
            mount: Some(mount((8, 0))),
            mount_alive: true,
            ..facts(vec![drive])
        },
        &expected(),
    );
    assert_eq!(state.word(), "mounted", "{state:?}");
}

#[test]
fn an_unencrypted_drive_pulled_out_is_gone() {
    let state = decide(
        Facts {
            mount: Some(mount((8, 0))),
            ..facts(vec![])
        },
        &expected(),
    );
    assert_eq!(
        state,
        DriveState::Gone {
            mount: Some(mount((8, 0))),
            mapper: None
        }
    );
}

#[test]
fn another_drive_open_or_mounted_stands_in_the_way() {
    let expected = Expected {
        remembered: Some(B),
        ..expected()
    };
    let state = decide(
        Facts {
            mapping: mapping(true),
            ..facts(vec![open("sda", A), locked("sdb", B)])
        },
        &expected,
    );
    assert!(
        matches!(&state, DriveState::Occupied { by } if by.contains("/dev/sda")),
        "{state:?}"
    );
    let state = decide(
        Facts {
            mount: Some(mount((0, 44))),
            mount_alive: true,
            ..facts(vec![locked("sdb", B)])
        },
        &expected,
    );
    assert_eq!(state.word(), "occupied", "{state:?}");
}

#[test]
fn a_drive_opened_under_another_name_is_not_called_locked() {
    let mut drive = locked("sda", A);
    drive.uses = vec![Use::Held {
        by: "dm-3".into(),
        mapper: Some("luks-usb".into()),
    }];
    let state = decide(facts(vec![drive]), &expected());
    assert!(
        matches!(&state, DriveState::Occupied { by } if by.contains("luks-usb")),
        "{state:?}"
    );
}

#[test]
fn a_drive_whose_header_is_gone_is_told_as_that_and_not_as_blank() {
    let known = [KnownDrive {
        uuid: A,
        encrypted: true,
        size: disk("sda").size,
        model: disk("sda").model,
        serial: disk("sda").serial,
        partition: None,
        header: None,
    }];
    let facts = || Facts {
        devices: vec![disk("sda")],
        mount: None,
        mount_alive: false,
        mapping: None,
        node: "/dev/mapper/immich_drive".into(),
    };
    let expected = Expected {
        remembered: Some(A),
        known: &known,
        ..expected()
    };
    let state = decide(facts(), &expected);
    assert!(
        matches!(&state, DriveState::Absent(FindError::HeaderLost { drive, .. }) if drive.uuid == A),
        "{state:?}"
    );
    let nothing_known = Expected {
        known: &[],
        ..expected
    };
    let state = decide(facts(), &nothing_known);
    assert!(matches!(state, DriveState::Absent(FindError::Blank { .. })));
}

#[test]
fn a_disk_is_called_blank_only_after_it_was_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let image = std::fs::File::create(&path).unwrap();
    image.set_len(64 << 20).unwrap();
    let looked = || looked_into(path.clone());
    assert!(matches!(looked(), FindError::Blank { .. }));
    // What random bytes look like to whoever counts them: each as often as any other.
    let noise: Vec<u8> = (0..4096_u32).map(|at| (at * 167 % 256) as u8).collect();
    std::os::unix::fs::FileExt::write_all_at(&image, &noise, 20 << 20).unwrap();
    assert!(matches!(
        looked(),
        FindError::Unrecognised {
            sample: Sample::Noise,
            ..
        }
    ));
    std::os::unix::fs::FileExt::write_all_at(&image, b"a letter", 1 << 20).unwrap();
    let error = looked();
    assert_eq!(
        error.to_string(),
        format!("{} holds data of an unknown kind", path.display())
    );
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(looked(), FindError::NotADrive { .. }));
}
