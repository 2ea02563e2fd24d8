use std::fs;

use appliance::FailureClass;
use appliance::dialogue::{Heard, Question, Script};
use appliance::drive::create::{self, CreateOptions};
use appliance::drive::unlock::{self, UnlockOptions};

use crate::family::{Family, NEW_DRIVE, PASSPHRASE, folder, lock};
use crate::world::World;

#[test]
fn a_wrong_passphrase_is_asked_for_again_as_often_as_allowed_and_then_named() {
    let folder = folder();
    let family = Family::in_(folder.path());
    let world = &family.world;
    lock(world);
    let tries = world.settings.drive.unlock_tries as usize;
    let unlock = |script: &Script| {
        let appliance = world.appliance(script);
        unlock::unlock(&appliance, &UnlockOptions::default())
    };
    let asked = |script: &Script| {
        let heard = script.heard();
        let asked = |heard: &&Heard| matches!(heard, Heard::Asked(Question::Passphrase { .. }));
        heard.iter().filter(asked).count()
    };
    let script = Script::default().secrets(vec!["wrong"; 10]);
    let error = unlock(&script).unwrap_err();
    assert_eq!(error.meaning().class, FailureClass::WrongPassphrase);
    assert_eq!(asked(&script), tries);
    assert!(world.stack.borrow().mapped.is_none());

    let wrong = vec!["wrong"; tries - 1];
    let script = Script::default().secrets(wrong).secrets([PASSPHRASE]);
    assert!(unlock(&script).unwrap().unwrap().changed);
    assert_eq!(asked(&script), tries);
}

#[test]
fn without_consent_nothing_is_touched() {
    let folder = folder();
    let world = World::new(&folder.path().join("box"));
    let device = world.attach_blank("sda");
    let old: Vec<u8> = (0..=255).cycle().take(64 << 10).collect();
    fs::write(&device, &old).unwrap();
    for typed in [&[][..], &["sdb"], &[""], &["yes"]] {
        let script = Script::default()
            .secrets([PASSPHRASE])
            .consents(typed.iter().copied());
        let options = CreateOptions {
            device: device.clone(),
            how: NEW_DRIVE,
        };
        let error = create::create(&world.appliance(&script), &options).unwrap_err();
        assert_eq!(error.meaning().class, FailureClass::Refused, "{typed:?}");
        assert_eq!(script.kept(), [] as [String; 0]);
    }
    assert_eq!(fs::read(&device).unwrap(), old);
    assert_eq!(world.faults.changed(), [] as [String; 0]);
    assert_eq!(world.manager.log(), [] as [String; 0]);
    assert!(!world.paths.state.exists(), "nothing is remembered");
}

#[test]
fn a_recovery_without_consent_or_with_a_wrong_password_touches_nothing() {
    let folder = folder();
    let family = Family::in_(folder.path());
    let other = World::new(&folder.path().join("other box"));
    let device = other.attach_blank("sdb");
    let blank = fs::read(&device).unwrap();
    let scripts = [
        (
            Script::default().secrets([&family.password, PASSPHRASE]),
            FailureClass::Refused,
        ),
        (
            Script::default()
                .secrets(["wrong", PASSPHRASE])
                .consents(["sdb"]),
            FailureClass::WrongPassphrase,
        ),
    ];
    for (script, class) in scripts {
        let error = family.recover(&other, "sdb", &script).unwrap_err();
        assert_eq!(error.meaning().class, class, "{error}");
    }
    assert_eq!(fs::read(&device).unwrap(), blank);
    assert_eq!(other.faults.changed(), [] as [String; 0]);
    assert_eq!(other.manager.log(), [] as [String; 0]);
}
