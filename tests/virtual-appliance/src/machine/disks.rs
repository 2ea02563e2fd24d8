//! USB disks that come and go.

use super::Machine;
use crate::{
    disk::{self, Disk},
    error::Result,
    qemu::PluggedDisk,
};

impl Machine {
    /// Plugs a USB disk in; where the power is on, waits until the machine sees it.
    ///
    /// # Errors
    /// [`Error::Qmp`](crate::Error::Qmp) when QEMU refuses it, for instance because another
    /// machine has it; [`Error::Failed`](crate::Error::Failed) when the machine
    /// does not see it.
    pub fn plug(&mut self, disk: &Disk) -> Result<()> {
        let plugged = PluggedDisk::from(disk);
        if let Some(power) = &mut self.power {
            power.qemu.plug(&plugged)?;
        }
        self.disks.push(plugged.clone());
        if self.is_on() {
            self.wait_for(&plugged)?;
        }
        Ok(())
    }

    /// Pulls a USB disk out, whatever the machine is doing with it; where the
    /// power is on, waits until the machine has noticed.
    ///
    /// # Errors
    /// As [`Machine::plug`].
    pub fn unplug(&mut self, disk: &Disk) -> Result<()> {
        self.pull(disk)?;
        if self.is_on() {
            let device = disk.device();
            self.sh(&format!("udevadm wait --removed --timeout=60 {device}"))?;
        }
        Ok(())
    }

    /// Pulls a USB disk out and returns at once.
    ///
    /// # Errors
    /// [`Error::Qmp`](crate::Error::Qmp) when QEMU refuses, for instance because it is not plugged in.
    pub fn pull(&mut self, disk: &Disk) -> Result<()> {
        if let Some(power) = &mut self.power {
            power.qemu.unplug(&PluggedDisk::from(disk))?;
        }
        self.disks.retain(|plugged| plugged.serial != disk.serial());
        Ok(())
    }

    pub(super) fn wait_for(&self, disk: &PluggedDisk) -> Result<()> {
        let device = disk::device(&disk.serial);
        self.sh(&format!("udevadm wait --settle --timeout=60 {device}"))
            .map(drop)
    }
}
