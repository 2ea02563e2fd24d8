//! The machine image: Debian packages of the host's own release, from the
//! host's own sources, put together by mmdebstrap.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    cache::{self, InUse, Key},
    error::{Doing, Error, Result},
    process::{self, output, program},
};

/// The root disk's size. It is sparse: what is not written takes no space.
const DISK_SIZE: &str = "12G";

/// A Debian machine without the product: kernel, initrd and root disk.
#[derive(Debug)]
pub struct BaseImage {
    pub(crate) key: String,
    folder: InUse,
}

impl BaseImage {
    /// The image for the recipe as it is now, built first if its inputs changed. What its inputs
    /// are is asked once in a process: apt takes a second for it.
    ///
    /// # Errors
    /// [`Error::Missing`] or [`Error::Host`] where it cannot be built,
    /// [`Error::Program`] with the log's end when building fails.
    pub fn ensure() -> Result<Self> {
        static RECIPE: Mutex<Option<(Arc<Recipe>, String)>> = Mutex::new(None);
        let mut known = RECIPE.lock().unwrap_or_else(PoisonError::into_inner);
        let (recipe, key) = match &*known {
            Some(known) => known.clone(),
            None => {
                let recipe = Recipe::read()?;
                let key = recipe.key()?;
                known.insert((Arc::new(recipe), key)).clone()
            }
        };
        drop(known);
        let folder = cache::ensure("images", &key, |folder| recipe.build(folder))?;
        Ok(Self { key, folder })
    }

    pub(crate) fn kernel(&self) -> PathBuf {
        self.folder.path().join("kernel")
    }

    pub(crate) fn initrd(&self) -> PathBuf {
        self.folder.path().join("initrd")
    }

    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.path().join("disk.qcow2")
    }
}

/// All that decides what an image holds.
struct Recipe {
    /// The Debian release's code name.
    suite: String,
    /// The host's sources of that release, one `deb` line each.
    sources: String,
    /// The host's settings that decide whether those sources can be read.
    apt_settings: Vec<String>,
    packages: Vec<String>,
}

impl Recipe {
    fn read() -> Result<Self> {
        let suite = suite()?;
        let sources = sources(&suite)?;
        let list = cache::sources().join("image/packages");
        let list = fs::read_to_string(&list).doing(|| format!("reading {}", list.display()))?;
        Ok(Self {
            sources,
            suite,
            apt_settings: apt_settings()?,
            packages: package_list(&list),
        })
    }

    fn key(&self) -> Result<String> {
        let mut key = Key::default();
        key.add("suite", self.suite.as_bytes());
        key.add("sources", self.sources.as_bytes());
        key.add("size", DISK_SIZE.as_bytes());
        for folder in ["image", "units"] {
            for file in cache::files(&cache::sources().join(folder))? {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                key.add_file(&format!("{folder}/{name}"), &file)?;
            }
        }
        Ok(key.finish())
    }

    fn build(&self, folder: &Path) -> Result<()> {
        let log = folder.join("build.log");
        eprintln!(
            "Building the machine image from {} Debian packages; this takes some minutes, once.",
            self.packages.len()
        );

        // The user that mmdebstrap becomes must reach this folder and write to
        // it; a home folder is closed to it.
        let scratch = tempfile::Builder::new()
            .prefix("virtual-appliance.")
            .tempdir_in("/var/tmp")
            .doing(|| "making a folder in /var/tmp".into())?;
        let out = scratch.path().join("out");
        fs::create_dir(&out).doing(|| format!("making {}", out.display()))?;
        for path in [scratch.path(), &out] {
            fs::set_permissions(path, Permissions::from_mode(0o1777))
                .doing(|| format!("opening {}", path.display()))?;
        }

        let result = self.mmdebstrap(scratch.path(), &out, &log).and_then(|()| {
            output(
                program("qemu-img", "qemu-utils")?
                    .args(["convert", "-O", "qcow2"])
                    .arg(out.join("disk.raw"))
                    .arg(folder.join("disk.qcow2")),
            )?;
            for file in ["kernel", "initrd"] {
                fs::copy(out.join(file), folder.join(file))
                    .doing(|| format!("copying the {file}"))?;
            }
            Ok(())
        });
        // What another user left in a folder of its own stays behind; a build that
        // succeeded leaves none.
        drop(scratch);
        result
    }

