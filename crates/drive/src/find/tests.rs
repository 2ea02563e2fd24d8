use super::*;
use crate::inspect::Use;
use crate::inspect::tests::{disk, partition};

const A: Uuid = Uuid::from_u128(0xa);
const B: Uuid = Uuid::from_u128(0xb);

fn luks(name: &str, uuid: Uuid) -> BlockDevice {
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

fn unfinished(name: &str, uuid: Uuid) -> BlockDevice {
    BlockDevice {
        content: Content::Luks {
            version: 2,
            uuid,
            label: Some(LABEL.into()),
            subsystem: Some(UNFINISHED.into()),
        },
        ..disk(name)
    }
}

fn file_system(name: &str, kind: &str, uuid: &str, label: Option<&str>) -> BlockDevice {
    BlockDevice {
        content: Content::FileSystem {
            kind: kind.into(),
            uuid: Some(uuid.into()),
            label: label.map(Into::into),
        },
        ..disk(name)
    }
}

/// The disk that the machine runs from, with an encrypted root.
fn system() -> BlockDevice {
    let mut root = luks("nvme0n1p2", Uuid::from_u128(0x1234));
    root.uses = vec![
        Use::Held {
            by: "dm-0".into(),
            mapper: Some("cryptroot".into()),
        },
        Use::Mounted { at: "/".into() },
    ];
    BlockDevice {
        content: Content::PartitionTable { kind: "gpt".into() },
        partitions: vec![root],
        transport: Transport::Nvme,
        ..disk("nvme0n1")
    }
}

/// Nothing is remembered but the UUID.
fn choose(
    devices: &[BlockDevice],
    remembered: Option<Uuid>,
    wanted: Option<&Wanted>,
) -> Result<Found, FindError> {
    super::choose(devices, remembered, wanted, &[])
}

fn path(result: Result<Found, FindError>) -> PathBuf {
    result.unwrap().device.path
}

#[test]
fn the_only_encrypted_drive_attached_is_taken_on_first_use() {
    let found = choose(&[system(), luks("sda", A)], None, None).unwrap();
    assert_eq!(found.device.path, Path::new("/dev/sda"));
    assert_eq!((found.uuid, found.encrypted), (A, true));
}

#[test]
fn a_drive_on_a_partition_is_found() {
    let mut stick = disk("sda");
    stick.content = Content::PartitionTable { kind: "gpt".into() };
    stick.partitions = vec![BlockDevice {
        content: luks("x", A).content,
        ..partition("sda", 1)
    }];
    assert_eq!(
        path(choose(&[stick.clone()], None, None)),
        Path::new("/dev/sda1")
    );
    // Also when the person names the disk.
    let wanted = Wanted::Path("/dev/sda".into());
    assert_eq!(
        path(choose(&[stick], None, Some(&wanted))),
        Path::new("/dev/sda1")
    );
}

#[test]
fn the_encrypted_disk_of_the_system_itself_is_never_the_drive() {
    assert_eq!(
        choose(&[system()], None, None),
        Err(FindError::NotFound { wanted: None })
    );
    for name in ["/dev/nvme0n1", "/dev/nvme0n1p2"] {
        let wanted = Wanted::Path(name.into());
        let error = choose(&[system()], None, Some(&wanted)).unwrap_err();
        assert!(
            matches!(&error, FindError::NotADrive { holds, .. } if holds == "the running system"),
            "{error}"
        );
    }
}

#[test]
fn two_drives_are_a_question_on_first_use() {
    let error = choose(&[luks("sda", A), luks("sdb", B)], None, None).unwrap_err();
    assert_eq!(
        error,
        FindError::Several {
            devices: vec![("/dev/sda".into(), A), ("/dev/sdb".into(), B)]
        }
    );
    assert!(error.to_string().contains("/dev/sdb (UUID "), "{error}");
}

#[test]
fn the_remembered_drive_is_found_among_several_under_any_name() {
    let devices = [luks("sda", B), luks("sdq", A)];
    assert_eq!(path(choose(&devices, Some(A), None)), Path::new("/dev/sdq"));
}

#[test]
fn another_drive_in_place_of_the_remembered_one_is_foreign() {
    assert_eq!(
        choose(&[luks("sda", B)], Some(A), None),
        Err(FindError::Foreign {
            device: "/dev/sda".into(),
            found: B,
            expected: A
        })
    );
}

#[test]
fn a_remembered_drive_that_is_not_attached_is_not_found() {
    let expected = Err(FindError::NotFound {
        wanted: Some(A.to_string()),
    });
    assert_eq!(choose(&[system()], Some(A), None), expected);
    // A stick with somebody's files is not mistaken for it.
    let stick = file_system("sda", "exfat", "1234-ABCD", None);
    assert_eq!(choose(&[system(), stick], Some(A), None), expected);
}

#[test]
fn a_blank_disk_is_called_blank() {
    let blank = Err(FindError::Blank {
        device: "/dev/sda".into(),
    });
    assert_eq!(choose(&[system(), disk("sda")], None, None), blank);
    assert_eq!(choose(&[system(), disk("sda")], Some(A), None), blank);
    let wanted = Wanted::Path("/dev/sda".into());
    assert_eq!(choose(&[disk("sda")], None, Some(&wanted)), blank);
}

#[test]
fn a_spare_disk_inside_the_machine_is_not_called_the_blank_drive() {
    let mut spare = disk("sdb");
    spare.transport = Transport::Sata;
    assert_eq!(
        choose(&[spare], None, None),
        Err(FindError::NotFound { wanted: None })
    );
}

#[test]
fn a_disk_with_something_else_is_said_to_be_no_drive() {
    let stick = file_system("sda", "exfat", "1234-ABCD", Some("HOLIDAY"));
    let error = choose(&[stick], None, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/dev/sda is not an appliance drive: it holds a file system of the kind exfat named \
         \"HOLIDAY\""
    );
}

#[test]
fn a_read_only_drive_is_refused_by_name() {
    let mut drive = luks("sda", A);
    drive.read_only = true;
    for remembered in [None, Some(A)] {
        assert_eq!(
            choose(&[drive.clone()], remembered, None),
            Err(FindError::ReadOnly {
                device: "/dev/sda".into()
            })
        );
    }
}

#[test]
fn a_drive_whose_creation_was_cut_short_is_told_apart() {
    let cut = unfinished("sda", A);
    let expected = Err(FindError::Unfinished {
        device: "/dev/sda".into(),
        uuid: A,
    });
    let wanted = Wanted::Uuid(A);
    assert_eq!(choose(std::slice::from_ref(&cut), None, None), expected);
    assert_eq!(choose(std::slice::from_ref(&cut), Some(A), None), expected);
    assert_eq!(
        choose(std::slice::from_ref(&cut), None, Some(&wanted)),
        expected
    );
    // It does not compete with a finished one.
    assert_eq!(
        path(choose(&[cut, luks("sdb", B)], None, None)),
        Path::new("/dev/sdb")
    );
}

#[test]
fn a_drive_named_by_its_uuid_overrules_the_remembered_one() {
    let devices = [luks("sda", A), luks("sdb", B)];
    assert_eq!(
        path(choose(&devices, Some(A), Some(&Wanted::Uuid(B)))),
        Path::new("/dev/sdb")
    );
}

#[test]
fn a_drive_named_by_its_path_must_still_be_the_remembered_one() {
    let wanted = Wanted::Path("/dev/sdb".into());
    assert_eq!(
        choose(&[luks("sda", A), luks("sdb", B)], Some(A), Some(&wanted)),
        Err(FindError::Foreign {
            device: "/dev/sdb".into(),
            found: B,
            expected: A
        })
    );
}

#[test]
fn a_drive_is_found_by_its_stable_name() {
    let mut drive = luks("sdb", B);
    drive.links = vec!["/dev/disk/by-id/usb-Maker_2".into()];
    let devices = [luks("sda", A), drive];
    for text in ["usb-Maker_2", "/dev/disk/by-id/usb-Maker_2"] {
        let wanted: Wanted = text.parse().unwrap();
        assert_eq!(
            path(choose(&devices, None, Some(&wanted))),
            Path::new("/dev/sdb"),
            "{text}"
        );
    }
    let wanted: Wanted = "usb-Maker".parse().unwrap();
    assert_eq!(
        choose(&devices, None, Some(&wanted)),
        Err(FindError::NotFound {
            wanted: Some("usb-Maker".into())
        })
    );
}

#[test]
fn what_the_person_types_is_understood() {
    let uuid = "5f0f7f9c-1111-4222-8333-000000000001";
    let parsed = Uuid::parse_str(uuid).unwrap();
    for text in [uuid, &format!("UUID={uuid}"), &uuid.to_uppercase()] {
        assert_eq!(text.parse(), Ok(Wanted::Uuid(parsed)), "{text}");
    }
    assert_eq!("/dev/sda".parse(), Ok(Wanted::Path("/dev/sda".into())));
    assert_eq!("usb-X".parse(), Ok(Wanted::ById("usb-X".into())));
}

#[test]
fn an_unencrypted_drive_is_found_by_its_label_on_first_use_and_by_its_uuid_later() {
    let ours = file_system("sda1", "ext4", &A.to_string(), Some(LABEL));
    let found = choose(&[system(), ours.clone()], None, None).unwrap();
    assert_eq!((found.uuid, found.encrypted), (A, false));

    let unlabelled = file_system("sdb1", "ext4", &B.to_string(), None);
    assert_eq!(
        path(choose(std::slice::from_ref(&unlabelled), Some(B), None)),
        Path::new("/dev/sdb1")
    );
    // Somebody's own ext4 disk does not count unless named.
    let devices = [ours, unlabelled];
    assert_eq!(path(choose(&devices, None, None)), Path::new("/dev/sda1"));
    let wanted = Wanted::Path("/dev/sdb1".into());
    assert_eq!(
        path(choose(&devices, None, Some(&wanted))),
        Path::new("/dev/sdb1")
    );
}

#[test]
fn a_drive_and_its_bit_for_bit_copy_are_a_question() {
    let devices = [luks("sda", A), luks("sdb", A)];
    for wanted in [None, Some(Wanted::Uuid(A))] {
        let error = choose(&devices, Some(A), wanted.as_ref()).unwrap_err();
        assert!(matches!(error, FindError::Several { .. }), "{error}");
    }
}

/// The drive on `sda`, remembered.
fn known() -> KnownDrive {
    KnownDrive {
        uuid: A,
        encrypted: true,
        size: disk("sda").size,
        model: disk("sda").model,
        serial: disk("sda").serial,
        partition: None,
        header: Some("/var/lib/x/header.img".into()),
    }
}

#[test]
fn a_drive_without_its_header_is_named_however_it_is_looked_for() {
    let mut table = disk("sda");
    table.content = Content::PartitionTable { kind: "gpt".into() };
    table.partitions = vec![partition("sda", 1)];
    for device in [disk("sda"), table] {
        let wanted = Wanted::Path("/dev/sda".into());
        let mut other = luks("sdb", B);
        other.serial = Some("0002".into());
        let devices = [system(), device, other];
        for (remembered, wanted, seen) in [
            (Some(A), None, &devices[..]),
            (Some(A), Some(&wanted), &devices[..]),
            (None, Some(&wanted), &devices[..]),
            (None, None, &devices[..2]),
        ] {
            let error = super::choose(seen, remembered, wanted, &[known()]).unwrap_err();
            assert!(
                matches!(&error, FindError::HeaderLost { drive, .. } if **drive == known()),
                "{error}"
            );
            let said = format!("the drive with UUID {A}, and its LUKS header was overwritten");
            assert!(error.to_string().contains(&said), "{error}");
        }
    }
}

#[test]
fn the_drive_itself_counts_before_the_disk_that_it_was_on() {
    // Its header was put back, or it moved to another disk.
    let devices = [disk("sda"), luks("sdb", A)];
    let found = super::choose(&devices, Some(A), None, &[known()]);
    assert_eq!(path(found), Path::new("/dev/sdb"));
}

#[test]
fn a_disk_with_several_encrypted_partitions_is_a_question() {
    let mut stick = disk("sda");
    stick.content = Content::PartitionTable { kind: "gpt".into() };
    stick.partitions = vec![luks("sda1", A), luks("sda2", B)];
    let wanted = Wanted::Path("/dev/sda".into());
    assert_eq!(
        choose(&[stick], None, Some(&wanted)),
        Err(FindError::Several {
            devices: vec![("/dev/sda1".into(), A), ("/dev/sda2".into(), B)]
        })
    );
}

#[test]
fn what_the_partitions_of_a_disk_hold_is_said() {
    let mut stick = disk("sda");
    stick.content = Content::PartitionTable { kind: "dos".into() };
    stick.partitions = vec![partition("sda", 1), partition("sda", 2)];
    stick.partitions[1].content = Content::Other {
        kind: "LVM2_member".into(),
    };
    let error = choose(&[stick], None, None).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("sda1 with nothing known, sda2 with a physical volume of LVM"),
        "{error}"
    );
}

#[test]
fn a_drive_whose_making_was_cut_short_is_named_as_that_also_where_another_is_remembered() {
    let devices = [unfinished("sda", A)];
    let wanted = Wanted::Path("/dev/sda".into());
    for remembered in [None, Some(A), Some(B)] {
        let chosen = choose(&devices, remembered, Some(&wanted));
        assert!(
            matches!(chosen, Err(FindError::Unfinished { uuid: A, .. })),
            "{chosen:?}"
        );
    }
}
