//! `drive list`

use appliance::drive::info::{describe, list};
use appliance_drive::inspect::{self, BlockDevice, Transport};
use appliance_terminal::{Report, Told, size, table};
use serde::Serialize;

use crate::run::Run;

#[derive(Debug, Serialize)]
struct Drives {
    drives: Vec<BlockDevice>,
}

/// Lists the drives attached, and what is on them.
pub fn run(run: &Run) -> anyhow::Result<Box<dyn Report>> {
    let drives = list(&run.appliance())?;
    Ok(Box::new(Told::new(Drives { drives }, text)))
}

fn text(drives: &Drives) -> String {
    let mut rows =
        vec![["DEVICE", "SIZE", "BY", "MODEL", "HOLDS", "MAY BE USED"].map(String::from)];
    for drive in &drives.drives {
        rows.push(row(drive, ""));
        for partition in &drive.partitions {
            rows.push(row(partition, "  "));
        }
    }
    table(&rows)
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
