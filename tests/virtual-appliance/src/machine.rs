//! A virtual machine: booted, worked in, and mistreated.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tempfile::TempDir;

use crate::{
    cache::{self, InUse},
    command::{Command, Output},
    disk::{self, Disk},
    error::{Doing, Error, Result},
    image::BaseImage,
    probe::Accelerator,
    process,
    qemu::{Boot, Firmware, Hardware, PluggedDisk, Qemu},
    ssh::{self, Ssh},
    turn::{self, Turn},
};

mod disks;

/// How long a boot may take. An emulated machine on a busy host needs a minute.
const BOOT: Duration = Duration::from_secs(300);

/// How long a shutdown may take: systemd gives a unit 90 s.
const SHUTDOWN: Duration = Duration::from_secs(240);

const SSH: u16 = 22;

/// A virtual machine with its disk; both are gone when the value is dropped.
#[derive(Debug)]
pub struct Machine {
    // The order is that of dropping: the power goes first, the turn last.
    power: Option<Power>,
    hardware: Hardware,
    key: ssh::Key,
    disks: Vec<PluggedDisk>,
    /// The host's port for each port of the guest that is forwarded.
    ports: BTreeMap<u16, u16>,
    run: InUse,
    _sockets: TempDir,
    /// What the machine's disk is based on.
    _bases: Vec<Arc<InUse>>,
    _turn: Arc<Turn>,
}

#[derive(Debug)]
struct Power {
    ssh: Option<Ssh>,
    qemu: Qemu,
}

impl Machine {
    /// A machine with the Debian image as its disk, without the product.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Program`] when its disk cannot be made.
    pub fn from_base(name: &str, image: &Arc<BaseImage>) -> Result<Self> {
        let accelerator = Accelerator::probe(image)?;
        let boot = Boot::Kernel(Arc::clone(image));
        Self::new(name, accelerator, boot, &image.disk(), Vec::new())
    }

    /// A machine with a disk image of its own boot loader, which stays as it
    /// is. The image lets root in by the key that systemd finds in the
    /// machine's firmware (`ssh.authorized_keys.root`) and takes its address by
    /// DHCP.
    ///
    /// # Errors
    /// [`Error::NoImage`] if there is no such file; as [`Machine::from_base`].
    pub fn from_image(name: &str, image: &Path, firmware: Firmware) -> Result<Self> {
        let image = image
            .canonicalize()
            .map_err(|_| Error::NoImage(image.to_owned()))?;
        // Whether KVM works is found out with a kernel that surely boots.
        let accelerator = Accelerator::probe(&BaseImage::ensure()?)?;
        Self::new(
            name,
            accelerator,
            Boot::Firmware(firmware),
            &image,
            Vec::new(),
        )
    }

    pub(crate) fn new(
        name: &str,
        accelerator: Accelerator,
        boot: Boot,
        backing: &Path,
        bases: Vec<Arc<InUse>>,
    ) -> Result<Self> {
        let turn = turn::take()?;
        let key = ssh::Key::ensure()?;
        let run = cache::claim("runs", name)?;
        let sockets = tempfile::Builder::new()
            .prefix("va-")
            .tempdir()
            .doing(|| "making a folder for sockets".into())?;
        let disk = run.path().join("disk.qcow2");
        disk::overlay(&disk, backing)?;
        Ok(Self {
            power: None,
            hardware: Hardware {
                name: name.to_owned(),
                accelerator,
                boot,
                disk,
                folder: run.path().to_owned(),
                sockets: sockets.path().to_owned(),
                public_key: key.public.clone(),
            },
            key,
            disks: Vec::new(),
            ports: BTreeMap::new(),
            run,
            _sockets: sockets,
            _bases: bases,
            _turn: turn,
        })
    }

    /// The machine's name, as given.
    pub fn name(&self) -> &str {
        &self.hardware.name
    }

    // --- power -----------------------------------------------------------

    /// Switches the machine on, with the disks that are plugged in, and waits
    /// until systemd has started all that it starts at boot.
    ///
    /// # Errors
    /// [`Error::Late`] with the console's end when it does not come up,
    /// [`Error::Ended`] when QEMU cannot run it.
    pub fn boot(&mut self) -> Result<()> {
        self.power = None;
        let mut qemu = self.hardware.start(false)?;
        for disk in &self.disks {
            qemu.plug(disk)?;
        }
        qemu.resume()?;
        self.switched_on(qemu)?;
        self.wait_until_up("booting")
    }

