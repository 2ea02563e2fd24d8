//! Copies of a drive's header.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use appliance_drive::luks::{
    LuksError, Overwrite, add_key, change_key, header_backup, header_restore, info,
};

use crate::drive::{CHEAP, Drive, keyslot_of, opened, secret, write_at};

#[test]
fn a_header_backup_mends_a_destroyed_header() {
    let drive = Drive::formatted();
    let backup = drive.file("header.img");
    header_backup(&drive.path, &backup).unwrap();
    let mode = fs::metadata(&backup).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let uuid = info(&drive.path).unwrap().uuid;
    assert_eq!(info(&backup).unwrap().uuid, uuid);

    write_at(&drive.path, 0, &vec![0xa5; 16 << 20]);
    assert!(info(&drive.path).is_err());
    let error = header_restore(&drive.consented(), &backup, Overwrite::SameDrive).unwrap_err();
    assert!(
        matches!(
            error,
            LuksError::OtherHeader {
                on_device: None,
                ..
            }
        ),
        "{error}"
    );
    header_restore(&drive.consented(), &backup, Overwrite::Anything).unwrap();
    assert_eq!(info(&drive.path).unwrap().uuid, uuid);
    assert_eq!(
        keyslot_of(&drive.path, &secret("correct horse")).unwrap(),
        0
    );
}

#[test]
fn a_header_backup_replaces_an_older_one_and_leaves_nothing_beside() {
    let drive = Drive::formatted();
    let backup = drive.file("header.img");
    header_backup(&drive.path, &backup).unwrap();
    let first = opened(&drive, &secret("correct horse"));
    add_key(&drive.path, &first, &secret("b"), CHEAP).unwrap();
    header_backup(&drive.path, &backup).unwrap();
    assert_eq!(info(&backup).unwrap().keyslots.len(), 2);
    assert_eq!(fs::read_dir(drive.folder.path()).unwrap().count(), 2);
}

#[test]
fn restoring_brings_the_passphrases_of_the_backup_back() {
    let drive = Drive::formatted();
    let backup = drive.file("header.img");
    header_backup(&drive.path, &backup).unwrap();
    let old = secret("correct horse");
    change_key(&drive.path, &opened(&drive, &old), &secret("new"), CHEAP).unwrap();
    header_restore(&drive.consented(), &backup, Overwrite::SameDrive).unwrap();
    assert_eq!(
        keyslot_of(&drive.path, &secret("correct horse")).unwrap(),
        0
    );
    assert!(keyslot_of(&drive.path, &secret("new")).is_err());
}

#[test]
fn the_header_of_another_drive_is_refused_unless_told() {
    let ours = Drive::formatted();
    // libcryptsetup by itself would not put our header over one with a key of another length.
    for theirs in [Drive::formatted(), Drive::with_a_short_key()] {
        let backup = ours.file("header.img");
        header_backup(&ours.path, &backup).unwrap();
        let (our_uuid, their_uuid) = (
            info(&ours.path).unwrap().uuid,
            info(&theirs.path).unwrap().uuid,
        );
        let error = header_restore(&theirs.consented(), &backup, Overwrite::SameDrive).unwrap_err();
        assert!(
            matches!(
                error,
                LuksError::OtherHeader { on_device: Some(uuid), in_file, .. }
                    if uuid == their_uuid && in_file == our_uuid
            ),
            "{error}"
        );
        assert_eq!(info(&theirs.path).unwrap().uuid, their_uuid);
        header_restore(&theirs.consented(), &backup, Overwrite::Anything).unwrap();
        assert_eq!(info(&theirs.path).unwrap().uuid, our_uuid);
    }
}

#[test]
fn a_truncated_header_backup_is_refused_before_anything_is_written() {
    let drive = Drive::formatted();
    let backup = drive.file("header.img");
    header_backup(&drive.path, &backup).unwrap();
    for length in [0, 4096, 1 << 20] {
        let bytes = fs::read(&backup).unwrap();
        let cut = drive.file("cut.img");
        fs::write(&cut, &bytes[..length]).unwrap();
        let before = fs::read(&drive.path).unwrap();
        assert!(
            header_restore(&drive.consented(), &cut, Overwrite::Anything).is_err(),
            "{length} bytes"
        );
        assert!(before == fs::read(&drive.path).unwrap(), "{length} bytes");
    }
}
