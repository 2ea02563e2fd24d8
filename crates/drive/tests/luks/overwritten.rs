//! Drives that no longer look like one, and other people's that do.

use std::fs;
use std::process::Command;

use appliance_drive::filesystem::{FilesystemError, superblock};
use appliance_drive::inspect::{Content, Sample, probe, sample};
use appliance_drive::luks::{LuksError, Overwrite, header_backup, header_restore, info};
use libcryptsetup_rs::consts::vals::EncryptionFormat;
use libcryptsetup_rs::{CryptInit, CryptParamsLuks2, CryptParamsLuks2Ref, Either};

use crate::drive::{Drive, keyslot_of, secret, write_at};

/// Where the data of a LUKS2 drive begins.
const DATA: u64 = 16 << 20;

/// A drive with data on it: encrypted, it is noise.
fn used() -> Drive {
    let drive = Drive::formatted();
    write_at(&drive.path, DATA, &noise(8 << 20));
    drive
}

/// As random as encrypted data looks.
fn noise(length: usize) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = vec![0; length];
    let mut random = fs::File::open("/dev/urandom").unwrap();
    random.read_exact(&mut bytes).unwrap();
    bytes
}

/// The first block of a disk that another system "initialised": a table without partitions.
fn master_boot_record() -> Vec<u8> {
    let mut block = vec![0; 512];
    block[440..444].copy_from_slice(&[0x12, 0x34, 0x56, 0x78]);
    block[510..].copy_from_slice(&[0x55, 0xaa]);
    block
}

