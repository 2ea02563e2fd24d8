//! The client against a mock systemd on a private, real D-Bus.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use appliance_services::{
    ActiveState, JobResult, LoadState, Manager, Outcome, ServiceError, Systemd,
};
use zbus::object_server::SignalEmitter;
use zbus::{Connection, DBusError, ObjectPath, OwnedObjectPath, block_on, connection, interface};

const MINUTE: Duration = Duration::from_secs(60);
const ROOT: &str = "/org/freedesktop/systemd1";
const JOB: &str = "/org/freedesktop/systemd1/job/7";

/// A bus of its own, ended with the test.
struct Bus {
    daemon: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Bus {
    /// `None` where there is no dbus-daemon.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>session</type><listen>unix:dir={}</listen><auth>EXTERNAL</auth>\
             <policy context='default'><allow send_destination='*'/><allow own='*'/>\
             <allow receive_sender='*'/></policy></busconfig>",
            folder.path().display()
        );
        std::fs::write(&config, text).unwrap();
        let started = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn();
        let mut daemon = match started {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("skipped: there is no dbus-daemon on this machine");
                return None;
            }
            other => other.unwrap(),
        };
        let mut address = String::new();
        let printed = daemon.stdout.take().unwrap();
        BufReader::new(printed).read_line(&mut address).unwrap();
        Some(Self {
            daemon,
            address: address.trim().to_owned(),
            _folder: folder,
        })
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}

#[derive(Debug, DBusError)]
#[zbus(prefix = "org.freedesktop.systemd1")]
enum Refusal {
    #[zbus(error)]
    ZBus(zbus::Error),
    NoSuchUnit(String),
    UnitMasked(String),
}

/// As in `ListUnitsByNames`.
type Entry = (
    String,
    String,
    String,
    String,
    String,
    String,
    OwnedObjectPath,
    u32,
    String,
    OwnedObjectPath,
);

/// Answers as systemd does; what a job comes to depends on the unit's name.
struct MockManager {
    /// Each unit's load and active state.
    units: HashMap<&'static str, (&'static str, &'static str)>,
    kept: Vec<String>,
    job_results: HashMap<&'static str, &'static str>,
}

#[interface(name = "org.freedesktop.systemd1.Manager")]
impl MockManager {
    fn ref_unit(&mut self, name: &str) -> Result<(), Refusal> {
        self.kept.push(name.to_owned());
        match name {
            "absent.service" => Err(Refusal::NoSuchUnit("Unit absent.service not found.".into())),
            _ => Ok(()),
        }
    }

    fn list_units_by_names(&self, names: Vec<String>) -> Vec<Entry> {
        let valid = names.into_iter().filter(|name| name.contains('.'));
        valid
            .map(|name| {
                let known = self.units.get(name.as_str());
                let (load, active) = known.copied().unwrap_or(("not-found", "inactive"));
                let [load, active, sub] = [load, active, "dead"].map(String::from);
                let (unit, job) = (unit_path(&name), ROOT.try_into().unwrap());
                let text = String::new;
                (
                    name,
                    text(),
                    load,
                    active,
                    sub,
                    text(),
                    unit,
                    0,
                    text(),
                    job,
                )
            })
            .collect()
    }

    fn load_unit(&self, name: &str) -> OwnedObjectPath {
        assert!(
            self.kept.iter().any(|kept| kept == name),
            "a unit is kept before it is asked for anything, or systemd loads it each time"
        );
        unit_path(name)
    }

