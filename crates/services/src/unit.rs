use std::fmt;

use jiff::Timestamp;

/// What is done with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop it if it runs, then start it.
    Restart,
    /// Forget that it failed.
    ResetFailed,
    /// Read its state.
    Inspect,
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::ResetFailed => "reset the failure of",
            Self::Inspect => "inspect",
        })
    }
}

/// How a job ended, in systemd's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobResult {
    /// Well.
    Done,
    /// Another request took its place.
    Canceled,
    /// Its own time limit ran out.
    Timeout,
    /// The unit failed.
    Failed,
    /// A unit that it requires failed.
    Dependency,
    /// The unit skipped itself (`ExecCondition=`), or had nothing to do.
    Skipped,
    /// An assertion in its unit file (`Assert…=`) does not hold.
    Assert,
    /// Any other result, in systemd's word.
    Other(String),
}

impl From<&str> for JobResult {
    fn from(word: &str) -> Self {
        match word {
            "done" => Self::Done,
            "canceled" => Self::Canceled,
            "timeout" => Self::Timeout,
            "failed" => Self::Failed,
            "dependency" => Self::Dependency,
            "skipped" => Self::Skipped,
            "assert" => Self::Assert,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for JobResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Done => "it is done",
            Self::Canceled => "another request took its place",
            Self::Timeout => "its time ran out",
            Self::Failed => "it failed",
            Self::Dependency => "a unit that it requires failed",
            Self::Skipped => "it skipped itself",
            Self::Assert => "an assertion in its unit file does not hold (is the drive mounted?)",
            Self::Other(word) => return write!(formatter, "it ended as {word:?}"),
        })
    }
}

/// Whether a unit's file was found and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadState {
    /// It is there.
    Loaded,
    /// There is no such unit.
    NotFound,
    /// It was made unstartable.
    Masked,
    /// Any other state, in systemd's word.
    Other(String),
}

impl From<&str> for LoadState {
    fn from(word: &str) -> Self {
        match word {
            "loaded" => Self::Loaded,
            "not-found" => Self::NotFound,
            "masked" => Self::Masked,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Whether a unit runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActiveState {
    /// It runs, or is done and stays so.
    Active,
    /// It runs and reads its configuration again.
    Reloading,
    /// It does not run.
    Inactive,
    /// It does not run because it failed.
    Failed,
    /// It is starting.
    Activating,
    /// It is stopping.
    Deactivating,
    /// Any other state, in systemd's word.
    Other(String),
}

impl From<&str> for ActiveState {
    fn from(word: &str) -> Self {
        match word {
            "active" => Self::Active,
            "reloading" | "refreshing" => Self::Reloading,
            "inactive" => Self::Inactive,
            "failed" => Self::Failed,
            "activating" => Self::Activating,
            "deactivating" => Self::Deactivating,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl ActiveState {
    /// systemd's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "active",
            Self::Reloading => "reloading",
            Self::Inactive => "inactive",
            Self::Failed => "failed",
            Self::Activating => "activating",
            Self::Deactivating => "deactivating",
            Self::Other(word) => word,
        }
    }

    /// Whether nothing of it is left running.
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Inactive | Self::Failed)
    }
}

impl fmt::Display for ActiveState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Whether a unit is there, and runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// Its name.
    pub name: String,
    /// Whether its file was found.
    pub load: LoadState,
    /// Whether it runs.
    pub active: ActiveState,
    /// The same in finer terms: "running", "exited", "auto-restart", …
    pub sub: String,
}

impl UnitState {
    /// Whether it runs or is done and stays so.
    pub fn is_active(&self) -> bool {
        matches!(self.active, ActiveState::Active | ActiveState::Reloading)
    }
}

/// All that is asked about a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitStatus {
    /// Whether it is there, and runs.
    pub state: UnitState,
    /// How a service ended: "success", "exit-code", "oom-kill", …; empty for other units.
    pub result: String,
    /// Whether its conditions held when it was last started; false also before.
    pub condition_met: bool,
    /// The id of its current or last run, as the log knows it.
    pub invocation: Option<String>,
}

/// The state of a timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerStatus {
    /// Whether it runs.
    pub active: ActiveState,
    /// When it next elapses.
    pub next: Option<Timestamp>,
    /// When it last started its unit.
    pub last: Option<Timestamp>,
}

/// Something that systemd is doing or is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: u32,
    /// The unit it is about.
    pub unit: String,
    /// "start", "stop", "restart", …
    pub kind: String,
    /// Whether it is under way, or still waits for others.
    pub is_running: bool,
}
