//! Starting and stopping the appliance's units one after another.
//!
//! systemd would order them too, from one request for the target. Asked for one by one, each
//! error names the unit that failed, and a person sees which one takes its time.

use std::thread;
use std::time::{Duration, Instant};

use crate::{ActiveState, LoadState, Manager, Outcome, Result, ServiceError, UnitState, Verb};

/// How often a unit that becomes active by itself is looked at.
const POLL: Duration = Duration::from_millis(50);

/// One thing to be done with a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitStep {
    /// What.
    pub verb: Verb,
    /// With which unit.
    pub unit: String,
}

impl UnitStep {
    fn new(verb: Verb, unit: &UnitState) -> Self {
        let unit = unit.name.clone();
        Self { verb, unit }
    }
}

/// What starting takes: every unit that does not run, in the given order, its failure forgotten
/// first. Nothing when all run.
///
/// # Errors
/// When a unit is not installed; nothing was started then.
pub fn plan_start(units: &[UnitState]) -> Result<Vec<UnitStep>> {
    if let Some(absent) = units.iter().find(|unit| unit.load == LoadState::NotFound) {
        return Err(ServiceError::NoSuchUnit {
            verb: Verb::Start,
            unit: absent.name.clone(),
        });
    }
    let mut steps = Vec::new();
    for unit in units.iter().filter(|unit| !unit.is_active()) {
        if unit.active == ActiveState::Failed {
            steps.push(UnitStep::new(Verb::ResetFailed, unit));
        }
        steps.push(UnitStep::new(Verb::Start, unit));
    }
    Ok(steps)
}

/// What stopping takes: every unit that is not down, in the reverse of the given order. Nothing
/// when all are down.
pub fn plan_stop(units: &[UnitState]) -> Vec<UnitStep> {
    let up = units.iter().rev().filter(|unit| !unit.active.is_down());
    up.map(|unit| UnitStep::new(Verb::Stop, unit)).collect()
}

/// Waits until a unit is active that nobody has to start, such as a mount just made: systemd
/// hears of it a moment later. Gives whether it is.
///
/// # Errors
/// When systemd cannot be asked.
pub fn wait_until_active(manager: &dyn Manager, unit: &str, timeout: Duration) -> Result<bool> {
    let begun = Instant::now();
    loop {
        if manager.state(unit)?.is_active() {
            return Ok(true);
        }
        let left = timeout.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        thread::sleep(left.min(POLL));
    }
}

/// Starts these units in order, then the target that stands for them (if given). `before` is
/// told of each step first. Gives whether there was anything to do.
///
/// # Errors
/// At the first unit that does not start, also because a condition of its own does not hold, or
/// when all together take longer than `timeout`.
pub fn start_all(
    manager: &dyn Manager,
    units: &[String],
    target: Option<&str>,
    timeout: Duration,
    before: &mut dyn FnMut(&UnitStep),
) -> Result<bool> {
    carry_out(
        manager,
        &plan_start(&states(manager, units, target)?)?,
        timeout,
        before,
    )
}

/// Stops the target (if given) and these units, last one first. Those that are not installed
/// are passed over. `before` is told of each step first. Gives whether there was anything to do.
///
/// # Errors
/// At the first unit that does not stop, or when all together take longer than `timeout`.
pub fn stop_all(
    manager: &dyn Manager,
    units: &[String],
    target: Option<&str>,
    timeout: Duration,
    before: &mut dyn FnMut(&UnitStep),
) -> Result<bool> {
    carry_out(
        manager,
        &plan_stop(&states(manager, units, target)?),
        timeout,
        before,
    )
}

/// The units', and last the target's: last to start, so first to stop. Nothing is bound to it
/// then that would come back.
fn states(manager: &dyn Manager, units: &[String], target: Option<&str>) -> Result<Vec<UnitState>> {
    let names: Vec<&str> = units.iter().map(String::as_str).chain(target).collect();
    manager.states(&names)
}

