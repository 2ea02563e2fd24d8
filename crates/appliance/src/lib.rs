//! The photo server as a library. It knows neither a command line nor a terminal: front ends
//! ask and show, through a [`Dialogue`], and every operation here takes its options, takes its
//! own lock, and returns a value that says what changed.
//!
//! Data flows one way: configuration → look → plan → steps → report. What is looked at and
//! changed outside this process stands behind three narrow interfaces, which tests replace:
//! [`drive::Disks`], [`appliance_services::Manager`] and [`immich::Photos`].

pub mod backup;
pub mod dialogue;
pub mod drive;
pub mod error;
#[cfg(test)]
mod every_key;
pub mod first_boot;
pub mod health;
pub mod immich;
pub mod locks;
pub mod memory;
pub mod paths;
pub mod recover;
pub mod remote;
pub mod setup;
mod size;

use std::cell::OnceCell;

use appliance_config::Settings;
use appliance_services::{Manager, Systemd};

pub use dialogue::Dialogue;
pub use error::{Error, FailureClass, Refused, Result};
pub use paths::Paths;

use drive::{Disks, LiveDisks};
use error::Context as _;
use immich::{LivePhotos, Photos};

/// The box, as every operation works with it.
pub struct Appliance {
    /// The configuration.
    pub settings: Settings,
    /// Where things lie.
    pub paths: Paths,
    dialogue: Box<dyn Dialogue>,
    disks: Box<dyn Disks>,
    photos: Box<dyn Photos>,
    manager: OnceCell<Box<dyn Manager>>,
}

impl Appliance {
    /// The machine that this process runs on. Nothing is looked at yet.
    pub fn live(settings: Settings, dialogue: Box<dyn Dialogue>) -> Self {
        Appliance {
            paths: Paths::live(&settings),
            disks: Box::new(LiveDisks::new()),
            photos: Box::new(LivePhotos::new(&settings)),
            manager: OnceCell::new(),
            settings,
            dialogue,
        }
    }

    /// A machine that is given: for tests, and for whoever reaches one in another way.
    pub fn with(
        settings: Settings,
        paths: Paths,
        dialogue: Box<dyn Dialogue>,
        disks: Box<dyn Disks>,
        photos: Box<dyn Photos>,
        manager: Box<dyn Manager>,
    ) -> Self {
        Appliance {
            settings,
            paths,
            dialogue,
            disks,
            photos,
            manager: OnceCell::from(manager),
        }
    }

    /// Who is talked with.
    pub fn dialogue(&self) -> &dyn Dialogue {
        self.dialogue.as_ref()
    }

    /// Block devices, LUKS, file systems and mounts.
    pub fn disks(&self) -> &dyn Disks {
        self.disks.as_ref()
    }

    /// Immich's database and its server.
    pub fn photos(&self) -> &dyn Photos {
        self.photos.as_ref()
    }

    /// The service manager, connected on first use.
    ///
    /// # Errors
    /// When systemd does not answer on its bus.
    pub fn manager(&self) -> Result<&dyn Manager> {
        if self.manager.get().is_none() {
            // Another value cannot have come in between: this type stays on one thread.
            let _ = self.manager.set(Box::new(Systemd::connect()?));
        }
        self.manager
            .get()
            .map(AsRef::as_ref)
            .context("cannot connect to systemd")
    }

    pub(crate) fn say(&self, line: impl AsRef<str>) {
        self.dialogue.say(line.as_ref());
    }

    pub(crate) fn warn(&self, line: impl AsRef<str>) {
        self.dialogue.warn(line.as_ref());
    }
}
