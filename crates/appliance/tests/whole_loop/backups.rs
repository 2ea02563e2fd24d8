use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use appliance::FailureClass;
use appliance::backup::init;
use appliance::backup::run::Backup;
use appliance::dialogue::Script;
use appliance::health;
use appliance_files::Document;
use jiff::{SignedDuration, Timestamp};

use crate::family::{Family, back_up, create, folder, lock, named, set_up_backup};
use crate::faults::Fault;
use crate::world::World;

#[test]
fn a_backup_while_a_recovery_is_unfinished_is_refused_and_is_no_good_backup() {
    let folder = folder();
    let family = Family::in_(folder.path());
    let snapshots = || {
        fs::read_dir(family.repository.join("snapshots"))
            .unwrap()
            .count()
    };
    let before = snapshots();

    let other = World::new(&folder.path().join("other box"));
    other.attach_blank("sdb");
    // First a rehearsal, to know the number of what is done at the restore of the database.
    let rehearsal = World::new(&folder.path().join("rehearsal"));
    rehearsal.attach_blank("sdb");
    rehearsal.faults.plan(None);
    let script = family.answers("sdb");
    family.recover(&rehearsal, "sdb", &script).unwrap();
    let asked = rehearsal.faults.asked();
    let restore = asked.iter().position(|asked| asked == "restore").unwrap();

    other.faults.plan(Some((restore, Fault::KilledBefore)));
    let script = family.answers("sdb");
    let killed = catch_unwind(AssertUnwindSafe(|| family.recover(&other, "sdb", &script)));
    assert!(killed.is_err());
    other.faults.plan(None);

    let error = back_up(&other, None).unwrap_err();
    assert_eq!(error.meaning().class, FailureClass::Refused);
    assert!(error.to_string().contains("not finished"), "{error}");
    assert!(error.meaning().help.unwrap().contains("recover --drive"));
    let memory = other.appliance(&Script::default()).memory().unwrap();
    assert!(
        memory
            .backups
            .iter()
            .all(|history| history.last_good.is_none())
    );
    assert_eq!(snapshots(), before);
    let condition = health::look(&other.appliance(&Script::default())).unwrap();
    assert!(condition.recovery.is_some() && condition.backup.last_good.is_none());

    let script = family.answers("sdb");
    let recovered = family.recover(&other, "sdb", &script).unwrap();
    family.assert_is_whole_on(&other, "sdb", &recovered);
}

#[test]
fn a_new_drive_or_another_repository_is_not_backed_up_by_an_old_success() {
    let folder = folder();
    let family = Family::in_(folder.path());
    let world = &family.world;
    let last_good = || {
        let condition = health::look(&world.appliance(&Script::default())).unwrap();
        condition.backup.last_good
    };
    assert!(last_good().is_some());

    set_up_backup(world, &folder.path().join("another repository"));
    assert_eq!(last_good(), None, "of another repository");
    let script = Script::default();
    init::init(&world.appliance(&script), &named(&family.repository)).unwrap();
    assert!(last_good().is_some());

    lock(world);
    assert!(last_good().is_some(), "the same drive, locked");
    world.detach("sda");
    world.attach_blank("sdb");
    create(world, "sdb");
    assert_eq!(last_good(), None, "of a drive without a repository");
    let script = Script::default().secrets([family.password.as_str()]);
    init::init(&world.appliance(&script), &named(&family.repository)).unwrap();
    assert_eq!(last_good(), None, "of another drive");
    lock(world);
    assert_eq!(last_good(), None, "of another drive, locked");
}

#[test]
fn a_last_good_backup_dated_in_the_future_is_of_any_age_so_one_is_made_now() {
    let folder = folder();
    let family = Family::in_(folder.path());
    let world = &family.world;
    let again = || back_up(world, Some(20)).unwrap();
    assert!(matches!(again(), Backup::YoungEnough { .. }));

    let appliance = world.appliance(&Script::default());
    let mut memory = appliance.memory().unwrap();
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    for history in &mut memory.backups {
        history.last_good.as_mut().unwrap().time = tomorrow;
    }
    Document::new(world.paths.memory(), "")
        .write(&memory)
        .unwrap();
    assert!(matches!(again(), Backup::Made(_)));
    assert!(matches!(again(), Backup::YoungEnough { .. }));
}
