//! Carrying it out: calls of the LocalAPI, one after another, on the thread of the caller.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

use crate::enroll::{self, EnrollStep, EnrollWish, LoginSign, LoginWatch};
use crate::localapi::{InitialNotify, LocalApi, PrefsEdit, ServeConfig, Why};
use crate::share::{self, Share};
use crate::standing::{Standing, TailnetState};
use crate::{Result, TailnetError};

/// How often it is looked whether something has failed for too long.
const LOOK: Duration = Duration::from_secs(1);
/// Someone else's change of the serve config is read again so often.
const TRIES: u32 = 4;

/// tailscaled on this machine.
///
/// Its calls block the thread, so they do not belong into an asynchronous task.
#[derive(Debug)]
pub struct Tailnet {
    api: LocalApi,
    runtime: Runtime,
}

/// What happens while it is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A person has to open this link, on any device.
    Link(String),
    /// An administrator of the tailnet has to approve this machine.
    NeedsApproval,
}

/// How an enrollment ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Enrollment {
    /// How the machine stands now.
    pub standing: Standing,
    /// Whether anything was changed.
    pub changed: bool,
}

/// Where Immich is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// What is typed into the app and the browser.
    pub url: String,
    /// Whether it is HTTPS.
    pub https: bool,
    /// Whether anything was changed.
    pub changed: bool,
}

