//! Whether an image is the one that was released: checksums, and the signature over them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use appliance_image::source::Image;
use appliance_image::sums::{self, SUMS, Sum, Sums};
use appliance_terminal::{Exit, Refused};

use crate::cli::Trust;

/// The key that releases are signed with, set when a release is built.
const RELEASE_KEY: Option<&str> = option_env!("IMMICH_APPLIANCE_RELEASE_KEY");

/// The public key: the one given (a file, or the line itself), else the releases'.
///
/// # Errors
/// When the file cannot be read, or there is none.
pub fn public_key(given: Option<&str>) -> anyhow::Result<String> {
    match given {
        Some(given) if Path::new(given).is_file() => {
            fs::read_to_string(given).with_context(|| format!("cannot read the public key {given}"))
        }
        Some(given) => Ok(given.to_owned()),
        None => RELEASE_KEY.map(str::to_owned).ok_or_else(|| {
            Refused::new(
                Exit::NotReleased,
                "the signature cannot be verified without the public key of the release",
                "give it with --public-key; for an image that you built yourself: --unsigned",
            )
            .into()
        }),
    }
}

/// The sum that an image has to have; `None` for an unsigned one whose sum nobody knows.
///
/// # Errors
/// When the signature is missing or wrong, or the image is not listed.
pub fn expected(image: &Image, trust: &Trust) -> anyhow::Result<Option<Sum>> {
    let path = match &trust.sums {
        Some(path) => path.clone(),
        None => image.path().with_file_name(SUMS),
    };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && trust.sums.is_none() => {
            if trust.unsigned {
                return Ok(None);
            }
            return Err(Refused::new(
                Exit::NotReleased,
                format!("there is no {SUMS} beside {}", image.path().display()),
                "give the one of its release with --sums; for an image that you built yourself: --unsigned",
            )
            .into());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    };
    if !trust.unsigned {
        let key = public_key(trust.public_key.as_deref())?;
        let signature = signature_of(&path);
        let signature = fs::read_to_string(&signature).map_err(|error| {
            Refused::new(
                Exit::NotReleased,
                format!("cannot read the signature {}: {error}", signature.display()),
                "download it from the release; for an image that you built yourself: --unsigned",
            )
        })?;
        sums::check_signature(&key, &text, &signature)?;
    }
    let sums = Sums::parse(&String::from_utf8_lossy(&text))?;
    match sums.of(&image.name()) {
        Ok(sum) => Ok(Some(sum)),
        // A folder with a release's sums can hold an image of one's own, too.
        Err(_) if trust.unsigned && trust.sums.is_none() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn signature_of(sums: &Path) -> PathBuf {
    let mut name = sums.file_name().unwrap_or_default().to_owned();
    name.push(".minisig");
    sums.with_file_name(name)
}
