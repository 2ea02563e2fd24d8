//! What every command works with: the settings, and the way to talk.

use appliance::Appliance;
use appliance_config::Settings;
use appliance_terminal::Ui;
use tracing_subscriber::EnvFilter;

use crate::answers::Answers;
use crate::cli::Global;
use crate::person::Person;

/// One run of the tool.
pub struct Run {
    /// The configuration.
    pub settings: Settings,
    /// The way to talk.
    pub ui: Ui,
}

impl Run {
    /// Reads the configuration and sets up logging.
    pub fn load(global: &Global) -> anyhow::Result<Self> {
        log_to_stderr(global.verbose);
        Ok(Run {
            settings: Settings::load(global.config.as_deref())?,
            ui: Ui::new(global.no_input, global.json),
        })
    }

    /// This box, talking with the person at the terminal.
    pub fn appliance(&self) -> Appliance {
        self.answered(Answers::default())
    }

    /// The same, with answers that were given on the command line.
    pub fn answered(&self, answers: Answers) -> Appliance {
        let person = Person::new(self.ui, answers);
        Appliance::live(self.settings.clone(), Box::new(person))
    }
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    // rustic_core warns of each file it skips; the report lists them better.
    let filter = EnvFilter::new(format!("{level},rustic_core=error"));
    // Only the first call of a process sets the subscriber, and there is only one.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(verbose > 1)
        .without_time()
        .try_init();
}
