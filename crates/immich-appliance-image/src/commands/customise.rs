//! `customise`

use std::path::PathBuf;

use appliance_image::source::Image;
use appliance_image::{customise, sums};
use appliance_terminal::{Exit, Refused, Report, Ui};
use serde::Serialize;

use crate::answers;
use crate::cli::Customise;
use crate::progress::Shown;

#[derive(Debug, Serialize)]
struct Customised {
    image: PathBuf,
    output: PathBuf,
    /// SHA-256 of the image, if all of it had to be read.
    image_sum: Option<String>,
    settings: String,
}

/// Puts settings into a copy of an image.
pub fn run(ui: Ui, arguments: &Customise) -> anyhow::Result<Box<dyn Report>> {
    let image = Image::open(&arguments.image)?;
    let output = match &arguments.output {
        Some(output) => output.clone(),
        None => beside(&image),
    };
    // Before anything is asked.
    if output.exists() {
        return Err(Refused::new(
            Exit::Refused,
            format!("{} exists already and is not overwritten", output.display()),
            "give another name with --output",
        )
        .into());
    }
    let settings = answers::gather(ui, &arguments.settings)?.ok_or_else(|| {
        Refused::new(
            Exit::Usage,
            "no settings were given",
            "give them with --settings FILE, or one by one; --help lists the options",
        )
    })?;
    let patches = customise::patches(&image, &settings)?;
    let bars = Shown::new(ui);
    let sum = customise::write_copy(&image, &patches, &output, &bars)?;
    Ok(Box::new(Customised {
        image: arguments.image.clone(),
        output,
        image_sum: sum.as_ref().map(sums::digits),
        settings: settings.render_without_secrets(),
    }))
}

fn beside(image: &Image) -> PathBuf {
    let name = image.name();
    let name = name.strip_suffix(".zst").unwrap_or(&name);
    let name = name.strip_suffix(".img").unwrap_or(name);
    image.path().with_file_name(format!("{name}-custom.img"))
}

impl Report for Customised {
    fn text(&self) -> String {
        format!(
            "{} is the image with these settings:\n\n{}\nNext: immich-appliance-image flash {} \
             --unsigned --as-is",
            self.output.display(),
            self.settings,
            self.output.display()
        )
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
