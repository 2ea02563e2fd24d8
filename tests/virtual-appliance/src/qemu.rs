//! One QEMU process: the hardware of a machine while its power is on.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    disk::Disk,
    error::{Doing, Error, Result},
    image::BaseImage,
    probe::Accelerator,
    process::{self, quote, spawn_tied, tied},
    qmp::{Qmp, forwarded_port},
};

/// The machine and its devices, those apart that depend on files. Together
/// with QEMU's own needs a machine stays under 1.5 GiB. A saved state fits
/// only the hardware that it was saved from.
#[rustfmt::skip]
pub(crate) const HARDWARE: &[&str] = &[
    "-machine", "q35,sata=off,smbus=off,vmport=off",
    // An emulated processor alone needs no locks against another; the host's others are for
    // other machines.
    "-smp", "1",
    "-m", "1024",
    "-nodefaults", "-no-user-config",
    "-display", "none",
    "-netdev", "user,id=net",
    "-device", "virtio-net-pci,netdev=net,romfile=",
    "-device", "qemu-xhci,id=usb,p2=8,p3=8",
    "-device", "virtio-rng-pci",
    // Tells a kernel that was resumed from a saved state to reseed, or two
    // machines would make the same keys.
    "-device", "vmgenid,guid=auto",
];

/// The kernel's command line: no hunting for hardware that is not there, no
/// hardening that an emulated processor pays for dearly: QEMU translates a
/// program anew for each address that it is loaded at.
pub(crate) const KERNEL_ARGUMENTS: &str = "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 mitigations=off \
     tsc=reliable no_timer_check apparmor=0 selinux=0 audit=0 norandmaps panic=-1";

/// How QEMU starts, or is ended, or loads and saves a state.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a machine boots from.
#[derive(Clone, Debug)]
pub(crate) enum Boot {
    /// The Debian image's kernel, started by QEMU.
    Kernel(Arc<BaseImage>),
    /// The disk's own boot loader.
    Firmware(Firmware),
}

/// The firmware that starts a disk's own boot loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// A PC's BIOS.
    Bios,
    /// UEFI, from Debian's package `ovmf`.
    Uefi,
}

/// What stays the same each time that a machine is switched on.
#[derive(Clone, Debug)]
pub(crate) struct Hardware {
    pub(crate) name: String,
    pub(crate) accelerator: Accelerator,
    pub(crate) boot: Boot,
    /// The root disk, a qcow2 image.
    pub(crate) disk: PathBuf,
    /// Takes the console's text and QEMU's complaints.
    pub(crate) folder: PathBuf,
    /// Takes the sockets; its path is short, as a socket's path has to be.
    pub(crate) sockets: PathBuf,
    /// The public key that opens root's account.
    pub(crate) public_key: String,
}

/// A QEMU process that is controlled over QMP.
#[derive(Debug)]
pub(crate) struct Qemu {
    name: String,
    log: PathBuf,
    child: Child,
    qmp: Qmp,
}

