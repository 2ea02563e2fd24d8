//! Adding, changing and removing what opens a drive.

use appliance_drive::cipher::Cipher;
use appliance_drive::luks::{
    Keyslot, LuksError, add_key, change_key, format, info, keyslot_of_another, remove_keyslot,
};

use crate::drive::{CHEAP, Drive, how, keyslot_of, opened, secret};

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

#[test]
fn every_keyslot_of_a_new_drive_opens_it_and_is_as_strong_as_the_first() {
    let drive = Drive::blank();
    let (passphrase, recovery) = (secret("correct horse"), secret("recovery key"));
    format(
        &drive.consented(),
        &how(Cipher::AesXts),
        &passphrase,
        &[&recovery],
    )
    .unwrap();
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