/// A GPT without partitions at the start of a disk, as far as it reaches into a LUKS2 header.
fn guid_partition_table(sectors: u64) -> Vec<u8> {
    let mut table = master_boot_record();
    table[446..462].copy_from_slice(&[
        0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
    ]);
    table.resize(34 * 512, 0);
    let entries = crc32(&table[1024..], u32::MAX) ^ u32::MAX;
    let mut header = vec![0; 92];
    header[..16].copy_from_slice(b"EFI PART\x00\x00\x01\x00\x5c\x00\x00\x00");
    for (at, value) in [
        (24, 1),
        (32, sectors - 1),
        (40, 34),
        (48, sectors - 34),
        (56, 0x1234),
        (72, 2),
    ] {
        header[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
    }
    for (at, value) in [(80, 128), (84, 128), (88, entries)] {
        header[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
    }
    let sum = crc32(&header, u32::MAX) ^ u32::MAX;
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    table[512..604].copy_from_slice(&header);
    table
}

fn crc32(bytes: &[u8], start: u32) -> u32 {
    bytes.iter().fold(start, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[test]
fn a_drive_whose_first_mib_was_zeroed_shows_nothing_and_is_not_blank() {
    let drive = used();
    let backup = drive.file("header.img");
    header_backup(&drive.path, &backup).unwrap();
    write_at(&drive.path, 0, &vec![0; 1 << 20]);
    assert_eq!(probe(&drive.path), Content::Empty);
    assert_eq!(sample(&drive.path).unwrap().sample, Sample::Noise);

    header_restore(&drive.consented(), &backup, Overwrite::Anything).unwrap();
    assert_eq!(
        keyslot_of(&drive.path, &secret("correct horse")).unwrap(),
        0
    );
}

#[test]
fn a_drive_that_another_system_initialised_is_known_and_takes_its_header_back() {
    let drive = used();
    let backup = drive.file("header.img");
    header_backup(&drive.path, &backup).unwrap();
    let uuid = info(&drive.path).unwrap().uuid;
    write_at(&drive.path, 0, &master_boot_record());
    // Its second header is whole, and tells whose it is; libcryptsetup does not trust it alone.
    assert!(
        matches!(probe(&drive.path), Content::Luks { uuid: found, .. } if found == uuid),
        "{:?}",
        probe(&drive.path)
    );
    let error = info(&drive.path).unwrap_err();
    assert!(matches!(error, LuksError::NoHeader { .. }), "{error}");

    header_restore(&drive.consented(), &backup, Overwrite::SameDrive).unwrap();
    assert_eq!(
        keyslot_of(&drive.path, &secret("correct horse")).unwrap(),
        0
    );
}

#[test]
fn a_drive_under_a_guid_partition_table_shows_the_table_and_comes_back_whole() {
    let drive = used();
    let backup = drive.file("header.img");
    header_backup(&drive.path, &backup).unwrap();
    let uuid = info(&drive.path).unwrap().uuid;
    let sectors = fs::metadata(&drive.path).unwrap().len() / 512;
    write_at(&drive.path, 0, &guid_partition_table(sectors));
    assert_eq!(
        probe(&drive.path),
        Content::PartitionTable { kind: "gpt".into() }
    );
    assert!(info(&drive.path).is_err());

    header_restore(&drive.consented(), &backup, Overwrite::Anything).unwrap();
    assert!(matches!(probe(&drive.path), Content::Luks { uuid: found, .. } if found == uuid));
    assert_eq!(
        keyslot_of(&drive.path, &secret("correct horse")).unwrap(),
        0
    );
}

#[test]
fn a_drive_of_noise_is_told_as_noise() {
    let drive = Drive::blank();
    write_at(&drive.path, 0, &noise(64 << 20));
    assert_eq!(probe(&drive.path), Content::Empty);
    assert_eq!(sample(&drive.path).unwrap().sample, Sample::Noise);
}

#[test]
fn a_drive_of_luks1_and_one_of_small_sectors_are_named_as_what_they_are() {
    let drive = Drive::blank();
    let made = CryptInit::init(&drive.path)
        .unwrap()
        .context_handle()
        .format::<()>(
            EncryptionFormat::Luks1,
            ("aes", "xts-plain64"),
            None,
            Either::Right(32),
            None,
        );
    made.unwrap();
    let content = probe(&drive.path);
    assert!(
        matches!(content, Content::Luks { version: 1, .. }),
        "{content:?}"
    );
    assert_eq!(content.in_words(), "a LUKS1 encrypted drive");
    let info1 = info(&drive.path).unwrap();
    assert_eq!((info1.version, info1.sector_size), (1, 512));

    let drive = Drive::blank();
    let parameters = CryptParamsLuks2 {
        pbkdf: None,
        integrity: None,
        integrity_params: None,
        data_alignment: 0,
        data_device: None,
        sector_size: 512,
        label: None,
        subsystem: None,
    };
    let mut parameters: CryptParamsLuks2Ref<'_> = (&parameters).try_into().unwrap();
    CryptInit::init(&drive.path)
        .unwrap()
        .context_handle()
        .format(
            EncryptionFormat::Luks2,
            ("aes", "xts-plain64"),
            None,
            Either::Right(64),
            Some(&mut parameters),
        )
        .unwrap();
    let content = probe(&drive.path);
    assert!(
        matches!(content, Content::Luks { version: 2, .. }),
        "{content:?}"
    );
    assert_eq!(info(&drive.path).unwrap().sector_size, 512);
}

#[test]
fn lvm_and_btrfs_are_named_also_where_a_file_system_of_ours_should_be() {
    let lvm = Drive::blank();
    let mut label = [0_u8; 512];
    label[..8].copy_from_slice(b"LABELONE");
    label[8] = 1;
    label[20..32].copy_from_slice(b"\x20\x00\x00\x00LVM2 001");
    label[32..64].copy_from_slice(b"abcdef0123456789abcdef0123456789");
    let sum = crc32(&label[20..], 0xf597_a6cf);
    label[16..20].copy_from_slice(&sum.to_le_bytes());
    write_at(&lvm.path, 512, &label);
    assert_eq!(
        probe(&lvm.path),
        Content::Other {
            kind: "LVM2_member".into()
        }
    );
    let error = superblock(&lvm.path).unwrap_err();
    assert!(
        matches!(&error, FilesystemError::NotExt4 { holds, .. } if holds == "a physical volume of LVM"),
        "{error}"
    );

    let btrfs = Drive::blank();
    fs::File::options()
        .write(true)
        .open(&btrfs.path)
        .unwrap()
        .set_len(256 << 20)
        .unwrap();
    let made = Command::new("mkfs.btrfs")
        .arg("--quiet")
        .arg(&btrfs.path)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        println!("SKIPPED btrfs: there is no mkfs.btrfs");
        return;
    }
    let error = superblock(&btrfs.path).unwrap_err();
    assert!(error.to_string().contains("of the kind btrfs"), "{error}");
    assert_eq!(sample(&btrfs.path).unwrap().sample, Sample::Structured);
}