    /// Loads a saved state instead of booting, with the disk that was plugged in then, and
    /// sets the clock right.
    pub(crate) fn wake(&mut self, state: &Path, disk: Option<&Disk>) -> Result<()> {
        let mut qemu = self.hardware.start(true)?;
        self.disks.extend(disk.map(PluggedDisk::from));
        for disk in &self.disks {
            qemu.plug(disk)?;
        }
        qemu.load(state)?;
        qemu.resume()?;
        self.switched_on(qemu)?;
        let deadline = Instant::now() + BOOT;
        // Its SSH server listens already. One that is asked for its greeting first starts a
        // process for it, which costs an emulated processor half a second.
        self.open_connection(deadline)?;
        self.connect(deadline, "waking up")?;
        self.set_clock()
    }

    /// Saves the running machine's state, switches it off and returns its disk,
    /// which the state belongs to.
    pub(crate) fn save(mut self, state: &Path, disk: &Path) -> Result<()> {
        self.sh("sync")?;
        let Some(mut power) = self.power.take() else {
            return Err(self.off());
        };
        power.ssh = None;
        // Let the guest see the connection's end before time stops for it.
        thread::sleep(Duration::from_millis(500));
        power.qemu.save(state)?;
        fs::rename(&self.hardware.disk, disk).doing(|| format!("moving {}", disk.display()))
    }

    /// Pulls the plug: what the machine had not written and flushed to a disk
    /// is gone. Disks stay plugged in; [`Machine::boot`] switches it on again.
    pub fn cut_power(&mut self) {
        self.power = None;
    }

    /// Shuts the machine down in order.
    ///
    /// # Errors
    /// [`Error::Late`] when it does not power off in time.
    pub fn shut_down(&mut self) -> Result<()> {
        let _ = self.command("systemctl poweroff").run();
        let Some(power) = &mut self.power else {
            return Err(self.off());
        };
        power.ssh = None;
        if power.qemu.wait_end(SHUTDOWN)? {
            self.power = None;
            return Ok(());
        }
        Err(self.late("shutting down", SHUTDOWN))
    }

    /// Reboots the machine in order and waits until it is up again.
    ///
    /// # Errors
    /// As [`Machine::boot`].
    pub fn reboot(&mut self) -> Result<()> {
        let before = self.boot_id()?;
        // The connection may end before the command does.
        let _ = self.command("systemctl reboot").run();
        self.wait_for_another_boot(&before, "rebooting")
    }

    /// Presses the reset button and waits until the machine is up again.
    ///
    /// # Errors
    /// As [`Machine::boot`].
    pub fn reset(&mut self) -> Result<()> {
        let before = self.boot_id()?;
        let Some(power) = &mut self.power else {
            return Err(self.off());
        };
        power.qemu.reset()?;
        self.wait_for_another_boot(&before, "booting after a reset")
    }

    /// Whether the power is on.
    pub fn is_on(&self) -> bool {
        self.power.is_some()
    }

    fn switched_on(&mut self, mut qemu: Qemu) -> Result<()> {
        self.ports.entry(SSH).or_insert(0);
        for (guest, host) in &mut self.ports {
            let wish = Some(*host).filter(|host| *host != 0);
            *host = qemu.forward(*guest, wish)?;
        }
        self.power = Some(Power { ssh: None, qemu });
        Ok(())
    }

    fn wait_until_up(&mut self, what: &str) -> Result<()> {
        let deadline = Instant::now() + BOOT;
        self.connect(deadline, what)?;
        let left = deadline.saturating_duration_since(Instant::now());
        // "degraded" is up as well; whoever minds looks at the failed units.
        self.command("systemctl is-system-running --wait")
            .limit(left)
            .run()?;
        // USB disks are found in the kernel's own time.
        for disk in &self.disks {
            self.wait_for(disk)?;
        }
        Ok(())
    }

    fn wait_for_another_boot(&mut self, before: &str, what: &str) -> Result<()> {
        let deadline = Instant::now() + BOOT;
        loop {
            self.connect(deadline, what)?;
            match self.boot_id() {
                Ok(now) if now != before => return self.wait_until_up(what),
                // Each question costs the machine that is to shut down a third of a second.
                _ => thread::sleep(Duration::from_millis(1500)),
            }
        }
    }

    fn boot_id(&self) -> Result<String> {
        self.sh("cat /proc/sys/kernel/random/boot_id")
    }

