//! `flash`

mod target;

use std::path::PathBuf;

use anyhow::Context;
use appliance_image::bmap::Bmap;
use appliance_image::card::eject;
use appliance_image::flash::{self, Flashed, Options};
use appliance_image::source::Image;
use appliance_image::{Patches, customise};
use appliance_terminal::{Report, Ui, size};
use serde::Serialize;

use crate::cli::Flash;
use crate::progress::Shown;
use crate::{answers, trust};
use target::Target;
pub use target::without_the_desktop;

#[derive(Debug, Serialize)]
struct Done {
    device: PathBuf,
    #[serde(flatten)]
    flashed: Flashed,
    settings: Option<String>,
    /// Whether a signed sum vouches for the image.
    signed: bool,
    ejected: bool,
}

/// Writes an image to a card.
pub fn run(ui: Ui, arguments: &Flash) -> anyhow::Result<Box<dyn Report>> {
    let image = Image::open(&arguments.image)?;
    let target = Target::find(ui, arguments, &image)?;
    let expected = trust::expected(&image, &arguments.trust)?;
    let settings = answers::gather(ui, &arguments.settings)?;
    let patches = match &settings {
        Some(settings) => customise::patches(&image, settings)?,
        None => Patches::default(),
    };
    let bmap = block_map(arguments, &image)?;
    ui.consent(
        &target.device.name,
        arguments.erase.as_deref(),
        &target.what_is_lost(),
    )?;
    let mut card = target.open()?;
    let bars = Shown::new(ui);
    let options = Options {
        patches: &patches,
        expected,
        bmap: bmap.as_ref(),
        read_back: !arguments.no_read_back,
    };
    let flashed = flash::flash(&image, &mut card, &options, &bars)?;
    drop(card);
    let ejected = !arguments.no_eject && eject(target.consented()).unwrap_or(false);
    Ok(Box::new(Done {
        device: target.device.path,
        flashed,
        settings: settings.map(|settings| settings.render_without_secrets()),
        signed: expected.is_some() && !arguments.trust.unsigned,
        ejected,
    }))
}

/// The map given, or the one beside the image.
fn block_map(arguments: &Flash, image: &Image) -> anyhow::Result<Option<Bmap>> {
    let path = match &arguments.bmap {
        Some(path) => path.clone(),
        None => {
            let name = image.name();
            let plain = name.strip_suffix(".zst").unwrap_or(&name);
            let names = [format!("{name}.bmap"), format!("{plain}.bmap")];
            let found = names
                .iter()
                .map(|name| image.path().with_file_name(name))
                .find(|path| path.is_file());
            match found {
                Some(path) => path,
                None => return Ok(None),
            }
        }
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the block map {}", path.display()))?;
    let map = Bmap::parse(&text).with_context(|| format!("cannot use {}", path.display()))?;
    Ok(Some(map))
}

impl Report for Done {
    fn text(&self) -> String {
        let mut text = format!(
            "{} is written: {}, {}.",
            self.device.display(),
            size(self.flashed.size),
            if self.flashed.compared > 0 {
                "read back and identical"
            } else {
                "not read back"
            }
        );
        if let Some(settings) = &self.settings {
            text += &format!("\nThe box applies at its first start:\n\n{settings}");
        }
        text += if self.ejected {
            "\nThe card is ejected. Put it into the box and switch the box on."
        } else {
            "\nTake the card out, put it into the box and switch the box on."
        };
        text
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
