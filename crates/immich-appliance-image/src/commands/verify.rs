//! `verify`

use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use anyhow::Context;
use appliance_image::card::Node;
use appliance_image::customise::{self, Found};
use appliance_image::source::Image;
use appliance_image::verify::{self, Verified};
use appliance_terminal::{Report, Ui, size};
use serde::Serialize;

use crate::cli::Verify;
use crate::progress::Shown;
use crate::trust;

#[derive(Debug, Serialize)]
struct Looked {
    target: PathBuf,
    /// What was read and compared; `null` for a card without an image to compare it with.
    verified: Option<Verified>,
    /// Whether a signed sum vouches for the image.
    signed: bool,
    partitions: appliance_image::table::Table,
    firmware: String,
    /// The settings that wait for the first start, without what is secret.
    settings: Option<String>,
    /// What is wrong with them.
    problems: Vec<appliance_first_boot::Problem>,
    /// What the box wrote when it took settings over, or could not.
    applied: Option<String>,
    error: Option<String>,
}

/// Checks an image or a card and says what is on it.
pub fn run(ui: Ui, arguments: &Verify) -> anyhow::Result<Box<dyn Report>> {
    let is_device = std::fs::metadata(&arguments.target)
        .with_context(|| format!("cannot read {}", arguments.target.display()))?
        .file_type()
        .is_block_device();
    let bars = Shown::new(ui);
    let (verified, expected, found) = if is_device {
        let found = customise::look_at_device(&arguments.target)?;
        match &arguments.image {
            None => (None, None, found),
            Some(path) => {
                let image = Image::open(path)?;
                let expected = trust::expected(&image, &arguments.trust)?;
                let mut card = Node::open_to_read(&arguments.target)
                    .with_context(|| format!("cannot open {}", arguments.target.display()))?;
                let verified =
                    verify::card(&mut card, &found, &image, expected.as_ref(), None, &bars)?;
                (Some(verified), expected, found)
            }
        }
    } else {
        let image = Image::open(&arguments.target)?;
        let expected = trust::expected(&image, &arguments.trust)?;
        let verified = verify::image(&image, expected.as_ref(), &bars)?;
        (Some(verified), expected, customise::look(&image)?)
    };
    Ok(Box::new(report(
        arguments,
        verified,
        expected.is_some() && !arguments.trust.unsigned,
        found,
    )))
}

fn report(arguments: &Verify, verified: Option<Verified>, signed: bool, found: Found) -> Looked {
    let (settings, problems) = match found.settings {
        None => (None, Vec::new()),
        Some(Ok(settings)) => (Some(settings.render_without_secrets()), Vec::new()),
        Some(Err(problems)) => (None, problems.0),
    };
    Looked {
        target: arguments.target.clone(),
        verified,
        signed,
        partitions: found.table,
        firmware: format!("partition {}, {}", found.fat_partition, found.fat),
        settings,
        problems,
        applied: found.applied,
        error: found.error,
    }
}

impl Report for Looked {
    fn text(&self) -> String {
        let target = self.target.display();
        let mut lines = vec![match &self.verified {
            Some(verified) if self.signed => format!(
                "{target} is what was released: {}, read to the end.",
                size(verified.size)
            ),
            Some(verified) => format!(
                "{target} can be read to the end: {}. Whether it is what was released is not known: no \
                 signature was checked.",
                size(verified.size)
            ),
            None => format!("{target} was not compared: give its image with --image."),
        }];
        lines.push(format!(
            "{} partitions ({:?}); firmware: {}",
            self.partitions.partitions.len(),
            self.partitions.kind,
            self.firmware
        ));
        match &self.settings {
            Some(settings) => lines.push(format!(
                "Settings that wait for the first start:\n\n{settings}"
            )),
            None if self.problems.is_empty() => lines.push("No settings wait on it.".into()),
            None => {
                lines.push("The settings on it are not valid:".into());
                lines.extend(self.problems.iter().map(|problem| format!("  {problem}")));
            }
        }
        if let Some(applied) = &self.applied {
            lines.push(format!("The box applied settings:\n\n{applied}"));
        }
        if let Some(error) = &self.error {
            lines.push(format!("The box reported:\n\n{error}"));
        }
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