    /// Makes sure that the connection stands.
    fn connect(&mut self, deadline: Instant, what: &str) -> Result<()> {
        let port = self.forward(SSH)?;
        loop {
            let Some(power) = &mut self.power else {
                return Err(self.off());
            };
            if power.ssh.as_ref().is_some_and(Ssh::is_alive) {
                return Ok(());
            }
            power.ssh = None;
            power.qemu.check()?;
            if Ssh::answers(port) {
                self.open_connection(deadline)?;
                continue;
            }
            if Instant::now() > deadline {
                return Err(self.late(what, BOOT));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn open_connection(&mut self, deadline: Instant) -> Result<()> {
        let port = self.forward(SSH)?;
        let control = self.hardware.sockets.join("ssh");
        if let Some(power) = &mut self.power {
            power.ssh = Ssh::connect(port, &self.key, &control, deadline)?;
        }
        Ok(())
    }

    fn set_clock(&self) -> Result<()> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let line = format!("date -s @{}.{:09}", now.as_secs(), now.subsec_nanos());
        self.sh(&line).map(drop)
    }

    // --- work ------------------------------------------------------------

    /// A command for the machine's shell, as root unless told otherwise.
    ///
    /// # Panics
    /// When the machine is off: a scenario that does this is wrong.
    #[allow(clippy::panic, reason = "an error of the scenario, not of the world")]
    pub fn command(&self, line: &str) -> Command<'_> {
        match &self.power {
            Some(Power { ssh: Some(ssh), .. }) => Command::new(ssh, line),
            _ => panic!("`{line}`: {}", self.off()),
        }
    }

    /// Runs a command as root, whatever its exit status.
    ///
    /// # Errors
    /// [`Error::Lost`](crate::Error::Lost) when the connection breaks,
    /// [`Error::Stuck`](crate::Error::Stuck) after 10 minutes.
    pub fn run(&self, line: &str) -> Result<Output> {
        self.command(line).run()
    }

    /// Runs a command as root and returns what it wrote to standard output,
    /// without the last line break.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) with all that it said when its
    /// exit status is not 0; as [`Machine::run`].
    pub fn sh(&self, line: &str) -> Result<String> {
        self.run(line)?.ok()
    }

    // --- hardware --------------------------------------------------------

    /// The host's port (on 127.0.0.1) that leads to a port of the machine. It
    /// stays the same as long as the machine lives, if nobody else takes it
    /// while the power is off.
    ///
    /// # Errors
    /// [`Error::Off`] when it is not forwarded yet and the power is off.
    pub fn forward(&mut self, guest: u16) -> Result<u16> {
        if let Some(host) = self.ports.get(&guest) {
            return Ok(*host);
        }
        let Some(power) = &mut self.power else {
            return Err(self.off());
        };
        let host = power.qemu.forward(guest, None)?;
        self.ports.insert(guest, host);
        Ok(host)
    }

    /// What the machine wrote to its serial console since it was first started.
    pub fn console(&self) -> String {
        let console = fs::read(self.hardware.console()).unwrap_or_default();
        String::from_utf8_lossy(&console).into_owned()
    }

    /// The command with which a person logs in.
    pub fn login_line(&self) -> String {
        ssh::login_line(self.ports.get(&SSH).copied().unwrap_or_default(), &self.key)
    }

    /// Waits until the machine is switched off from inside.
    ///
    /// # Errors
    /// [`Error::Io`] when the system does not say.
    pub fn wait_until_off(&mut self) -> Result<()> {
        while let Some(power) = &mut self.power {
            if power.qemu.wait_end(Duration::from_secs(1))? {
                self.power = None;
            }
        }
        Ok(())
    }

    /// The root disk's file.
    pub(crate) fn disk(&self) -> &Path {
        &self.hardware.disk
    }

    pub(crate) fn run_folder(&self) -> &Path {
        self.run.path()
    }

    fn off(&self) -> Error {
        Error::Off {
            machine: self.hardware.name.clone(),
        }
    }

    fn late(&self, what: &str, limit: Duration) -> Error {
        Error::Late {
            machine: self.hardware.name.clone(),
            what: what.to_owned(),
            limit,
            console: process::tail(&self.console(), 30),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if thread::panicking() {
            match self.keep_evidence() {
                Ok(folder) => eprintln!("{}: its logs are in {}", self.name(), folder.display()),
                Err(error) => eprintln!("{}: no logs: {error}", self.name()),
            }
        }
        self.power = None;
        let _ = fs::remove_dir_all(self.run_folder());
    }
}

impl Machine {
    /// Puts what the machine said where it outlives a failed test.
    fn keep_evidence(&self) -> Result<PathBuf> {
        let folder = cache::subfolder(&format!("failed/{}", self.name()))?;
        let keep = |name: &str, content: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, content).doing(|| format!("writing {}", path.display()))
        };
        keep("console.log", self.console().as_bytes())?;
        let connected = self
            .power
            .as_ref()
            .is_some_and(|power| power.ssh.as_ref().is_some_and(Ssh::is_alive));
        if connected {
            let journal = self
                .command("journalctl --no-pager --boot --lines=5000")
                .limit(Duration::from_secs(60))
                .run()?;
            keep("journal.log", &journal.stdout)?;
        }
        Ok(folder)
    }
}
