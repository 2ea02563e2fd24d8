//! What the errors of images and cards mean to a person: the exit code, and what helps.

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
use appliance_terminal::{Exit, Meaning};

/// The meaning of an error, where it has one.
pub fn known(error: &(dyn StdError + 'static)) -> Option<Meaning> {
    None.or_else(|| error.downcast_ref().map(refusal))
        .or_else(|| error.downcast_ref().map(device))
        .or_else(|| error.downcast_ref().map(inspection))
        .or_else(|| error.downcast_ref().and_then(flash))
        .or_else(|| error.downcast_ref().and_then(verify))
        .or_else(|| error.downcast_ref().and_then(customise))
        .or_else(|| error.downcast_ref().and_then(fetch))
        .or_else(|| error.downcast_ref().map(sum))
        .or_else(|| error.downcast_ref().and_then(image))
        .or_else(|| is_wrong_usage(error).then(|| Meaning::plain(Exit::Usage)))
}

fn is_wrong_usage(error: &(dyn StdError + 'static)) -> bool {
    error.is::<Problems>()
        || error.is::<PasswordError>()
        || error.is::<appliance_secret::ChoiceError>()
}

fn refusal(refusal: &Refusal) -> Meaning {
    match refusal {
        Refusal::RunningSystem { .. } => Meaning::helped(
            Exit::Refused,
            "name the card; to see what is attached: immich-appliance-image devices list",
        ),
        Refusal::Mounted { at, .. } => Meaning::helped(
            Exit::Refused,
            format!("if this is the right card: umount '{}'", at.display()),
        ),
        Refusal::InUse { by, .. } => Meaning::helped(
            Exit::Refused,
            format!("if this is the right card, close {by} first"),
        ),
        Refusal::ReadOnly { .. } => write_protected(),
        Refusal::TooSmall { .. } => Meaning::helped(Exit::Refused, "use a larger card"),
        Refusal::Unreadable { .. } => Meaning::helped(
            Exit::Refused,
            "plug it in again, or use another card, or another card reader",
        ),
        Refusal::NotRemovable { device } => Meaning {
            exit: Exit::Refused,
            help: device.file_name().map(|name| {
                format!(
                    "if you are sure that this is the right disk, add --built-in {}",
                    name.to_string_lossy()
                )
            }),
        },
    }
}

/// A card that takes no writes.
pub fn write_protected() -> Meaning {
    Meaning::helped(
        Exit::ReadOnlyDrive,
        "check the write-protect switch on the card or its adapter",
    )
}

fn device(error: &DeviceError) -> Meaning {
    match error {
        DeviceError::Inspect(error) => inspection(error),
        DeviceError::Partition { disk, .. } => Meaning::helped(
            Exit::Usage,
            format!("name the whole disk: {}", disk.display()),
        ),
    }
}

fn inspection(error: &InspectError) -> Meaning {
    match error {
        InspectError::NotFound { .. } | InspectError::NotABlockDevice { .. } => Meaning::helped(
            Exit::DriveNotFound,
            "to see what is attached: immich-appliance-image devices list",
        ),
        InspectError::Read { .. } => Meaning::plain(Exit::Failed),
    }
}

// What an error passes on as it is does not show itself among the causes: here it is looked into.

fn flash(error: &FlashError) -> Option<Meaning> {
    let (exit, help) = match error {
        FlashError::Failed { source, .. } => return flash(source),
        FlashError::Image(error) => return image(error),
        FlashError::Sum(error) => return Some(sum(error)),
        FlashError::TooLarge { .. } | FlashError::Overflow { .. } => {
            (Exit::Refused, "use a larger card")
        }
        FlashError::Counterfeit { .. } => (
            Exit::FaultyCard,
            "use another card; if it fails in another reader too, take it back to the shop",
        ),
        FlashError::Bmap { .. } => (
            Exit::NotReleased,
            "download the image and its block map again, or move the block map away",
        ),
        FlashError::Differs { .. } | FlashError::Sync { .. } => {
            (Exit::FaultyCard, "use another card, or another card reader")
        }
        FlashError::Write { .. } | FlashError::Read { .. } => (
            Exit::FaultyCard,
            "try again; if it fails again, use another card, or another card reader",
        ),
        FlashError::Unsteady { .. } => (Exit::Failed, "use another computer"),
        FlashError::Thread => (Exit::Failed, "try again"),
    };
    Some(Meaning::helped(exit, help))
}

fn verify(error: &VerifyError) -> Option<Meaning> {
    match error {
        VerifyError::Image(error) => image(error),
        VerifyError::Sum(error) => Some(sum(error)),
        VerifyError::Customise(error) => customise(error),
        VerifyError::Differs { .. } => Some(Meaning::helped(
            Exit::FaultyCard,
            "flash it again; if it differs again, use another card",
        )),
        VerifyError::Read { .. } => Some(Meaning::helped(
            Exit::FaultyCard,
            "try again; if it fails again, use another card, or another card reader",
        )),
    }
}

fn customise(error: &CustomiseError) -> Option<Meaning> {
    match error {
        CustomiseError::Image(error) => image(error),
        _ => None,
    }
}

fn fetch(error: &FetchError) -> Option<Meaning> {
    match error {
        FetchError::Sum(error) => Some(sum(error)),
        FetchError::NotSigned { .. } => Some(Meaning::helped(
            Exit::NotReleased,
            "check the address of the release; if it is one of your own, add --unsigned",
        )),
        FetchError::Unreachable { .. } => Some(Meaning::helped(
            Exit::Failed,
            "check the address and the network, then run the same command again; it resumes",
        )),
        FetchError::Missing { .. } => Some(Meaning::helped(
            Exit::Failed,
            "check the address of the release",
        )),
        FetchError::Write { .. } => None,
    }
}

fn sum(error: &SumError) -> Meaning {
    let help = match error {
        SumError::Damaged { .. } | SumError::Signature(_) => {
            "download the release again, and get its public key from a source that you trust"
        }
        SumError::NotListed { .. } => "give the checksums of the image's own release with --sums",
        SumError::Differs { .. } => "download the image again",
        SumError::Key(_) => "give the line that minisign prints, or the file that holds it",
    };
    Meaning::helped(Exit::NotReleased, help)
}

fn image(error: &ImageError) -> Option<Meaning> {
    match error {
        ImageError::Damaged { .. } => Some(Meaning::helped(
            Exit::NotReleased,
            "download the image again",
        )),
        ImageError::TooLittleMemory { .. } => Some(Meaning::helped(
            Exit::Failed,
            "close other programs, or use a computer with more memory",
        )),
        _ => None,
    }
}
