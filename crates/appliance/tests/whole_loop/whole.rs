use std::fs;

use appliance::backup::run::Backup;
use appliance::dialogue::{Heard, Script};
use appliance::drive::lock::Locked;

use crate::family::{Family, PASSPHRASE, back_up, folder, lock, unlock};
use crate::world::{World, files_below};

#[test]
fn a_family_loses_its_box_and_its_drive_and_everything_comes_back() {
    let folder = folder();
    let family = Family::in_(folder.path());
    let world = &family.world;
    assert!(family.files.len() > 10, "{}", family.files.len());
    family.assert_is_served(world);

    assert!(matches!(
        lock(world),
        Locked::Now {
            encrypted: true,
            ..
        }
    ));
    assert_eq!(files_below(&world.paths.mount_point).len(), 0);
    let unlocked = unlock(world, PASSPHRASE).unwrap();
    assert!(unlocked.changed && unlocked.started.unwrap().changed);
    family.assert_is_served(world);
    // What was kept on paper opens it too.
    lock(world);
    unlock(world, &family.recovery_key).unwrap();
    lock(world);
    world.detach("sda");

    let other = World::new(&folder.path().join("other box"));
    other.attach_blank("sdb");
    let script = family.answers("sdb");
    let recovered = family.recover(&other, "sdb", &script).unwrap();
    family.assert_is_whole_on(&other, "sdb", &recovered);
    assert_eq!(
        recovered.repository,
        family.repository.display().to_string()
    );
    assert_eq!(script.kept().len(), 1, "the new drive's recovery key");
    let heard = script.heard();
    assert!(heard.contains(&Heard::Consented("sdb".into())));
    assert!(
        !heard.iter().any(|heard| matches!(heard, Heard::Warned(_))),
        "{heard:?}"
    );
    assert!(matches!(back_up(&other, Some(1)), Ok(Backup::Made(_))));
    lock(&other);
    unlock(&other, &script.kept()[0]).unwrap();
}

#[test]
fn a_box_whose_drive_died_recovers_onto_another_drive() {
    let folder = folder();
    let family = Family::in_(folder.path());
    lock(&family.world);
    family.world.detach("sda");
    family.world.attach_blank("sdb");
    let script = family.answers("sdb");
    let recovered = family.recover(&family.world, "sdb", &script).unwrap();
    family.assert_is_whole_on(&family.world, "sdb", &recovered);
}

#[test]
fn lock_stops_units_in_reverse_order_and_a_drive_locked_twice_is_locked() {
    let folder = folder();
    let family = Family::in_(folder.path());
    let world = &family.world;
    let before = world.manager.log().len();
    assert!(matches!(
        lock(world),
        Locked::Now {
            encrypted: true,
            ..
        }
    ));
    let log: Vec<String> = world.manager.log().split_off(before);
    let services = &world.settings.services;
    let units = services.units.iter().rev();
    let mut expected: Vec<String> = [&services.target]
        .into_iter()
        .chain(units)
        .map(|unit| format!("stop {unit}"))
        .collect();
    let drive = world.with_disk("sda", |disk| disk.uuid());
    let binding = appliance_drive::mount::binding(&world.paths.mount_point, drive);
    expected.push(format!("stop {}", binding.target));
    assert_eq!(log, expected);

    assert_eq!(lock(world), Locked::Already);
    assert_eq!(world.manager.log().len(), before + expected.len());
    let appliance = world.appliance(&Script::default());
    assert_eq!(appliance.observe(None).unwrap().word(), "locked");
    assert!(!world.paths.postgresql_environment().exists());
    assert_eq!(fs::read_dir(&world.paths.mount_point).unwrap().count(), 0);
}
