//! The exit codes, where they mean the same those of `immich-appliance`.

use serde::Serialize;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Something failed; the text says what.
    Failed = 1,
    /// The command line or the settings are wrong.
    Usage = 2,
    /// There is no such device.
    DeviceNotFound = 4,
    /// The card does not take writes.
    ReadOnlyDevice = 8,
    /// Not done for safety's sake.
    Refused = 9,
    /// The image is damaged, or not what was released.
    NotReleased = 12,
    /// The card is faulty, or holds something else.
    FaultyCard = 13,
}

impl Exit {
    /// Every exit code, in order.
    pub const ALL: [Exit; 8] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::DeviceNotFound,
        Exit::ReadOnlyDevice,
        Exit::Refused,
        Exit::NotReleased,
        Exit::FaultyCard,
    ];

    /// The number the process exits with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// One sentence for the docs.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "Done.",
            Exit::Failed => "Something failed; the error says what.",
            Exit::Usage => "The command line or the settings are wrong.",
            Exit::DeviceNotFound => "There is no such device.",
            Exit::ReadOnlyDevice => "The card does not take writes.",
            Exit::Refused => {
                "Not done for safety's sake: consent is missing, or the device must not be \
                 overwritten."
            }
            Exit::NotReleased => "The image is damaged, or not what was released.",
            Exit::FaultyCard => "The card is faulty, or holds something else than the image.",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn help_lists_every_code() {
        let help = crate::cli::Cli::command().render_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for exit in Exit::ALL {
            assert!(help.contains(&format!("{} ", exit.code())), "{exit:?}");
        }
    }

    #[test]
    fn the_command_line_holds_together() {
        crate::cli::Cli::command().debug_assert();
    }
}
