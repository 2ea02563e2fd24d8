//! The exit codes: few, named, documented in docs/reference/exit-codes.md.

use serde::Serialize;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Exit {
    /// Done, or already in the state that was asked for.
    Done = 0,
    /// Something failed; the text says what.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// No keyslot, or no repository key, opens with what was given.
    WrongPassphrase = 3,
    /// The drive is not attached.
    DriveNotFound = 4,
    /// More than one drive could be meant.
    SeveralDrives = 5,
    /// A drive is attached, but another one than the remembered one.
    ForeignDrive = 6,
    /// The drive is blank or was not made for Immich.
    BlankDrive = 7,
    /// The drive does not take writes.
    ReadOnlyDrive = 8,
    /// Not done for safety's sake: no consent, or the device is in use.
    Refused = 9,
    /// The command needs the drive unlocked.
    DriveLocked = 10,
    /// Another run is at work.
    Busy = 11,
}

impl Exit {
    /// Every exit code, in order.
    pub const ALL: [Exit; 12] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::WrongPassphrase,
        Exit::DriveNotFound,
        Exit::SeveralDrives,
        Exit::ForeignDrive,
        Exit::BlankDrive,
        Exit::ReadOnlyDrive,
        Exit::Refused,
        Exit::DriveLocked,
        Exit::Busy,
    ];

    /// The number the process exits with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The name in JSON and in the docs.
    pub fn name(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Failed => "failed",
            Exit::Usage => "usage",
            Exit::WrongPassphrase => "wrong-passphrase",
            Exit::DriveNotFound => "drive-not-found",
            Exit::SeveralDrives => "several-drives",
            Exit::ForeignDrive => "foreign-drive",
            Exit::BlankDrive => "blank-drive",
            Exit::ReadOnlyDrive => "read-only-drive",
            Exit::Refused => "refused",
            Exit::DriveLocked => "drive-locked",
            Exit::Busy => "busy",
        }
    }

    /// One sentence for the docs.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "Done, or already in the state that was asked for.",
            Exit::Failed => "Something failed; the error says what, and what mends it.",
            Exit::Usage => "The command line or the configuration is wrong.",
            Exit::WrongPassphrase => {
                "The passphrase opens no keyslot, or the password does not open the repository."
            }
            Exit::DriveNotFound => "The drive is not attached.",
            Exit::SeveralDrives => "More than one drive could be meant; none was touched.",
            Exit::ForeignDrive => "The drive attached is not the one this box remembers.",
            Exit::BlankDrive => "The drive is blank, unfinished, or was not made for Immich.",
            Exit::ReadOnlyDrive => "The drive does not take writes.",
            Exit::Refused => {
                "Not done for safety's sake: consent is missing, or the device is in use."
            }
            Exit::DriveLocked => "The command needs the drive unlocked and mounted.",
            Exit::Busy => "Another run of the tool is at work.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_their_place_in_the_list() {
        for (place, exit) in Exit::ALL.iter().enumerate() {
            assert_eq!(usize::from(exit.code()), place);
        }
    }

    #[test]
    fn names_in_json_are_the_documented_ones() {
        for exit in Exit::ALL {
            assert_eq!(serde_json::to_value(exit).unwrap(), exit.name());
        }
    }

    #[test]
    fn help_lists_every_code() {
        use clap::CommandFactory;
        let help = crate::cli::Cli::command().render_help().to_string();
        for exit in Exit::ALL {
            assert!(
                help.contains(&format!("{} ", exit.code())),
                "{}",
                exit.name()
            );
        }
    }
}