    async fn start_unit(
        &self,
        name: &str,
        mode: &str,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<OwnedObjectPath, Refusal> {
        assert_eq!(mode, "replace");
        match name {
            "absent.service" | "bound.service" => {
                let missing = name.replace("bound.service", "mnt.mount");
                return Err(Refusal::NoSuchUnit(format!("Unit {missing} not found.")));
            }
            "masked.service" => return Err(Refusal::UnitMasked("Unit is masked.".into())),
            _ => {}
        }
        let job = ObjectPath::from_static_str(JOB)?;
        // Another unit's job ends first; and this one's before the answer to the request.
        let other = ObjectPath::from_static_str("/org/freedesktop/systemd1/job/6")?;
        Self::job_removed(&emitter, 6, other, "other.service", "failed").await?;
        if let Some(result) = self.job_results.get(name) {
            Self::job_removed(&emitter, 7, job.clone(), name, result).await?;
        }
        Ok(job.into())
    }

    async fn stop_unit(
        &self,
        name: &str,
        mode: &str,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<OwnedObjectPath, Refusal> {
        self.start_unit(name, mode, emitter).await
    }

    fn reset_failed_unit(&self, _name: &str) {}

    fn list_jobs(
        &self,
    ) -> Vec<(
        u32,
        String,
        String,
        String,
        OwnedObjectPath,
        OwnedObjectPath,
    )> {
        let (job, unit) = (JOB.try_into().unwrap(), unit_path("slow.service"));
        let texts = ["slow.service", "start", "running"].map(String::from);
        let [name, kind, state] = texts;
        vec![(7, name, kind, state, job, unit)]
    }

    #[zbus(signal)]
    async fn job_removed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        job: ObjectPath<'_>,
        unit: &str,
        result: &str,
    ) -> zbus::Result<()>;
}

fn unit_path(name: &str) -> OwnedObjectPath {
    format!("{ROOT}/unit/{}", name.replace(['.', '-'], "_"))
        .try_into()
        .unwrap()
}

struct MockUnit {
    condition: bool,
}

#[interface(name = "org.freedesktop.systemd1.Unit")]
impl MockUnit {
    #[zbus(property)]
    fn condition_result(&self) -> bool {
        self.condition
    }
    #[zbus(property, name = "InvocationID")]
    fn invocation_id(&self) -> Vec<u8> {
        vec![0x00, 0xff]
    }
}

struct MockService;

#[interface(name = "org.freedesktop.systemd1.Service")]
impl MockService {
    #[zbus(property)]
    fn result(&self) -> &str {
        "exit-code"
    }
}

struct MockTimer;

#[interface(name = "org.freedesktop.systemd1.Timer")]
impl MockTimer {
    #[zbus(property, name = "NextElapseUSecRealtime")]
    fn next_elapse_realtime(&self) -> u64 {
        1_795_000_000_000_000
    }
    #[zbus(property, name = "NextElapseUSecMonotonic")]
    fn next_elapse_monotonic(&self) -> u64 {
        u64::MAX
    }
    #[zbus(property, name = "LastTriggerUSec")]
    fn last_trigger(&self) -> u64 {
        0
    }
}

async fn serve(address: &str) -> zbus::Result<Connection> {
    let manager = MockManager {
        units: HashMap::from([
            ("good.service", ("loaded", "active")),
            ("locked.service", ("loaded", "inactive")),
            ("backup.timer", ("loaded", "active")),
        ]),
        kept: Vec::new(),
        job_results: HashMap::from([
            ("good.service", "done"),
            ("bad.service", "failed"),
            ("dependent.service", "dependency"),
            ("locked.service", "done"),
            ("choosy.service", "skipped"),
        ]),
    };
    let unit = |condition| MockUnit { condition };
    connection::Builder::address(address)
        .serve_at(ROOT, manager)
        .serve_at(unit_path("good.service"), unit(true))
        .serve_at(unit_path("good.service"), MockService)
        .serve_at(unit_path("locked.service"), unit(false))
        .serve_at(unit_path("locked.service"), MockService)
        .serve_at(unit_path("absent.service"), unit(false))
        .serve_at(unit_path("backup.timer"), MockTimer)
        .name("org.freedesktop.systemd1")
        .build()
        .await
}

/// Runs a check against the mock, or says why not.
fn with_mock(check: impl FnOnce(&Systemd)) {
    if let Some(bus) = Bus::start() {
        let mock = block_on(serve(&bus.address)).unwrap();
        check(&Systemd::connect_to(&bus.address).unwrap());
        drop(mock);
    }
}

#[test]
fn a_job_that_ends_before_the_answer_is_not_missed() {
    with_mock(|systemd| {
        assert_eq!(
            systemd.start("good.service", MINUTE).unwrap(),
            Outcome::Done
        );
        systemd.stop("good.service", MINUTE).unwrap();
    });
}

#[test]
fn a_job_that_fails_is_told_with_its_unit_and_result() {
    with_mock(|systemd| {
        let error = systemd.start("bad.service", MINUTE).unwrap_err();
        assert_eq!(error.to_string(), "cannot start bad.service: it failed");
        let error = systemd.start("dependent.service", MINUTE).unwrap_err();
        assert!(matches!(
            error,
            ServiceError::Job {
                result: JobResult::Dependency,
                ..
            }
        ));
    });
}

#[test]
fn a_unit_whose_condition_does_not_hold_is_skipped_not_started() {
    with_mock(|systemd| {
        for unit in ["locked.service", "choosy.service"] {
            assert_eq!(
                systemd.start(unit, MINUTE).unwrap(),
                Outcome::Skipped,
                "{unit}"
            );
        }
    });
}

#[test]
fn a_unit_that_is_not_installed_is_told_from_one_that_is_refused() {
    with_mock(|systemd| {
        let error = systemd.start("absent.service", MINUTE).unwrap_err();
        assert!(matches!(error, ServiceError::NoSuchUnit { .. }));
        let error = systemd.start("bound.service", MINUTE).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot start bound.service: systemd says: Unit mnt.mount not found."
        );
        let error = systemd.start("masked.service", MINUTE).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot start masked.service: systemd says: Unit is masked."
        );
    });
}

