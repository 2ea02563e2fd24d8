//! Making a drive.

use std::fs;
use std::path::Path;

use appliance_drive::cipher::Cipher;
use appliance_drive::inspect::{Content, probe};
use appliance_drive::luks::{
    Format, Keyslot, Limits, LuksError, add_key, format, info, mark_finished, open,
};
use appliance_drive::{FINISHED, LABEL, UNFINISHED};
use secrecy::SecretSlice;
use uuid::Uuid;

use crate::drive::{CHEAP, Drive, how, keyslot_of, opened, secret, write_at};

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
    format(&drive.consented(), &how, &old, &[]).unwrap();
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
        match format(
            &drive.consented(),
            &how(cipher),
            &secret("correct horse"),
            &[],
        ) {
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
    assert_eq!(
        format(&drive.consented(), &how, &secret("p"), &[]).unwrap(),
        uuid
    );
    assert_eq!(info(&drive.path).unwrap().uuid, uuid);
}

#[test]
fn formatting_again_leaves_nothing_of_the_creation_before() {
    let drive = Drive::formatted();
    let before = info(&drive.path).unwrap().uuid;
    let after = format(
        &drive.consented(),
        &how(Cipher::AesXts),
        &secret("new"),
        &[],
    )
    .unwrap();
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
    format(&drive.consented(), &how(Cipher::AesXts), &secret("p"), &[]).unwrap();
    assert!(matches!(probe(&drive.path), Content::Luks { .. }));
}

#[test]
fn a_device_too_small_for_a_header_is_refused_in_words() {
    let drive = Drive::blank();
    fs::File::create(&drive.path)
        .unwrap()
        .set_len(8 << 20)
        .unwrap();
    let error = format(&drive.consented(), &how(Cipher::AesXts), &secret("p"), &[]).unwrap_err();
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
    format(&drive.consented(), &how(Cipher::AesXts), &odd, &[]).unwrap();
    assert_eq!(keyslot_of(&drive.path, &odd).unwrap(), 0);
    let cut = SecretSlice::from(vec![0, 255, b'\n']);
    assert!(keyslot_of(&drive.path, &cut).is_err());
}