impl Tailnet {
    /// Nothing is connected to before the first call.
    ///
    /// # Errors
    /// When the system has no room for the runtime.
    pub fn new(api: LocalApi) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(TailnetError::Runtime)?;
        Ok(Self { api, runtime })
    }

    /// How this machine stands.
    ///
    /// # Errors
    /// When tailscaled is not running or does not answer.
    pub fn standing(&self) -> Result<Standing> {
        self.runtime.block_on(self.stand())
    }

    /// Brings this machine into a tailnet, or to the settings asked for; waits up to `timeout`
    /// and tells what a person has to do meanwhile: `told` says whether to wait for it.
    ///
    /// # Errors
    /// See [`TailnetError`]: each way in which it can fail has its own.
    pub fn enroll(
        &self,
        wanted: &EnrollWish,
        auth_key: Option<&SecretString>,
        timeout: Duration,
        told: &mut dyn FnMut(Happening) -> bool,
    ) -> Result<Enrollment> {
        self.runtime
            .block_on(self.enter(wanted, auth_key, timeout, told))
    }

    /// Shares a web server of this machine with the tailnet, at the root of the machine's name.
    ///
    /// # Errors
    /// When the machine is not connected, has no name, or something else is served there.
    pub fn share(&self, target: &str) -> Result<Shared> {
        self.runtime.block_on(async {
            let standing = self.stand().await?;
            require_connected(&standing)?;
            let share = Share::of(&standing, target).ok_or_else(|| {
                TailnetError::Invalid(
                    "this machine has no name in its tailnet: MagicDNS is off".into(),
                )
            })?;
            let changed = self.edit(|config| share::add(config, &share)).await?;
            Ok(Shared {
                url: share.url(),
                https: share.https,
                changed,
            })
        })
    }

    /// Where a web server of this machine is shared, if it is.
    ///
    /// # Errors
    /// When tailscaled is not running or does not answer.
    pub fn shared(&self, target: &str) -> Result<Option<String>> {
        let (config, _) = self.runtime.block_on(self.api.serve_config())?;
        Ok(share::find(&config, target))
    }

    /// Takes a share back. Returns whether there was one.
    ///
    /// # Errors
    /// When tailscaled is not running or does not answer.
    pub fn unshare(&self, target: &str) -> Result<bool> {
        self.runtime
            .block_on(self.edit(|config| Ok(share::remove(config, target))))
    }

    /// Switches the connection off. The machine keeps its place in the tailnet. Returns whether
    /// it was on.
    ///
    /// # Errors
    /// When tailscaled is not running or does not answer.
    pub fn switch_off(&self) -> Result<bool> {
        self.runtime.block_on(async {
            let was_on = self.api.prefs().await?.want_running;
            if was_on {
                let edit = PrefsEdit {
                    want_running: Some(false),
                    ..PrefsEdit::default()
                };
                self.api.edit_prefs(&edit).await?;
            }
            Ok(was_on)
        })
    }

    /// Takes the machine out of its tailnet. Returns whether it was in one.
    ///
    /// # Errors
    /// When tailscaled is not running, or the control server does not answer.
    pub fn leave(&self) -> Result<bool> {
        self.runtime.block_on(async {
            if self.stand().await?.state == TailnetState::NotEnrolled {
                return Ok(false);
            }
            self.api.logout().await?;
            Ok(true)
        })
    }

    async fn stand(&self) -> Result<Standing> {
        let status = self.api.status().await?;
        let prefs = self.api.prefs().await?;
        Ok(Standing::of(&status, &prefs))
    }

    async fn enter(
        &self,
        wanted: &EnrollWish,
        auth_key: Option<&SecretString>,
        timeout: Duration,
        told: &mut dyn FnMut(Happening) -> bool,
    ) -> Result<Enrollment> {
        let standing = self.stand().await?;
        let steps = enroll::plan(&standing, wanted)?;
        if steps.is_empty() && standing.state == TailnetState::Connected {
            return Ok(Enrollment {
                standing,
                changed: false,
            });
        }
        let server = match (&standing.state, &wanted.server) {
            (TailnetState::NotEnrolled | TailnetState::LoginWaits { .. }, server) => {
                crate::standing::server(server.as_deref().unwrap_or_default())
            }
            _ => standing.server.clone(),
        };
        let settings_only = standing.state == TailnetState::Connected
            && matches!(steps.as_slice(), [EnrollStep::Set(_)]);
        let (before, after): (Vec<_>, Vec<_>) = steps
            .into_iter()
            .partition(|step| matches!(step, EnrollStep::Set(_) | EnrollStep::Start));
        for step in &before {
            self.take(step, auth_key).await?;
        }
        if !settings_only {
            // Listened to before the login begins, or its link could pass unheard; and after the
            // connection was started anew, or an old login's failure could be taken for this one's.
            let watch = LoginWatch::new(&server, auth_key.is_some());
            self.wait(watch, &after, auth_key, timeout, told).await?;
        }
        Ok(Enrollment {
            standing: self.stand().await?,
            changed: true,
        })
    }

    async fn take(&self, step: &EnrollStep, auth_key: Option<&SecretString>) -> Result<()> {
        match step {
            EnrollStep::Set(edit) => self.api.edit_prefs(edit).await.map(drop)?,
            EnrollStep::Start => self.api.start(auth_key).await?,
            EnrollStep::Run => {
                let edit = PrefsEdit {
                    want_running: Some(true),
                    ..PrefsEdit::default()
                };
                self.api.edit_prefs(&edit).await.map(drop)?;
            }
            EnrollStep::Login => self.api.login_interactive().await?,
        }
        Ok(())
    }

    async fn wait(
        &self,
        mut watch: LoginWatch,
        steps: &[EnrollStep],
        auth_key: Option<&SecretString>,
        timeout: Duration,
        told: &mut dyn FnMut(Happening) -> bool,
    ) -> Result<()> {
        let initial = InitialNotify {
            state: true,
            health: false,
        };
        let mut notifications = self.api.watch(initial).await?;
        for step in steps {
            self.take(step, auth_key).await?;
        }
        let begin = Instant::now();
        loop {
            let left = timeout.saturating_sub(begin.elapsed());
            if left.is_zero() {
                let health = self.api.status().await?.health;
                return Err(watch.timed_out(timeout, &health));
            }
            let next = tokio::time::timeout(left.min(LOOK), notifications.next()).await;
            let now = begin.elapsed();
            let seen = match next {
                Err(_) => LoginSign::Nothing,
                Ok(next) => match next? {
                    Some(notify) => watch.take(now, &notify),
                    None => {
                        return Err(TailnetError::LocalApi(crate::localapi::LocalApiError {
                            doing: "wait for it",
                            socket: self.api.socket().to_path_buf(),
                            why: Why::Broken("tailscaled ended".into()),
                        }));
                    }
                },
            };
            match seen {
                LoginSign::Connected => return Ok(()),
                LoginSign::Failed(error) => return Err(error),
                LoginSign::Link(link) => {
                    if !told(Happening::Link(link.clone())) {
                        return Err(TailnetError::PersonNeeded { link });
                    }
                }
                LoginSign::NeedsApproval => {
                    if !told(Happening::NeedsApproval) {
                        return Err(watch.timed_out(Duration::ZERO, &[]));
                    }
                }
                LoginSign::Nothing => {}
            }
            if let Some(error) = watch.overdue(now) {
                return Err(error);
            }
        }
    }

    /// Changes the serve config; made again when someone else changed it meanwhile.
    async fn edit(&self, mut change: impl FnMut(&mut ServeConfig) -> Result<bool>) -> Result<bool> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (mut config, etag) = self.api.serve_config().await?;
            if !change(&mut config)? {
                return Ok(false);
            }
            match self.api.set_serve_config(&config, &etag).await {
                Err(error) if matches!(error.why, Why::Changed) && tries < TRIES => {}
                done => return done.map(|()| true).map_err(TailnetError::from),
            }
        }
    }
}

fn require_connected(standing: &Standing) -> Result<()> {
    match standing.state {
        TailnetState::Connected | TailnetState::Connecting => Ok(()),
        TailnetState::Off => Err(TailnetError::Off),
        TailnetState::KeyExpired => Err(TailnetError::KeyExpired),
        TailnetState::NeedsApproval => Err(TailnetError::NeedsApproval {
            server: standing.server.clone(),
        }),
        TailnetState::NotEnrolled | TailnetState::LoginWaits { .. } => {
            Err(TailnetError::NotEnrolled)
        }
    }
}
