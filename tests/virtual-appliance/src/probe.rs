//! What this host can do: run machines at all, and with hardware's help.

use std::{
    env, fs,
    fs::OpenOptions,
    io::Read,
    process::Stdio,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    cache,
    error::{Doing, Result},
    image::BaseImage,
    process::{PROGRAMS, find, output, program, spawn_tied, tied},
};

/// The last thing the kernel says before it hands over: it got there.
const ARRIVED: &str = "Run /init as init process";

/// A working KVM needs a second or two for that.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The host's processor.
    Kvm,
    /// QEMU's translator: slower, and works everywhere.
    Tcg,
}

impl Accelerator {
    /// The accelerator to use here: KVM if a kernel really boots with it.
    ///
    /// That `/dev/kvm` is there and can be opened says little: some hosts have
    /// a KVM that runs only guests made for it.
    ///
    /// # Errors
    /// [`Error::Missing`](crate::Error::Missing) without QEMU.
    pub fn probe(image: &BaseImage) -> Result<Self> {
        match env::var("APPLIANCE_ACCELERATOR").as_deref() {
            Ok("kvm") => return Ok(Self::Kvm),
            Ok("tcg") => return Ok(Self::Tcg),
            _ => {}
        }
        if OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/kvm")
            .is_err()
        {
            return Ok(Self::Tcg);
        }
        let mut key = cache::Key::default();
        key.add("qemu", qemu_version()?.as_bytes());
        key.add("image", image.key.as_bytes());
        key.add_file("boot", "/proc/sys/kernel/random/boot_id".as_ref())?;
        let found = cache::ensure("probes", &key.finish(), |folder| {
            let works = kvm_boots(image)?;
            fs::write(folder.join("kvm"), if works { "yes" } else { "no" })
                .doing(|| "noting the probe's result".into())
        })?;
        let answer = found.path().join("kvm");
        let answer =
            fs::read_to_string(&answer).doing(|| format!("reading {}", answer.display()))?;
        Ok(if answer == "yes" {
            Self::Kvm
        } else {
            Self::Tcg
        })
    }

    /// QEMU's options for this accelerator and the processor to go with it.
    pub(crate) fn options(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            // Everything the translator knows, except what costs it time: five-level page
            // tables, nested virtualisation, whose modules do, and fast string operations,
            // which go byte by byte here.
            Self::Tcg => [
                "-accel",
                "tcg,thread=multi,tb-size=256",
                "-cpu",
                "max,la57=off,svm=off,erms=off,fsrm=off",
            ],
        }
    }

    /// What a saved state depends on besides QEMU: with KVM, the processor.
    pub(crate) fn identity(self) -> String {
        let processor = || {
            let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            let lines = cpuinfo.lines().take_while(|line| !line.is_empty());
            let lasting =
                lines.filter(|line| line.starts_with("model") || line.starts_with("flags"));
            lasting.collect::<Vec<_>>().join("\n")
        };
        match self {
            Self::Kvm => format!("{:?}\n{}", self.options(), processor()),
            Self::Tcg => format!("{:?}", self.options()),
        }
    }
}

/// QEMU's version line.
pub(crate) fn qemu_version() -> Result<String> {
    let version = output(program("qemu-system-x86_64", "qemu-system-x86")?.arg("--version"))?;
    Ok(String::from_utf8_lossy(&version.stdout).into_owned())
}

fn kvm_boots(image: &BaseImage) -> Result<bool> {
    let mut command = tied("qemu-system-x86_64");
    command
        .args(Accelerator::Kvm.options())
        .args([
            "-machine",
            "q35",
            "-m",
            "256",
            "-nodefaults",
            "-no-user-config",
        ])
        .args(["-display", "none", "-serial", "stdio", "-no-reboot"])
        .arg("-kernel")
        .arg(image.kernel())
        .arg("-initrd")
        .arg(image.initrd())
        .args(["-append", "console=ttyS0 panic=-1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut qemu = spawn_tied(command).doing(|| "starting QEMU".into())?;
    let (sender, console) = mpsc::channel();
    if let Some(mut stdout) = qemu.stdout.take() {
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
    }
    let deadline = Instant::now() + PATIENCE;
    let mut said = Vec::new();
    let mut arrived = false;
    while !arrived {
        let left = deadline.saturating_duration_since(Instant::now());
        // QEMU's end closes the channel as well.
        let Ok(more) = console.recv_timeout(left) else {
            break;
        };
        said.extend(more);
        arrived = String::from_utf8_lossy(&said).contains(ARRIVED);
    }
    let _ = qemu.kill();
    let _ = qemu.wait();
    Ok(arrived)
}

/// Why machines cannot run here, if they cannot.
pub fn missing() -> Option<String> {
    // Whoever is not root builds the image as another user of their own.
    let unprivileged: &[(&str, &str)] = &[("newuidmap", "uidmap")];
    let is_root = nix::unistd::geteuid().is_root();
    let (program, package) = PROGRAMS
        .iter()
        .chain(unprivileged.iter().filter(|_| !is_root))
        .find(|(program, _)| find(program).is_none())?;
    Some(format!(
        "{program} is not installed (Debian package {package})"
    ))
}

/// Whether tests with machines can run; says why not, and where
/// `APPLIANCE_REQUIRE_VM=1` is set, refuses to go on without.
///
/// # Panics
/// When machines are required and cannot run.
#[allow(
    clippy::panic,
    reason = "for tests: a required machine that is missing is a failure"
)]
pub fn can_run() -> bool {
    let Some(reason) = missing() else {
        return true;
    };
    if env::var("APPLIANCE_REQUIRE_VM").is_ok_and(|value| value == "1") {
        panic!("a virtual machine is required, but {reason}");
    }
    eprintln!("skipped: {reason}");
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_state_is_bound_to_how_it_was_run() {
        assert_ne!(Accelerator::Kvm.identity(), Accelerator::Tcg.identity());
    }
}