#[test]
fn a_job_that_takes_too_long_is_given_up() {
    with_mock(|systemd| {
        let error = systemd
            .start("slow.service", Duration::from_millis(1))
            .unwrap_err();
        assert!(matches!(error, ServiceError::TimedOut { .. }), "{error}");
        systemd.start_no_wait("slow.service").unwrap();
        systemd.stop_no_wait("slow.service").unwrap();
        let jobs = systemd.jobs().unwrap();
        assert_eq!(
            (jobs[0].unit.as_str(), jobs[0].is_running),
            ("slow.service", true)
        );
    });
}

#[test]
fn a_units_state_is_read() {
    with_mock(|systemd| {
        let good = systemd.unit("good.service").unwrap();
        assert!(good.state.is_active());
        assert_eq!(good.result, "exit-code");
        assert_eq!(good.invocation.as_deref(), Some("00ff"));
        let absent = systemd.unit("absent.service").unwrap().state;
        assert_eq!(
            (absent.load, absent.active),
            (LoadState::NotFound, ActiveState::Inactive)
        );
    });
}

#[test]
fn the_states_of_many_units_come_in_the_order_they_were_asked_for() {
    with_mock(|systemd| {
        let names = ["locked.service", "absent.service", "good.service"];
        let states = systemd.states(&names).unwrap();
        assert!(states.iter().map(|state| &*state.name).eq(names));
        assert!(
            states
                .iter()
                .map(|state| state.is_active())
                .eq([false, false, true])
        );
        assert_eq!(states[1].load, LoadState::NotFound);
        assert_eq!(states[0].sub, "dead");
        let error = systemd.states(&["good.service", "good"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot inspect good.service, good: systemd says: not the name of a unit"
        );
    });
}

#[test]
fn a_timers_next_and_last_time_are_read_and_never_is_none() {
    with_mock(|systemd| {
        let timer = systemd.timer("backup.timer").unwrap();
        assert_eq!(timer.next.unwrap().as_second(), 1_795_000_000);
        assert_eq!((timer.last, timer.active), (None, ActiveState::Active));
    });
}

#[test]
fn requests_without_a_job_are_taken() {
    with_mock(|systemd| {
        systemd.reset_failed("good.service").unwrap();
    });
}

#[test]
fn a_bus_that_is_not_there_is_an_error() {
    let error = Systemd::connect_to("unix:path=/absent/bus").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot reach systemd over the system bus"
    );
}
