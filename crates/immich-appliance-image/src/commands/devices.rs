//! `devices list`

use appliance_image::devices::{Device, Refusal, System, list, refusal};
use serde::Serialize;

use crate::report::{Report, size};

#[derive(Debug, Serialize)]
struct Listed {
    devices: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    device: Device,
    /// Why it must not be overwritten.
    refused: Option<Refusal>,
}

/// Lists the disks attached.
pub fn run() -> anyhow::Result<Box<dyn Report>> {
    let devices = list(&System::live())?
        .into_iter()
        .map(|device| Line {
            refused: refusal(&device, None, None),
            device,
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
        let lines = self.devices.iter().map(|Line { device, refused }| {
            let may = match refused {
                None => "may be written".to_owned(),
                Some(refusal) => format!("refused: {refusal}"),
            };
            format!("{}\n    {may}", line(device))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
