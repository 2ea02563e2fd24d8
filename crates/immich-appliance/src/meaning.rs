//! What errors mean here: the exit code for each class of failure of the library.

use std::error::Error as StdError;

use appliance::FailureClass;
use appliance_terminal::{Exit, Meaning};

/// The meaning of an error that is not the terminal's own.
pub fn known(error: &(dyn StdError + 'static)) -> Option<Meaning> {
    if let Some(error) = error.downcast_ref::<appliance::Error>() {
        let meaning = error.meaning();
        return Some(Meaning {
            exit: exit(meaning.class),
            help: meaning.help,
        });
    }
    let usage =
        error.is::<appliance_config::ConfigError>() || error.is::<appliance_secret::ChoiceError>();
    usage.then(|| Meaning::plain(Exit::Usage))
}

fn exit(class: FailureClass) -> Exit {
    match class {
        FailureClass::Failed => Exit::Failed,
        FailureClass::Usage => Exit::Usage,
        FailureClass::WrongPassphrase => Exit::WrongPassphrase,
        FailureClass::DriveNotFound => Exit::DriveNotFound,
        FailureClass::SeveralDrives => Exit::SeveralDrives,
        FailureClass::ForeignDrive => Exit::ForeignDrive,
        FailureClass::BlankDrive => Exit::BlankDrive,
        FailureClass::ReadOnlyDrive => Exit::ReadOnlyDrive,
        FailureClass::Refused => Exit::Refused,
        FailureClass::DriveLocked => Exit::DriveLocked,
        FailureClass::Busy => Exit::Busy,
    }
}

/// The class of a refusal that the terminal made itself.
pub fn class(exit: Exit) -> FailureClass {
    match exit {
        Exit::Usage => FailureClass::Usage,
        Exit::Refused => FailureClass::Refused,
        _ => FailureClass::Failed,
    }
}