/// Carries out a plan, all steps together within `timeout`. Gives whether there were any.
///
/// # Errors
/// At the first step that fails; the later ones are not tried.
pub fn carry_out(
    manager: &dyn Manager,
    steps: &[UnitStep],
    timeout: Duration,
    before: &mut dyn FnMut(&UnitStep),
) -> Result<bool> {
    let begun = Instant::now();
    for step in steps {
        before(step);
        let left = timeout.saturating_sub(begun.elapsed());
        let outcome = match step.verb {
            Verb::Stop => manager.stop(&step.unit, left).map(|()| Outcome::Done),
            Verb::ResetFailed => manager.reset_failed(&step.unit).map(|()| Outcome::Done),
            Verb::Restart => manager.restart(&step.unit, left),
            Verb::Start => manager.start(&step.unit, left),
            Verb::Inspect => Ok(Outcome::Done),
        };
        match outcome {
            Ok(Outcome::Done) => {}
            Ok(Outcome::Skipped) => {
                let unit = step.unit.clone();
                return Err(ServiceError::ConditionFailed { unit });
            }
            // It is the time for all of them that ran out.
            Err(ServiceError::TimedOut { verb, unit, .. }) => {
                let after = timeout;
                return Err(ServiceError::TimedOut { verb, unit, after });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(!steps.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JobResult;
    use crate::fake::FakeManager;

    const TARGET: &str = "immich-appliance.target";
    const MINUTE: Duration = Duration::from_secs(60);

    fn units() -> Vec<String> {
        ["postgresql.service", "redis.service", "immich.service"]
            .map(String::from)
            .into()
    }

    fn manager() -> FakeManager {
        let units = units();
        FakeManager::of(units.iter().map(String::as_str).chain([TARGET]))
    }

    fn start(manager: &FakeManager) -> Result<bool> {
        start_all(manager, &units(), Some(TARGET), MINUTE, &mut |_| {})
    }

    fn stop(manager: &FakeManager) -> Result<bool> {
        stop_all(manager, &units(), Some(TARGET), MINUTE, &mut |_| {})
    }

    #[test]
    fn units_start_in_order_and_the_target_last() {
        let manager = manager();
        assert!(start(&manager).unwrap());
        assert_eq!(
            manager.log(),
            [
                "start postgresql.service",
                "start redis.service",
                "start immich.service",
                "start immich-appliance.target",
            ]
        );
    }

    #[test]
    fn units_stop_in_the_reverse_order() {
        let manager = manager();
        start(&manager).unwrap();
        assert!(stop(&manager).unwrap());
        assert_eq!(
            manager.log()[4..],
            [
                "stop immich-appliance.target",
                "stop immich.service",
                "stop redis.service",
                "stop postgresql.service",
            ]
        );
    }

    #[test]
    fn what_is_done_already_is_not_done_again() {
        let manager = manager();
        assert!(!stop(&manager).unwrap());
        start(&manager).unwrap();
        let before = manager.log();
        assert!(!start(&manager).unwrap());
        assert_eq!(manager.log(), before);
    }

    #[test]
    fn a_unit_that_failed_before_is_reset_and_tried_again() {
        let manager = manager();
        start(&manager).unwrap();
        manager.set("redis.service", ActiveState::Failed);
        start(&manager).unwrap();
        assert_eq!(
            manager.log()[4..],
            ["reset the failure of redis.service", "start redis.service"]
        );
    }

    #[test]
    fn the_unit_that_fails_is_named_and_no_later_one_started() {
        let manager = manager();
        manager.fail("redis.service", JobResult::Failed);
        assert_eq!(
            start(&manager).unwrap_err().to_string(),
            "cannot start redis.service: it failed"
        );
        assert_eq!(manager.log().len(), 2);
    }

    #[test]
    fn a_unit_that_skips_itself_did_not_start() {
        let manager = manager();
        manager.skip("immich.service");
        assert!(matches!(
            start(&manager),
            Err(ServiceError::ConditionFailed { unit }) if unit == "immich.service"
        ));
    }

    #[test]
    fn nothing_is_started_when_a_unit_is_not_installed() {
        let manager = FakeManager::of(["postgresql.service", TARGET]);
        assert_eq!(
            start(&manager).unwrap_err().to_string(),
            "cannot start redis.service: there is no such unit on this machine"
        );
        assert_eq!(manager.log(), Vec::<String>::new());
    }

    #[test]
    fn a_unit_that_is_just_stopping_is_waited_for() {
        let manager = manager();
        manager.set("redis.service", ActiveState::Deactivating);
        assert!(stop(&manager).unwrap());
        assert_eq!(manager.log(), ["stop redis.service"]);
    }

    #[test]
    fn a_mount_that_is_there_is_not_waited_for_and_one_that_never_comes_not_for_ever() {
        let manager = FakeManager::of(["mnt.mount"]);
        assert!(!wait_until_active(&manager, "mnt.mount", Duration::ZERO).unwrap());
        manager.set("mnt.mount", ActiveState::Active);
        assert!(wait_until_active(&manager, "mnt.mount", Duration::ZERO).unwrap());
    }

    #[test]
    fn each_step_is_announced_before_it_is_done() {
        let manager = manager();
        let mut seen = Vec::new();
        start_all(&manager, &units(), None, MINUTE, &mut |step| {
            seen.push((step.unit.clone(), manager.log().len()));
        })
        .unwrap();
        let expected: Vec<_> = units().into_iter().zip(0..).collect();
        assert_eq!(seen, expected);
    }
}
