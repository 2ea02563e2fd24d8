//! `devices list`

use appliance_image::devices::{Device, Refusal, System, list, refusal};
use serde::Serialize;

use super::flash::without_the_desktop;

use appliance_terminal::{Report, size};

#[derive(Debug, Serialize)]
struct Listed {
    devices: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    device: Device,
    /// The desktop alone mounted it.
    #[serde(skip)]
    unmounted_first: bool,
    /// Why it must not be overwritten.
    refused: Option<Refusal>,
}

/// Lists the disks attached.
pub fn run() -> anyhow::Result<Box<dyn Report>> {
    let devices = list(&System::live())?
        .into_iter()
        .map(|device| {
            let (unmounted, mounted) = without_the_desktop(device.clone());
            Line {
                refused: refusal(&unmounted, None, None),
                unmounted_first: !mounted.is_empty(),
                device,
            }
        })
        .collect();
    Ok(Box::new(Listed { devices }))
}

/// A disk in one line: path, size, model and contents.
pub fn line(device: &Device) -> String {
    format!(
        "{}  {}  {}  {}",
        device.path.display(),
        size(device.size),
        device.model.as_deref().unwrap_or("unknown model"),
        device.content
    )
}

impl Report for Listed {
    fn text(&self) -> String {
        if self.devices.is_empty() {
            return "No disk is attached.".into();
        }
        let lines = self.devices.iter().map(|listed| {
            let may = match &listed.refused {
                None if listed.unmounted_first => {
                    "may be overwritten; mounted by the desktop, is unmounted first".to_owned()
                }
                None => "may be overwritten".to_owned(),
                Some(refusal) => format!("must not be overwritten: {refusal}"),
            };
            format!("{}\n    {may}", line(&listed.device))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
