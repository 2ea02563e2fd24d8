//! Real LUKS2 headers on sparse files. Mappings need a device mapper and are tested in the
//! virtual appliance.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use appliance_drive::cipher::Cipher;
use appliance_drive::inspect::{Content, probe};
use appliance_drive::luks::{
    Format, Keyslot, Limits, LuksError, Opened, Overwrite, add_key, change_key, format,
    header_backup, header_restore, info, keyslot_of_another, mark_finished, open, remove_keyslot,
};
use appliance_drive::{FINISHED, LABEL, UNFINISHED};
use libcryptsetup_rs::consts::vals::EncryptionFormat;
use libcryptsetup_rs::{CryptInit, Either};
use secrecy::SecretSlice;
use tempfile::TempDir;
use uuid::Uuid;

/// As cheap as Argon2 allows: these tests are about the header, not about its strength.
const CHEAP: Limits = Limits {
    memory_kib: 1024,
    parallel: 1,
    time_ms: 0,
    passes: Some(4),
};

fn secret(text: &str) -> SecretSlice<u8> {
    SecretSlice::from(text.as_bytes().to_vec())
}

struct Drive {
    folder: TempDir,
    path: PathBuf,
}

impl Drive {
    fn blank() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("drive.img");
        fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
        Self { folder, path }
    }

    fn formatted() -> Self {
        let drive = Self::blank();
        format(
            &drive.path,
            &how(Cipher::AesXts),
            &secret("correct horse"),
            &[],
        )
        .unwrap();
        drive
    }

    /// A drive made elsewhere, with a key of 256 bits.
    fn with_a_short_key() -> Self {
        let drive = Self::blank();
        let path = drive.path.clone();
        let mut handle = CryptInit::init(&path).unwrap();
        handle
            .context_handle()
            .format::<()>(
                EncryptionFormat::Luks2,
                ("aes", "xts-plain64"),
                None,
                Either::Right(32),
                None,
            )
            .unwrap();
        drive
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn how(cipher: Cipher) -> Format {
    Format {
        cipher,
        limits: CHEAP,
        uuid: None,
    }
}

fn keyslot_of(device: &Path, passphrase: &SecretSlice<u8>) -> Result<u32, LuksError> {
    open(device, passphrase).map(|opened| opened.keyslot())
}

fn write_at(path: &Path, start: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(start)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn a_new_drive_is_marked_unfinished_until_it_is_finished() {
    let drive = Drive::formatted();
    let fresh = info(&drive.path).unwrap();
    assert!(fresh.unfinished());
    assert_eq!(
        probe(&drive.path),
        Content::Luks {
            version: 2,
            uuid: fresh.uuid,
            label: Some(LABEL.into()),
            subsystem: Some(UNFINISHED.into()),
        }
    );
    mark_finished(&drive.path).unwrap();
    let finished = info(&drive.path).unwrap();
    assert!(!finished.unfinished());
    assert_eq!(finished.label.as_deref(), Some(LABEL));
    assert_eq!(finished.subsystem.as_deref(), Some(FINISHED));
    assert_eq!(finished.uuid, fresh.uuid);
}

#[test]
fn a_keyslot_like_another_is_as_strong_and_needs_no_measuring() {
    let drive = Drive::blank();
    let seven = Limits {
        passes: Some(7),
        ..CHEAP
    };
    let how = Format {
        limits: seven,
        ..how(Cipher::AesXts)
    };
    let (old, new) = (secret("correct horse"), secret("battery staple"));
    format(&drive.path, &how, &old, &[]).unwrap();
    let first = info(&drive.path).unwrap().keyslots.remove(0);
    assert_eq!(first.iterations, 7);

    // Measured, these would become other numbers.
    let wanted = Limits {
        memory_kib: 2048,
        parallel: 2,
        time_ms: 1,
        passes: None,
    };
    let limits = wanted.as_measured_for(&first);
    let number = add_key(&drive.path, &opened(&drive, &old), &new, limits).unwrap();
    let second = info(&drive.path).unwrap().keyslots.remove(1);
    assert_eq!(second, Keyslot { number, ..first });
    assert_eq!(keyslot_of(&drive.path, &new).unwrap(), number);
}

#[test]
fn the_header_says_the_cipher_and_the_limits_asked_for() {
    for (cipher, bits) in [(Cipher::AesXts, 512), (Cipher::Adiantum, 256)] {
        let drive = Drive::blank();
        match format(&drive.path, &how(cipher), &secret("correct horse"), &[]) {
            Ok(_) => {}
            Err(LuksError::Failed { why, .. }) if cipher == Cipher::Adiantum => {
                eprintln!("skipped for {cipher}, which this kernel lacks: {why}");
                continue;
            }
            Err(error) => panic!("{error}"),
        }
        let info = info(&drive.path).unwrap();
        assert_eq!(info.version, 2);
        assert_eq!(info.cipher, cipher.specification());
        assert_eq!(info.key_bits, bits);
        assert_eq!(info.sector_size, 4096);
        assert_eq!(info.keyslots.len(), 1);
        let slot = &info.keyslots[0];
        assert_eq!(slot.kdf, "argon2id");
        assert!(slot.memory_kib <= CHEAP.memory_kib, "{slot:?}");
        assert_eq!(slot.parallel, 1);
        assert_eq!(info.memory_needed_kib(), u64::from(slot.memory_kib));
    }
}

#[test]
fn formatting_gives_the_uuid_asked_for() {
    let drive = Drive::blank();
    let uuid = Uuid::new_v4();
    let how = Format {
        uuid: Some(uuid),
        ..how(Cipher::AesXts)
    };
    assert_eq!(format(&drive.path, &how, &secret("p"), &[]).unwrap(), uuid);
    assert_eq!(info(&drive.path).unwrap().uuid, uuid);
}

#[test]
fn formatting_again_leaves_nothing_of_the_creation_before() {
    let drive = Drive::formatted();
    let before = info(&drive.path).unwrap().uuid;
    let after = format(&drive.path, &how(Cipher::AesXts), &secret("new"), &[]).unwrap();
    assert_ne!(before, after);
    let error = keyslot_of(&drive.path, &secret("correct horse")).unwrap_err();
    assert!(
        matches!(error, LuksError::WrongPassphrase { .. }),
        "{error}"
    );
    assert_eq!(keyslot_of(&drive.path, &secret("new")).unwrap(), 0);
}

#[test]
fn signatures_at_the_end_of_an_old_disk_do_not_contradict_the_new_header() {
    let drive = Drive::blank();
    // A RAID member of the old kind is recognised by a block near its end.
    let mut block = [0_u8; 4096];
    block[..12].copy_from_slice(&[0xfc, 0x4e, 0x2b, 0xa9, 0, 0, 0, 0, 90, 0, 0, 0]);
    write_at(&drive.path, (64 << 20) - (64 << 10), &block);
    assert!(
        matches!(probe(&drive.path), Content::Other { .. }),
        "{:?}",
        probe(&drive.path)
    );
    format(&drive.path, &how(Cipher::AesXts), &secret("p"), &[]).unwrap();
    assert!(matches!(probe(&drive.path), Content::Luks { .. }));
}

#[test]
fn a_device_too_small_for_a_header_is_refused_in_words() {
    let drive = Drive::blank();
    fs::File::create(&drive.path)
        .unwrap()
        .set_len(8 << 20)
        .unwrap();
    let error = format(&drive.path, &how(Cipher::AesXts), &secret("p"), &[]).unwrap_err();
    assert!(error.to_string().contains("header alone"), "{error}");
}

#[test]
fn a_wrong_passphrase_is_told_from_every_other_failure() {
    let drive = Drive::formatted();
    let error = keyslot_of(&drive.path, &secret("wrong")).unwrap_err();
    assert!(
        matches!(error, LuksError::WrongPassphrase { .. }),
        "{error}"
    );
    let error = open(&drive.path, &secret("wrong")).unwrap_err();
    assert!(
        matches!(error, LuksError::WrongPassphrase { .. }),
        "{error}"
    );
    assert_eq!(info(&drive.path).unwrap().keyslots.len(), 1);

    let blank = Drive::blank();
    let error = keyslot_of(&blank.path, &secret("any")).unwrap_err();
    assert!(matches!(error, LuksError::NoHeader { .. }), "{error}");
    let error = info(Path::new("/nonexistent/drive")).unwrap_err();
    assert!(matches!(error, LuksError::File { .. }), "{error}");
}

#[test]
fn a_passphrase_with_any_bytes_works() {
    let drive = Drive::blank();
    let odd = SecretSlice::from(vec![0, 255, b'\n', 0, 7]);
    format(&drive.path, &how(Cipher::AesXts), &odd, &[]).unwrap();
    assert_eq!(keyslot_of(&drive.path, &odd).unwrap(), 0);
    let cut = SecretSlice::from(vec![0, 255, b'\n']);
    assert!(keyslot_of(&drive.path, &cut).is_err());
}

#[test]
fn either_of_two_passphrases_opens_and_adds() {
    let drive = Drive::formatted();
    let recovery = secret("recovery key");
    let first = opened(&drive, &secret("correct horse"));
    let number = add_key(&drive.path, &first, &recovery, CHEAP).unwrap();
    assert_eq!(number, 1);
    assert_eq!(
        keyslot_of(&drive.path, &secret("correct horse")).unwrap(),
        0
    );
    assert_eq!(keyslot_of(&drive.path, &recovery).unwrap(), 1);
    assert_eq!(
        add_key(
            &drive.path,
            &opened(&drive, &recovery),
            &secret("third"),
            CHEAP
        )
        .unwrap(),
        2
    );
    assert_eq!(keyslot_of(&drive.path, &secret("third")).unwrap(), 2);
}

fn opened(drive: &Drive, passphrase: &SecretSlice<u8>) -> Opened {
    open(&drive.path, passphrase).unwrap()
}

#[test]
fn every_keyslot_of_a_new_drive_opens_it_and_is_as_strong_as_the_first() {
    let drive = Drive::blank();
    let (passphrase, recovery) = (secret("correct horse"), secret("recovery key"));
    format(&drive.path, &how(Cipher::AesXts), &passphrase, &[&recovery]).unwrap();
    assert_eq!(keyslot_of(&drive.path, &passphrase).unwrap(), 0);
    assert_eq!(keyslot_of(&drive.path, &recovery).unwrap(), 1);
    let keyslots = info(&drive.path).unwrap().keyslots;
    assert_eq!(
        keyslots[1],
        Keyslot {
            number: 1,
            ..keyslots[0].clone()
        }
    );
}

#[test]
fn a_passphrase_that_opens_already_is_found_in_whichever_keyslot() {
    let drive = Drive::formatted();
    let (first, second) = (secret("correct horse"), secret("second"));
    let by_first = opened(&drive, &first);
    assert_eq!(by_first.keyslot(), 0);
    add_key(&drive.path, &by_first, &second, CHEAP).unwrap();
    let by_second = opened(&drive, &second);
    assert_eq!(by_second.keyslot(), 1);
    for (known, other, keyslot) in [
        (&by_first, &first, Some(0)),
        (&by_first, &second, Some(1)),
        (&by_second, &first, Some(0)),
        (&by_second, &secret("third"), None),
    ] {
        assert_eq!(
            keyslot_of_another(&drive.path, known, other).unwrap(),
            keyslot
        );
    }
}

#[test]
fn neither_key_nor_passphrase_is_in_what_debugging_prints() {
    let drive = Drive::formatted();
    let printed = format!("{:?}", opened(&drive, &secret("correct horse")));
    assert_eq!(printed, "Opened(keyslot 0)");
}

#[test]
fn a_changed_passphrase_opens_and_the_old_one_does_not() {
    let drive = Drive::formatted();
    let (old, new) = (secret("correct horse"), secret("battery staple"));
    let number = change_key(&drive.path, &opened(&drive, &old), &new, CHEAP).unwrap();
    assert_eq!(keyslot_of(&drive.path, &new).unwrap(), number);
    assert!(keyslot_of(&drive.path, &old).is_err());
    assert_eq!(info(&drive.path).unwrap().keyslots.len(), 1);
}

#[test]
fn a_change_that_was_cut_short_is_completed_by_the_next() {
    let drive = Drive::formatted();
    let (old, new) = (secret("correct horse"), secret("battery staple"));
    // As far as the first run came.
    let added = add_key(&drive.path, &opened(&drive, &old), &new, CHEAP).unwrap();
    assert_eq!(
        change_key(&drive.path, &opened(&drive, &old), &new, CHEAP).unwrap(),
        added
    );
    assert_eq!(info(&drive.path).unwrap().keyslots.len(), 1);
}

#[test]
fn changing_a_passphrase_to_itself_locks_nobody_out() {
    let drive = Drive::formatted();
    let same = secret("correct horse");
    change_key(&drive.path, &opened(&drive, &same), &same, CHEAP).unwrap();
    assert_eq!(keyslot_of(&drive.path, &same).unwrap(), 0);
}

#[test]
fn the_last_keyslot_is_never_removed() {
    let drive = Drive::formatted();
    let first = opened(&drive, &secret("correct horse"));
    add_key(&drive.path, &first, &secret("b"), CHEAP).unwrap();
    remove_keyslot(&drive.path, 0).unwrap();
    let error = remove_keyslot(&drive.path, 1).unwrap_err();
    assert!(
        matches!(error, LuksError::LastKeyslot { keyslot: 1, .. }),
        "{error}"
    );
    assert_eq!(keyslot_of(&drive.path, &secret("b")).unwrap(), 1);
}

#[test]
fn an_empty_keyslot_is_not_there_to_be_removed() {
    let drive = Drive::formatted();
    for keyslot in [5, 32, u32::MAX] {
        let error = remove_keyslot(&drive.path, keyslot).unwrap_err();
        assert!(
            matches!(error, LuksError::NoSuchKeyslot { .. }),
            "{keyslot}: {error}"
        );
    }
}

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
    let error = header_restore(&drive.path, &backup, Overwrite::SameDrive).unwrap_err();
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
    header_restore(&drive.path, &backup, Overwrite::Anything).unwrap();
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
    header_restore(&drive.path, &backup, Overwrite::SameDrive).unwrap();
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
        let error = header_restore(&theirs.path, &backup, Overwrite::SameDrive).unwrap_err();
        assert!(
            matches!(
                error,
                LuksError::OtherHeader { on_device: Some(uuid), in_file, .. }
                    if uuid == their_uuid && in_file == our_uuid
            ),
            "{error}"
        );
        assert_eq!(info(&theirs.path).unwrap().uuid, their_uuid);
        header_restore(&theirs.path, &backup, Overwrite::Anything).unwrap();
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
            header_restore(&drive.path, &cut, Overwrite::Anything).is_err(),
            "{length} bytes"
        );
        assert!(before == fs::read(&drive.path).unwrap(), "{length} bytes");
    }
}

#[test]
fn libcryptsetup_may_be_called_from_many_threads() {
    let drive = Drive::formatted();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(
                    keyslot_of(&drive.path, &secret("correct horse")).unwrap(),
                    0
                )
            });
        }
    });
}