impl Hardware {
    pub(crate) fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    /// Switches it on, with the processors still halted.
    pub(crate) fn start(&self, incoming: bool) -> Result<Qemu> {
        let socket = self.sockets.join("qmp");
        let _ = fs::remove_file(&socket);
        let log = self.folder.join("qemu.log");
        let stderr = File::create(&log).doing(|| format!("making {}", log.display()))?;

        let mut command = tied("qemu-system-x86_64");
        command
            .args(["-name", &self.name, "-S"])
            .args(self.accelerator.options())
            .args(HARDWARE)
            .arg("-chardev")
            .arg(format!(
                "file,id=console,append=on,path={}",
                option(&self.console())
            ))
            .args(["-serial", "chardev:console"])
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", option(&socket)))
            // Unsafe only if the host fails: what the machine wrote is in the host's memory
            // then. A power cut of the machine keeps it, flushed to the host's disk or not.
            .arg("-drive")
            .arg(format!(
                "file={},format=qcow2,if=none,id=root,cache=unsafe,discard=unmap",
                option(&self.disk)
            ))
            .args(["-device", "virtio-blk-pci,drive=root"])
            // systemd reads credentials from here, in any distribution.
            .arg("-smbios")
            .arg(format!(
                "type=11,value=io.systemd.credential:ssh.authorized_keys.root={}",
                self.public_key.replace(',', ",,")
            ));
        match &self.boot {
            Boot::Kernel(image) => {
                command.arg("-kernel").arg(image.kernel());
                command.arg("-initrd").arg(image.initrd());
                command.args(["-append", KERNEL_ARGUMENTS]);
            }
            Boot::Firmware(Firmware::Bios) => {}
            Boot::Firmware(Firmware::Uefi) => {
                let firmware = Path::new("/usr/share/ovmf/OVMF.fd");
                if !firmware.exists() {
                    return Err(Error::Missing {
                        program: "OVMF.fd",
                        package: "ovmf",
                    });
                }
                command.arg("-bios").arg(firmware);
            }
        }
        if incoming {
            command.args(["-incoming", "defer"]);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        let child = spawn_tied(command).doing(|| "starting QEMU".into())?;
        Qemu::connect(self.name.clone(), log, child, &socket)
    }
}

/// A path within an option of QEMU's, where a comma would end it.
fn option(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

impl Qemu {
    fn connect(name: String, log: PathBuf, mut child: Child, socket: &Path) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Qmp::connect(&name, socket) {
                Ok(qmp) => {
                    return Ok(Self {
                        name,
                        log,
                        child,
                        qmp,
                    });
                }
                Err(error) => {
                    let ended = child.try_wait().doing(|| "waiting for QEMU".into())?;
                    if let Some(status) = ended {
                        return Err(ended_error(&name, &log, &status.to_string()));
                    }
                    if Instant::now() > deadline {
                        let _ = child.kill();
                        let _ = child.wait();
                        return Err(error);
                    }
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets the processors run.
    pub(crate) fn resume(&mut self) -> Result<()> {
        self.qmp.execute("cont", json!({})).map(drop)
    }

    /// Presses the reset button.
    pub(crate) fn reset(&mut self) -> Result<()> {
        self.qmp.execute("system_reset", json!({})).map(drop)
    }

    /// Fails once QEMU has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait().doing(|| "waiting for QEMU".into())? {
            None => Ok(()),
            Some(status) => Err(ended_error(&self.name, &self.log, &status.to_string())),
        }
    }

    /// Waits until QEMU ends by itself; false when it does not in time.
    pub(crate) fn wait_end(&mut self, limit: Duration) -> Result<bool> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            let ended = self.child.try_wait().doing(|| "waiting for QEMU".into())?;
            if ended.is_some() {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(false)
    }

    /// Forwards a port of the guest and returns the host's, which is the wished
    /// one if that is free.
    pub(crate) fn forward(&mut self, guest: u16, wish: Option<u16>) -> Result<u16> {
        for host in wish.into_iter().chain([0]) {
            // The monitor answers with words when it could not.
            let complaint = self
                .qmp
                .monitor(&format!("hostfwd_add net tcp:127.0.0.1:{host}-:{guest}"))?;
            if complaint.trim().is_empty() {
                break;
            }
        }
        let listed = self.qmp.monitor("info usernet")?;
        forwarded_port(&listed, guest).ok_or_else(|| Error::Qmp {
            machine: self.name.clone(),
            command: format!("forwarding port {guest}"),
            reason: listed,
        })
    }

    /// Puts a USB disk into a socket of the machine.
    pub(crate) fn plug(&mut self, disk: &PluggedDisk) -> Result<()> {
        self.qmp.execute(
            "blockdev-add",
            json!({
                "driver": "raw",
                "node-name": disk.node(),
                "read-only": disk.read_only,
                // As for the root disk.
                "cache": { "no-flush": true },
                "file": { "driver": "file", "filename": disk.path },
            }),
        )?;
        self.qmp
            .execute(
                "device_add",
                json!({
                    "driver": "usb-storage",
                    "bus": "usb.0",
                    "id": disk.id(),
                    "drive": disk.node(),
                    "serial": disk.serial,
                }),
            )
            .map(drop)
    }

    /// Pulls a USB disk out, without a word to the guest.
    pub(crate) fn unplug(&mut self, disk: &PluggedDisk) -> Result<()> {
        let id = disk.id();
        self.qmp.execute("device_del", json!({ "id": id }))?;
        let gone = |event: &str, data: &Value| event == "DEVICE_DELETED" && data["device"] == *id;
        if !self.qmp.wait(PATIENCE, gone)? {
            return Err(Error::Qmp {
                machine: self.name.clone(),
                command: "device_del".into(),
                reason: "the device stayed".into(),
            });
        }
        self.qmp
            .execute("blockdev-del", json!({ "node-name": disk.node() }))
            .map(drop)
    }

    /// Halts the machine, writes its state to a file and ends.
    pub(crate) fn save(mut self, state: &Path) -> Result<()> {
        self.qmp.execute("stop", json!({}))?;
        self.qmp.execute(
            "migrate-set-parameters",
            json!({ "max-bandwidth": 1_u64 << 40 }),
        )?;
        let uri = format!("exec:cat >{}", quote(&state.display().to_string()));
        self.qmp.execute("migrate", json!({ "uri": uri }))?;
        self.migrated("saving the machine's state")?;
        self.qmp.execute("quit", json!({}))?;
        self.wait_end(PATIENCE).map(drop)
    }

    /// Loads a state into a machine that was started for it.
    pub(crate) fn load(&mut self, state: &Path) -> Result<()> {
        let uri = format!("exec:cat <{}", quote(&state.display().to_string()));
        self.qmp
            .execute("migrate-incoming", json!({ "uri": uri }))?;
        self.migrated("loading the machine's state")
    }

    fn migrated(&mut self, what: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.check()?;
            let answer = self.qmp.execute("query-migrate", json!({}))?;
            let status = answer["status"].as_str().unwrap_or_default();
            if status == "completed" {
                return Ok(());
            }
            if status == "failed" || Instant::now() > deadline {
                return Err(Error::Qmp {
                    machine: self.name.clone(),
                    command: what.to_owned(),
                    reason: answer.to_string(),
                });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Qemu {
    /// As when the plug is pulled: what the guest kept in its memory is gone.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended_error(name: &str, log: &Path, status: &str) -> Error {
    Error::Ended {
        machine: name.to_owned(),
        status: status.to_owned(),
        log: process::tail(&fs::read_to_string(log).unwrap_or_default(), 20),
    }
}

/// A disk as the machine knows it.
#[derive(Clone, Debug)]
pub(crate) struct PluggedDisk {
    pub(crate) serial: String,
    path: PathBuf,
    read_only: bool,
}

impl PluggedDisk {
    fn node(&self) -> String {
        format!("node-{}", self.serial)
    }

    fn id(&self) -> String {
        format!("usb-{}", self.serial)
    }
}

impl From<&Disk> for PluggedDisk {
    fn from(disk: &Disk) -> Self {
        Self {
            serial: disk.serial().to_owned(),
            path: disk.path().to_owned(),
            read_only: disk.is_write_protected(),
        }
    }
}
