//! Builds the virtual appliance, boots it to look around in, and clears it away.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use virtual_appliance::{Appliance, Firmware, Machine, cache};

/// The virtual appliance: immich-appliance on a Debian machine in QEMU.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the machine image and the snapshot that scenarios start from.
    Build,
    /// Boot a machine and say how to log in; it ends on Ctrl-C or when shut down.
    Boot {
        /// Boot this disk image by its own boot loader instead.
        #[arg(long)]
        image: Option<PathBuf>,
        /// Boot that image by UEFI.
        #[arg(long, requires = "image")]
        uefi: bool,
    },
    /// Show the whole life of the box: create, upload, back up, lose the drive, recover.
    Demo {
        /// A folder of photos to use instead of generated ones.
        photos: Option<PathBuf>,
    },
    /// Remove everything that was built.
    Clean,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Build => Appliance::snapshot().map(drop)?,
        Command::Boot { image: None, .. } => {
            let mut appliance = Appliance::start("interactive")?;
            eprintln!("Immich will be at {}", appliance.immich()?);
            stay(&mut appliance)?;
        }
        Command::Boot {
            image: Some(image),
            uefi,
        } => {
            let firmware = if uefi { Firmware::Uefi } else { Firmware::Bios };
            let mut machine = Machine::from_image("interactive", &image, firmware)?;
            machine.boot()?;
            stay(&mut machine)?;
        }
        Command::Demo { photos } => virtual_appliance::demo::run(photos.as_deref())?,
        Command::Clean => cache::clean()?,
    }
    Ok(())
}

fn stay(machine: &mut Machine) -> Result<()> {
    eprintln!("Log in with:");
    println!("{}", machine.login_line());
    Ok(machine.wait_until_off()?)
}
