//! What a drive's own rules add to those of every block device, and makers of devices for other
//! tests.

use super::*;
use crate::find::KnownDrive;

/// A free, blank USB disk of 64 GB.
pub(crate) fn disk(name: &str) -> BlockDevice {
    BlockDevice {
        name: name.to_owned(),
        path: Path::new("/dev").join(name),
        number: (8, 0),
        kind: Kind::Disk,
        size: 64_000_000_000,
        model: Some("Maker Stick".into()),
        serial: Some("0001".into()),
        diskseq: Some(1),
        transport: Transport::Usb,
        removable: true,
        read_only: false,
        links: Vec::new(),
        partitions: Vec::new(),
        content: Content::Empty,
        uses: Vec::new(),
    }
}

/// A free, blank partition.
pub(crate) fn partition(of: &str, number: u32) -> BlockDevice {
    BlockDevice {
        kind: Kind::Partition {
            disk: of.to_owned(),
            number,
        },
        ..disk(&format!("{of}{number}"))
    }
}

fn sampled(sample: Sample) -> Option<Sampled> {
    Some(Sampled {
        sample,
        places: 1000,
        with_data: 10,
    })
}

#[test]
fn a_free_usb_disk_may_become_a_drive() {
    let device = disk("sda");
    assert_eq!(refusal(&device), None);
    assert_eq!(before_erasing(&device, sampled(Sample::Blank), &[]), []);
}

#[test]
fn a_disk_too_small_unreadable_or_of_the_system_may_not() {
    let mut device = disk("sda");
    device.size = MINIMUM_SIZE - 1;
    assert!(matches!(refusal(&device), Some(Refusal::TooSmall { .. })));
    let mut device = disk("sda");
    device.content = Content::Unreadable {
        why: "Input/output error".into(),
    };
    assert!(matches!(refusal(&device), Some(Refusal::Unreadable { .. })));
    device.uses = vec![Use::Mounted { at: "/home".into() }];
    assert!(matches!(
        refusal(&device),
        Some(Refusal::RunningSystem { .. })
    ));
}

#[test]
fn what_would_be_lost_is_told() {
    let mut device = disk("sda");
    device.content = Content::PartitionTable { kind: "gpt".into() };
    device.partitions = vec![partition("sda", 1)];
    device.removable = false;
    assert_eq!(
        notes(&device),
        [
            Note::Partitions {
                paths: vec!["/dev/sda1".into()]
            },
            Note::HasContent,
            Note::Internal
        ]
    );
    assert_eq!(
        notes(&partition("sda", 1)),
        [Note::Partition { disk: "sda".into() }]
    );
}

#[test]
fn a_disk_of_noise_or_of_unknown_data_takes_a_consent_of_its_own() {
    for (seen, note) in [
        (Sample::Noise, Note::MayBeEncrypted),
        (Sample::Structured, Note::UnknownData),
    ] {
        assert!(note.needs_own_consent());
        assert_eq!(before_erasing(&disk("sda"), sampled(seen), &[]), [note]);
        // A known signature says what it is.
        let mut device = disk("sda");
        device.content = Content::PartitionTable { kind: "gpt".into() };
        assert_eq!(
            before_erasing(&device, sampled(seen), &[]),
            [Note::HasContent]
        );
    }
    assert!(!Note::HasContent.needs_own_consent());
}

#[test]
fn a_drive_of_this_box_without_its_header_takes_a_consent_of_its_own() {
    let drive = KnownDrive {
        uuid: Uuid::from_u128(0xa),
        encrypted: true,
        size: disk("sda").size,
        model: disk("sda").model,
        serial: disk("sda").serial,
        partition: None,
        header: Some("/var/lib/immich-appliance/luks-headers/a.img".into()),
    };
    let notes = before_erasing(
        &disk("sda"),
        sampled(Sample::Blank),
        std::slice::from_ref(&drive),
    );
    assert_eq!(notes, [Note::KnownDrive { drive }]);
    assert!(notes[0].needs_own_consent());
}

#[test]
fn what_is_on_a_disk_is_said_in_words_people_know() {
    for (kind, words) in [
        ("LVM2_member", "a physical volume of LVM"),
        ("linux_raid_member", "a member of a RAID (linux)"),
        ("BitLocker", "a drive encrypted with BitLocker"),
        ("swap", "swap space"),
    ] {
        let content = Content::Other { kind: kind.into() };
        assert_eq!(content.in_words(), words);
    }
    let mut device = disk("sda");
    device.content = Content::PartitionTable { kind: "gpt".into() };
    device.partitions = vec![partition("sda", 1), partition("sda", 2)];
    device.partitions[1].content = Content::FileSystem {
        kind: "btrfs".into(),
        uuid: None,
        label: None,
    };
    assert_eq!(
        holds(&device),
        "a partition table (gpt): sda1 with nothing known, sda2 with a file system of the kind btrfs"
    );
}
