//! The exit codes of both commands: few, named, documented in docs/reference/exit-codes.md.

use serde::Serialize;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Exit {
    /// Done, or already in the requested state.
    Done = 0,
    /// Something failed; the text says what.
    Failed = 1,
    /// The command line, the configuration or the settings are wrong.
    Usage = 2,
    /// No keyslot, or no repository key, opens with what was given.
    WrongPassphrase = 3,
    /// The drive, or the card, is not attached.
    DriveNotFound = 4,
    /// More than one drive could be meant.
    SeveralDrives = 5,
    /// A drive is attached, but not the remembered one.
    ForeignDrive = 6,
    /// The drive is blank or was not made for Immich.
    BlankDrive = 7,
    /// The drive, or the card, is write-protected.
    ReadOnlyDrive = 8,
    /// Not done for safety's sake: no consent, or the device is in use.
    Refused = 9,
    /// The command needs the drive unlocked.
    DriveLocked = 10,
    /// Another run is at work.
    Busy = 11,
    /// The image is damaged, or is not the one that was released.
    NotReleased = 12,
    /// The card is faulty, or holds something other than the image.
    FaultyCard = 13,
    /// What could be brought back is back, and something is lost.
    WithLosses = 14,
}

impl Exit {
    /// Every exit code, in order.
    pub const ALL: [Exit; 15] = [
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
        Exit::NotReleased,
        Exit::FaultyCard,
        Exit::WithLosses,
    ];

    /// The number that the process exits with.
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
            Exit::NotReleased => "not-released",
            Exit::FaultyCard => "faulty-card",
            Exit::WithLosses => "with-losses",
        }
    }

    /// One sentence for the docs.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "Done, or already in the requested state.",
            Exit::Failed => {
                "Something failed; the error says what, and what helps if that is known."
            }
            Exit::Usage => "The command line, the configuration or the settings are wrong.",
            Exit::WrongPassphrase => {
                "The passphrase opens no keyslot, or the password does not open the repository."
            }
            Exit::DriveNotFound => "The drive, or the card, is not attached.",
            Exit::SeveralDrives => "More than one drive could be meant; none was touched.",
            Exit::ForeignDrive => "The attached drive is not the one that this box remembers.",
            Exit::BlankDrive => "The drive is blank, unfinished, or was not made for Immich.",
            Exit::ReadOnlyDrive => "The drive, or the card, is write-protected.",
            Exit::Refused => {
                "Not done for safety's sake: consent is missing, or the device is in use or must \
                 not be overwritten."
            }
            Exit::DriveLocked => "The command needs the drive unlocked and mounted.",
            Exit::Busy => "Another run of the tool is at work.",
            Exit::NotReleased => "The image is damaged, or is not the one that was released.",
            Exit::FaultyCard => "The card is faulty, or holds something other than the image.",
            Exit::WithLosses => {
                "Everything that could be brought back is back; the report lists what is lost."
            }
        }
    }

    /// One line for the end of `--help`, with each code and its name.
    pub fn list(exits: &[Exit]) -> String {
        let exits = exits
            .iter()
            .map(|exit| format!("{} {}", exit.code(), exit.name().replace('-', " ")));
        format!("Exit codes: {}.", exits.collect::<Vec<_>>().join(", "))
    }

    /// A Markdown table for the reference.
    pub fn table(exits: &[Exit]) -> String {
        let rows = exits.iter().map(|exit| {
            format!(
                "| {} | `{}` | {} |\n",
                exit.code(),
                exit.name(),
                exit.meaning()
            )
        });
        rows.fold(
            String::from("| code | name | meaning |\n|---|---|---|\n"),
            |table, row| table + &row,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_its_place_in_the_list() {
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
    fn the_line_for_help_and_the_table_say_every_code_that_is_asked_for() {
        let some = [Exit::Done, Exit::WrongPassphrase];
        assert_eq!(Exit::list(&some), "Exit codes: 0 done, 3 wrong passphrase.");
        let table = Exit::table(&Exit::ALL);
        assert_eq!(table.lines().count(), 2 + Exit::ALL.len());
        assert!(table.contains("| 13 | `faulty-card` | The card is faulty"));
    }
}