    fn mmdebstrap(&self, scratch: &Path, out: &Path, log: &Path) -> Result<()> {
        let sources = scratch.join("sources");
        fs::write(&sources, &self.sources).doing(|| format!("writing {}", sources.display()))?;

        // Hooks run in the image's own world, and reach the recipe through a copy.
        let recipe = scratch.join("recipe");
        output(
            Command::new("cp")
                .arg("-r")
                .args(["image", "units"].map(|name| cache::sources().join(name)))
                .arg(make_folder(&recipe)?),
        )?;
        output(Command::new("chmod").args(["-R", "a+rX"]).arg(&recipe))?;
        let hook = |script: &str| format!("{}/image/{script} \"$1\"", recipe.display());

        let mode = if nix::unistd::geteuid().is_root() {
            "root"
        } else {
            "unshare"
        };
        let mut command = program("mmdebstrap", "mmdebstrap")?;
        command
            .env("TMPDIR", scratch)
            .env("UNITS", recipe.join("units"))
            .env("OUT", out)
            .env("DISK_SIZE", DISK_SIZE)
            .arg(format!("--mode={mode}"))
            .args(["--variant=apt", "--format=null"])
            .arg(format!("--include={}", self.packages.join(",")))
            .args(self.apt_settings.iter().map(|s| format!("--aptopt={s}")))
            .arg(format!("--setup-hook={}", hook("setup")))
            .arg(format!("--customize-hook={}", hook("customize")))
            .args([&self.suite, "-"])
            .arg(&sources);
        let file = File::create(log).doing(|| format!("making {}", log.display()))?;
        let status = command
            .stdout(file.try_clone().doing(|| "copying a file handle".into())?)
            .stderr(file)
            .status()
            .doing(|| "running mmdebstrap".into())?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Program {
            program: "mmdebstrap".into(),
            status: status.to_string(),
            stderr: process::tail(&fs::read_to_string(log).unwrap_or_default(), 40),
        })
    }
}

fn make_folder(path: &Path) -> Result<&Path> {
    fs::create_dir(path).doing(|| format!("making {}", path.display()))?;
    Ok(path)
}

/// The host's release: its libraries are those that the product is linked with.
fn suite() -> Result<String> {
    let release =
        fs::read_to_string("/etc/os-release").doing(|| "reading /etc/os-release".into())?;
    let field = |name: &str| {
        release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
    };
    match (field("ID").as_deref(), field("VERSION_CODENAME")) {
        (Some("debian"), Some(suite)) => Ok(suite),
        _ => Err(Error::Host(
            "this is not a Debian release, whose packages it is made of".into(),
        )),
    }
}

/// Debian's own sources among the host's, as apt knows them.
fn sources(suite: &str) -> Result<String> {
    let listed = output(program("apt-get", "apt")?.args([
        "indextargets",
        "--format",
        "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
        "Origin: Debian",
    ]))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let sources = of_suite(&listed, suite);
    if sources.is_empty() {
        return Err(Error::Host(format!(
            "apt has no package lists of Debian's {suite}; run `apt-get update` as root first"
        )));
    }
    Ok(sources)
}

/// The lines of a release and its updates, each once, sorted.
fn of_suite(lines: &str, suite: &str) -> String {
    let mut chosen: Vec<&str> = lines
        .lines()
        .filter(|line| {
            let release = line.split(' ').nth(2).unwrap_or_default();
            // Backports would bring other versions than the host runs.
            release == suite
                || release == format!("{suite}-updates")
                || release == format!("{suite}-security")
        })
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen.iter().map(|line| format!("{line}\n")).collect()
}

/// The host's apt settings that its sources may need: proxies and, where a
/// mirror is frozen at a date, not to mind that date.
fn apt_settings() -> Result<Vec<String>> {
    let dump = output(program("apt-config", "apt")?.arg("dump"))?;
    Ok(String::from_utf8_lossy(&dump.stdout)
        .lines()
        .filter(|line| {
            let name = line.split(' ').next().unwrap_or_default();
            name.starts_with("Acquire::")
                && (name.contains("::Proxy")
                    || name.ends_with("Check-Valid-Until")
                    || name.ends_with("Check-Date"))
        })
        .map(|line| line.trim_end_matches(';').to_owned())
        .collect())
}

/// One package per line; `#` starts a comment.
fn package_list(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_own_release_is_taken() {
        let lines = "deb http://m/debian/ trixie main\n\
                     deb http://m/debian/ bookworm main\n\
                     deb http://m/debian/ bookworm-backports main\n\
                     deb http://s/debian-security/ bookworm-security main\n\
                     deb http://m/debian/ bookworm main\n";
        assert_eq!(
            of_suite(lines, "bookworm"),
            "deb http://m/debian/ bookworm main\n\
             deb http://s/debian-security/ bookworm-security main\n"
        );
    }

    #[test]
    fn comments_are_no_packages() {
        assert_eq!(
            package_list("# all\n\na\n  b # why\n#c\n"),
            ["a".to_owned(), "b".to_owned()]
        );
    }

    #[test]
    fn the_list_names_what_the_appliance_works_with() {
        let list = fs::read_to_string(cache::sources().join("image/packages")).unwrap();
        let packages = package_list(&list);
        for package in ["systemd", "postgresql", "libcryptsetup12", "restic"] {
            assert!(packages.iter().any(|name| name == package), "{package}");
        }
    }
}
