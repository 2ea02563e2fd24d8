//! `drive list`

use appliance_drive::inspect::{self, BlockDevice, Transport};
use serde::Serialize;

use crate::context::Context;
use crate::report::{Report, size, table};
use crate::steps::create::describe;

#[derive(Debug, Serialize)]
struct Drives {
    drives: Vec<BlockDevice>,
}

/// Lists the drives attached, and what is on them.
pub fn run(context: &Context) -> anyhow::Result<Box<dyn Report>> {
    Ok(Box::new(Drives {
        drives: inspect::list(&context.system)?,
    }))
}

impl Report for Drives {
    fn text(&self) -> String {
        let mut rows =
            vec![["DEVICE", "SIZE", "BY", "MODEL", "HOLDS", "MAY BE USED"].map(String::from)];
        for drive in &self.drives {
            rows.push(row(drive, ""));
            for partition in &drive.partitions {
                rows.push(row(partition, "  "));
            }
        }
        table(&rows)
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

fn row(device: &BlockDevice, indent: &str) -> [String; 6] {
    [
        format!("{indent}{}", device.path.display()),
        size(device.size),
        transport(device.transport).into(),
        device.model.clone().unwrap_or_default(),
        describe(&device.content),
        inspect::refusal(device).map_or_else(|| "yes".into(), |refusal| format!("no: {refusal}")),
    ]
}

fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Usb => "USB",
        Transport::Sd => "card",
        Transport::Emmc => "eMMC",
        Transport::Nvme => "NVMe",
        Transport::Sata => "SATA",
        Transport::Virtio => "virtio",
        Transport::Virtual => "virtual",
        Transport::Unknown => "",
    }
}
