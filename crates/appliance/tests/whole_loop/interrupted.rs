//! A recovery that is cut short at each thing that it does.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use tempfile::TempDir;

use crate::family::{Family, folder, lock};
use crate::faults::{Fault, Killed};
use crate::world::World;

/// After the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The same command is given at once.
    Again,
    /// The power was cut too, and the command is given once the box is up again.
    PowerCut,
}

/// Cuts a recovery short in every way at every thing it does on a box that `make` makes.
fn cut_everywhere(family: &Family, make: impl Fn(&TempDir) -> Rc<World>) -> usize {
    let temporary = folder();
    let world = make(&temporary);
    world.faults.plan(None);
    family
        .recover(&world, "sdb", &family.answers("sdb"))
        .unwrap();
    let asked = world.faults.asked();
    let mut tried = 0;
    let mut broken = Vec::new();
    for (number, what) in asked.iter().enumerate() {
        for fault in Fault::ALL {
            for then in [Then::Again, Then::PowerCut] {
                let killed = matches!(fault, Fault::KilledBefore | Fault::KilledAfter);
                if then == Then::PowerCut && !killed {
                    continue;
                }
                tried += 1;
                let temporary = folder();
                let world = make(&temporary);
                let cut = || cut(family, &world, (number, fault), then);
                if let Err(panic) = catch_unwind(AssertUnwindSafe(cut)) {
                    let why = panic.downcast_ref::<String>().cloned();
                    let why = why.unwrap_or_else(|| "it panicked".into());
                    broken.push(format!("{number} {what}, {fault:?}, {then:?}: {why}"));
                }
            }
        }
    }
    println!("{tried} cuts at {} operations", asked.len());
    assert!(
        broken.is_empty(),
        "{}:\n{}",
        broken.len(),
        broken.join("\n")
    );
    tried
}

/// Cuts it short once, and gives the same command again.
fn cut(family: &Family, world: &Rc<World>, at: (usize, Fault), then: Then) {
    world.faults.plan(Some(at));
    let script = family.answers("sdb");
    let first = catch_unwind(AssertUnwindSafe(|| family.recover(world, "sdb", &script)));
    world.faults.plan(None);
    let recovered = match first {
        // What failed was no more than a precaution.
        Ok(Ok(recovered)) if recovered.is_complete() => recovered,
        Ok(_) => family
            .recover(world, "sdb", &family.answers("sdb"))
            .unwrap(),
        Err(panic) if panic.is::<Killed>() => {
            if then == Then::PowerCut {
                world.cut_the_power();
            }
            family
                .recover(world, "sdb", &family.answers("sdb"))
                .unwrap()
        }
        Err(panic) => resume_unwind(panic),
    };
    family.assert_is_whole_on(world, "sdb", &recovered);
}

#[test]
fn a_recovery_cut_short_anywhere_is_completed_by_the_same_command() {
    let lost = folder();
    let family = Family::in_(lost.path());
    let tried = cut_everywhere(&family, |folder| {
        let world = World::new(folder.path());
        world.attach_blank("sdb");
        world
    });
    assert!(tried > 100, "{tried}");
}

#[test]
fn so_it_is_on_a_box_that_remembers_the_drive_before() {
    let lost = folder();
    let family = Family::in_(lost.path());
    let tried = cut_everywhere(&family, |folder| {
        let world = World::new(folder.path());
        world.attach_blank("sda");
        crate::family::create(&world, "sda");
        lock(&world);
        world.detach("sda");
        world.attach_blank("sdb");
        world
    });
    assert!(tried > 100, "{tried}");
}
