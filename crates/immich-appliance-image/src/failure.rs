//! What an error means to a person: the exit code, and what mends it.

use std::error::Error as StdError;

use appliance_first_boot::Problems;
use appliance_first_boot::password::PasswordError;
use appliance_image::customise::CustomiseError;
use appliance_image::devices::{DeviceError, InspectError, Refusal};
use appliance_image::fetch::FetchError;
use appliance_image::flash::FlashError;
use appliance_image::source::ImageError;
use appliance_image::sums::SumError;
use appliance_image::verify::VerifyError;
use appliance_terminal::{Failure, Unlike};

use crate::exit::Exit;

/// Something the tool would not do, or could not ask.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    message: String,
    exit: Exit,
    mend: String,
}

impl Refused {
    /// A refusal with its exit code and the way out.
    pub fn new(exit: Exit, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit,
            mend: mend.into(),
        }
    }

    /// Consent for something else.
    pub fn unlike(unlike: &Unlike) -> Self {
        Self::new(Exit::Refused, unlike.to_string(), unlike.mend())
    }
}

struct Meaning {
    exit: Exit,
    mend: Option<String>,
}

/// Prints an error: for a person on standard error, and with `--json` as the one document on
/// standard output.
pub fn print(error: &anyhow::Error, json: bool) -> Exit {
    let meaning = error.chain().find_map(meaning).unwrap_or(Meaning {
        exit: Exit::Failed,
        mend: None,
    });
    let failure = Failure {
        exit: meaning.exit,
        code: meaning.exit.code(),
        mend: meaning.mend,
    };
    failure.print(error, json);
    meaning.exit
}

fn meaning(error: &(dyn StdError + 'static)) -> Option<Meaning> {
    let (exit, mend) = if let Some(refused) = error.downcast_ref::<Refused>() {
        (refused.exit, Some(refused.mend.clone()))
    } else if let Some(refusal) = error.downcast_ref::<Refusal>() {
        refusal_meaning(refusal)
    } else if let Some(error) = error.downcast_ref::<DeviceError>() {
        match error {
            DeviceError::Inspect(InspectError::Read { .. }) => (Exit::Failed, None),
            DeviceError::Inspect(_) => (
                Exit::DeviceNotFound,
                Some("look with: immich-appliance-image devices list".into()),
            ),
            DeviceError::Partition { disk, .. } => (
                Exit::Usage,
                Some(format!("name the whole disk: {}", disk.display())),
            ),
        }
    } else if let Some(error) = error.downcast_ref::<FlashError>() {
        return flash_meaning(error);
    } else if let Some(error) = error.downcast_ref::<VerifyError>() {
        match error {
            // What is passed on as it is does not show itself among the causes.
            VerifyError::Image(error) => return meaning(error),
            VerifyError::Sum(error) => return meaning(error),
            VerifyError::Differs { .. } => (
                Exit::FaultyCard,
                Some("flash it again; if it differs again, use another card".into()),
            ),
            _ => return None,
        }
    } else if let Some(CustomiseError::Image(error)) = error.downcast_ref() {
        return meaning(error);
    } else if let Some(FetchError::Sum(error)) = error.downcast_ref() {
        return meaning(error);
    } else if let Some(error) = error.downcast_ref::<SumError>() {
        (Exit::NotReleased, Some(sum_mend(error)))
    } else if let Some(ImageError::Damaged { .. }) = error.downcast_ref() {
        (Exit::NotReleased, Some("fetch the image again".into()))
    } else if error.is::<Problems>()
        || error.is::<PasswordError>()
        || error.is::<appliance_secret::ChoiceError>()
    {
        (Exit::Usage, None)
    } else {
        return None;
    };
    Some(Meaning { exit, mend })
}

fn refusal_meaning(refusal: &Refusal) -> (Exit, Option<String>) {
    match refusal {
        Refusal::RunningSystem { .. } | Refusal::Unreadable { .. } => (
            Exit::Refused,
            Some("name the card: immich-appliance-image devices list".into()),
        ),
        Refusal::Mounted { at, .. } => (
            Exit::Refused,
            Some(format!("if it is the right one: umount '{}'", at.display())),
        ),
        Refusal::InUse { by, .. } => (
            Exit::Refused,
            Some(format!("if it is the right one, close {by} first")),
        ),
        Refusal::ReadOnly { .. } => (
            Exit::ReadOnlyDevice,
            Some("look for a write-protect switch on the card or its adapter".into()),
        ),
        Refusal::TooSmall { .. } => (Exit::Refused, Some("take a larger card".into())),
        Refusal::NotRemovable { device } => (
            Exit::Refused,
            device.file_name().map(|name| {
                format!(
                    "if you are certain that it is the right one, give --built-in {}",
                    name.to_string_lossy()
                )
            }),
        ),
    }
}

fn flash_meaning(error: &FlashError) -> Option<Meaning> {
    let (exit, mend) = match error {
        // What failed is told by its cause, which does not show itself in a box, or passed on as
        // it is.
        FlashError::Failed { source, .. } => return flash_meaning(source),
        FlashError::Image(error) => return meaning(error),
        FlashError::Sum(error) => return meaning(error),
        FlashError::TooLarge { .. } | FlashError::Overflow { .. } => {
            (Exit::Refused, "take a larger card")
        }
        FlashError::Bmap { .. } => (
            Exit::NotReleased,
            "fetch the image and its map again, or move the map away",
        ),
        FlashError::Differs { .. } | FlashError::Sync { .. } => {
            (Exit::FaultyCard, "use another card, or another reader")
        }
        FlashError::Write { .. } | FlashError::Read { .. } => (
            Exit::FaultyCard,
            "try once more; if it fails again, use another card, or another reader",
        ),
        FlashError::Unsteady { .. } => (Exit::Failed, "use another computer"),
        FlashError::Thread => (Exit::Failed, "try once more"),
    };
    Some(Meaning {
        exit,
        mend: Some(mend.to_owned()),
    })
}

fn sum_mend(error: &SumError) -> String {
    match error {
        SumError::Damaged { .. } | SumError::Signature(_) => {
            "fetch the release again, and take its public key from where you trust it"
        }
        SumError::NotListed { .. } => "give the sums of the image's own release with --sums",
        SumError::Differs { .. } => "fetch the image again",
        SumError::Key(_) => "give the line that minisign prints, or the file with it",
    }
    .to_owned()
}
