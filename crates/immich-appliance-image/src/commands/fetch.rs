//! `fetch`

use std::path::PathBuf;

use appliance_image::fetch::Release;
use appliance_image::sums::Sums;
use appliance_terminal::{Exit, Refused, Report, Ui};
use serde::Serialize;

use crate::cli::Fetch;
use crate::progress::Shown;
use crate::trust;

/// The address of the latest release, set when a release is built.
const RELEASE: Option<&str> = option_env!("IMMICH_APPLIANCE_RELEASE_URL");

#[derive(Debug, Serialize)]
struct Fetched {
    /// What the release holds.
    images: Vec<String>,
    /// The downloaded file; `null` when only the list was requested.
    path: Option<PathBuf>,
    /// Whether the signature of the checksums was verified.
    signed: bool,
}

/// Fetches an image of a release and checks it.
pub fn run(ui: Ui, arguments: &Fetch) -> anyhow::Result<Box<dyn Report>> {
    let base = arguments.release.as_deref().or(RELEASE).ok_or_else(|| {
        Refused::new(
            Exit::Usage,
            "this build does not know the address of the releases",
            "give it with --release",
        )
    })?;
    let key = if arguments.unsigned {
        None
    } else {
        Some(trust::public_key(arguments.public_key.as_deref())?)
    };
    let signed = key.is_some();
    let release = Release::new(base);
    let sums = release.sums(key.as_deref())?;
    let images: Vec<String> = sums
        .names()
        .filter(|name| is_image(name))
        .map(str::to_owned)
        .collect();
    let Some(wanted) = &arguments.name else {
        return Ok(Box::new(Fetched {
            images,
            path: None,
            signed,
        }));
    };
    let name = one_of(&images, wanted)?;
    std::fs::create_dir_all(&arguments.to)?;
    let bars = Shown::new(ui);
    let path = release.fetch(&name, &sums.of(&name)?, &arguments.to, &bars)?;
    for extra in beside(&sums, &name) {
        release.fetch(&extra, &sums.of(&extra)?, &arguments.to, &bars)?;
    }
    release.keep_sums(&arguments.to)?;
    Ok(Box::new(Fetched {
        images,
        path: Some(path),
        signed,
    }))
}

fn is_image(name: &str) -> bool {
    name.ends_with(".img") || name.ends_with(".img.zst")
}

/// The image's block map, if the release has one.
fn beside(sums: &Sums, name: &str) -> Vec<String> {
    let plain = name.strip_suffix(".zst").unwrap_or(name);
    [format!("{name}.bmap"), format!("{plain}.bmap")]
        .into_iter()
        .filter(|map| sums.of(map).is_ok())
        .take(1)
        .collect()
}

fn one_of(images: &[String], wanted: &str) -> anyhow::Result<String> {
    if let Some(name) = images.iter().find(|name| *name == wanted) {
        return Ok(name.clone());
    }
    let mut fitting = images.iter().filter(|name| name.contains(wanted));
    match (fitting.next(), fitting.next()) {
        (Some(name), None) => Ok(name.clone()),
        (found, _) => Err(Refused::new(
            Exit::Usage,
            format!(
                "{wanted} is the name of {} image of the release",
                if found.is_some() {
                    "more than one"
                } else {
                    "no"
                }
            ),
            format!("give one of: {}", images.join(", ")),
        )
        .into()),
    }
}

impl Report for Fetched {
    fn text(&self) -> String {
        match &self.path {
            Some(path) => format!(
                "{} is downloaded{}.\nNext: immich-appliance-image flash {}",
                path.display(),
                if self.signed {
                    " and is what was released"
                } else {
                    "; no signature was checked"
                },
                path.display()
            ),
            None => format!("The release holds:\n{}", self.images.join("\n")),
        }
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
