//! The locks. Each operation takes its own, for as long as it runs.

use std::time::Duration;

use appliance_files::{Lock, LockError};

use crate::{Appliance, Result};

/// Held by whoever changes the drive or the services.
const RUN: &str = "lock";
/// Held by whoever writes to or checks the repository.
const BACKUP: &str = "backup.lock";
/// Held by whoever changes the tailnet. Not the first one: a login waits for a person, and the
/// drive may have to be unlocked meanwhile.
const REMOTE: &str = "remote.lock";
/// How long a run that is at work is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

impl Appliance {
    /// Keeps other runs that change drive or services away until it is dropped. One that is at
    /// work is waited for: most often it clears away after a drive that was pulled out.
    pub(crate) fn exclusively(&self) -> Result<Lock> {
        if let Some(lock) = self.exclusively_unless_held()? {
            return Ok(lock);
        }
        self.say("Another run is in progress; waiting for it to finish …");
        Ok(self.acquire(RUN, Some(PATIENCE))?)
    }

    /// The same without waiting; `None` if another run is at work.
    pub(crate) fn exclusively_unless_held(&self) -> Result<Option<Lock>> {
        match self.acquire(RUN, None) {
            Err(LockError::Held { .. }) => Ok(None),
            other => Ok(Some(other?)),
        }
    }

    /// Keeps other backups and checks away until it is dropped.
    pub(crate) fn exclusively_for_backup(&self) -> Result<Lock> {
        Ok(self.acquire(BACKUP, None)?)
    }

    /// Keeps other changes of the tailnet away until it is dropped.
    pub(crate) fn exclusively_for_remote(&self) -> Result<Lock> {
        Ok(self.acquire(REMOTE, None)?)
    }

    fn acquire(&self, name: &str, wait: Option<Duration>) -> Result<Lock, LockError> {
        // It makes the folder, too.
        Lock::acquire(&self.paths.lock(name), wait)
    }
}
