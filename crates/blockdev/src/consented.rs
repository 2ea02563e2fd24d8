//! The device that a person agreed to lose.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use serde::Serialize;

use crate::sysfs::{model, names, number_of, serial};
use crate::{Device, System};

/// What tells a device from any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Major and minor number.
    pub number: (u32, u32),
    /// As in [`Device::diskseq`].
    pub diskseq: Option<u64>,
    /// Size in bytes.
    pub size: u64,
    /// Vendor and model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
}

/// A device that a person agreed to lose, held open. What erases takes this and no path: between
/// a person's word and the deed minutes pass, in which names move from one disk to another and
/// cards are changed in their reader.
#[derive(Debug)]
pub struct Consented {
    path: PathBuf,
    system: System,
    identity: Identity,
    /// As long as it is open, the kernel gives the device's number to no other.
    held: File,
}

/// What was consented to cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// It cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The device.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what was shown to the person.
    #[error("{} is no longer the device that was shown: {how}", path.display())]
    Changed {
        /// The device.
        path: PathBuf,
        /// What differs.
        how: String,
    },
}

impl Consented {
    /// Holds the device that was looked at and shown. It must still be the same one.
    ///
    /// # Errors
    /// [`ConsentError::Changed`] when another one has taken its place.
    pub fn to<C>(system: &System, device: &Device<C>) -> Result<Self, ConsentError> {
        let path = device.path.clone();
        let failed = |source| ConsentError::Open {
            path: path.clone(),
            source,
        };
        let held = File::open(&path).map_err(failed)?;
        let identity = Identity::of(system, &held).map_err(failed)?;
        same(&path, &device.identity(), &identity)?;
        Ok(Self {
            path,
            system: system.clone(),
            identity,
            held,
        })
    }

    /// Holds a regular file that stands for a disk.
    ///
    /// # Errors
    /// When it cannot be opened, or is anything else.
    pub fn to_image(path: &Path) -> Result<Self, ConsentError> {
        let failed = |source| ConsentError::Open {
            path: path.to_owned(),
            source,
        };
        let held = File::open(path).map_err(failed)?;
        if !held.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file",
            )));
        }
        let system = System::live();
        let identity = Identity::of(&system, &held).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            system,
            identity,
            held,
        })
    }

    /// The mapping at `node`, as far as it lies on this device alone: what is consented to with
    /// the device it hides.
    ///
    /// # Errors
    /// [`ConsentError::Changed`] when it lies on anything else.
    pub fn mapping(&self, node: &Path) -> Result<Self, ConsentError> {
        let failed = |source| ConsentError::Open {
            path: node.to_owned(),
            source,
        };
        let held = File::open(node).map_err(failed)?;
        let identity = Identity::of(&self.system, &held).map_err(failed)?;
        let beneath = beneath(&self.system, identity.number);
        if beneath != [self.identity.number] {
            return Err(ConsentError::Changed {
                path: node.to_owned(),
                how: format!("it does not lie on {} alone", self.path.display()),
            });
        }
        Ok(Self {
            path: node.to_owned(),
            system: self.system.clone(),
            identity,
            held,
        })
    }

    /// Its node. Before and after a program or a library works on it by this path, call
    /// [`Consented::check`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it was told by.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Opens it by its path, and compares what was opened with what is held.
    ///
    /// # Errors
    /// [`ConsentError::Changed`] when the path leads to something else by now.
    pub fn open(&self, options: &OpenOptions) -> Result<File, ConsentError> {
        let failed = |source| ConsentError::Open {
            path: self.path.clone(),
            source,
        };
        let file = options.open(&self.path).map_err(failed)?;
        let (was, is) = (
            self.held.metadata().map_err(failed)?,
            file.metadata().map_err(failed)?,
        );
        if thing(&was) != thing(&is) {
            return Err(ConsentError::Changed {
                path: self.path.clone(),
                how: "its name leads elsewhere".to_owned(),
            });
        }
        let now = Identity::of(&self.system, &file).map_err(failed)?;
        same(&self.path, &self.identity, &now)?;
        Ok(file)
    }

    /// Is its path still that of the device held?
    ///
    /// # Errors
    /// As [`Consented::open`].
    pub fn check(&self) -> Result<(), ConsentError> {
        self.open(OpenOptions::new().read(true)).map(drop)
    }
}

/// Node or file that metadata is of: what the kernel keeps unique while it is held open.
fn thing(metadata: &Metadata) -> (bool, u64, u64) {
    if metadata.file_type().is_block_device() {
        (true, metadata.rdev(), 0)
    } else {
        (false, metadata.dev(), metadata.ino())
    }
}

fn same(path: &Path, was: &Identity, is: &Identity) -> Result<(), ConsentError> {
    was.difference(is).map_or(Ok(()), |how| {
        Err(ConsentError::Changed {
            path: path.to_owned(),
            how,
        })
    })
}

nix::ioctl_read!(
    /// The disk's number in the kernel's count.
    blkgetdiskseq,
    0x12,
    128,
    u64
);
nix::ioctl_read!(
    /// Size of a block device in bytes.
    blkgetsize64,
    0x12,
    114,
    u64
);

impl Identity {
    /// In words, what tells `now` from this one; `None` when it is the same device.
    pub fn difference(&self, now: &Self) -> Option<String> {
        let number = |(major, minor): (u32, u32)| format!("{major}:{minor}");
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        let differs = |what: &str, was: String, is: String| {
            (was != is).then(|| format!("its {what} was {was} and is {is}"))
        };
        differs("device number", number(self.number), number(now.number))
            .or_else(|| differs("serial number", or(&self.serial), or(&now.serial)))
            .or_else(|| differs("model", or(&self.model), or(&now.model)))
            .or_else(|| differs("size", self.size.to_string(), now.size.to_string()))
            .or_else(|| {
                (self.diskseq != now.diskseq)
                    .then(|| "it was taken out or exchanged meanwhile".to_owned())
            })
    }

    /// What the kernel says of an open device; of a regular file only its size.
    fn of(system: &System, file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.file_type().is_block_device() {
            return Ok(Self {
                number: (0, 0),
                diskseq: None,
                size: metadata.len(),
                model: None,
                serial: None,
            });
        }
        let part = |number: u64| u32::try_from(number).map_err(io::Error::other);
        let number = (part(major(metadata.rdev()))?, part(minor(metadata.rdev()))?);
        let (mut size, mut diskseq) = (0_u64, 0_u64);
        // SAFETY: the descriptor is open, and the kernel writes one u64 to the place given.
        unsafe { blkgetsize64(file.as_raw_fd(), &raw mut size) }?;
        // SAFETY: as above. Kernels before 5.15 refuse.
        let counted = unsafe { blkgetdiskseq(file.as_raw_fd(), &raw mut diskseq) }.is_ok();
        let folder = folder(system, number)?;
        let disk = match folder.parent() {
            Some(disk) if folder.join("partition").exists() => disk,
            _ => &folder,
        };
        Ok(Self {
            number,
            diskseq: counted.then_some(diskseq),
            size,
            model: model(disk),
            serial: serial(disk),
        })
    }
}

/// The sysfs folder of the device with that number.
fn folder(system: &System, (major, minor): (u32, u32)) -> io::Result<PathBuf> {
    fs::canonicalize(system.sys.join(format!("dev/block/{major}:{minor}")))
}

/// Numbers of the devices that a mapping lies on.
fn beneath(system: &System, number: (u32, u32)) -> Vec<(u32, u32)> {
    let Ok(slaves) = folder(system, number).map(|folder| folder.join("slaves")) else {
        return Vec::new();
    };
    names(&slaves)
        .unwrap_or_default()
        .iter()
        .filter_map(|name| number_of(&slaves.join(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            number: (8, 0),
            diskseq: Some(7),
            size: 64_000_000_000,
            model: Some("Maker Stick".into()),
            serial: Some("0001".into()),
        }
    }

    #[test]
    fn any_difference_is_told_in_words() {
        let was = identity();
        assert_eq!(was.difference(&identity()), None);
        let one = |change: fn(&mut Identity)| {
            let mut now = identity();
            change(&mut now);
            was.difference(&now).unwrap()
        };
        assert_eq!(
            one(|now| now.number = (8, 16)),
            "its device number was 8:0 and is 8:16"
        );
        assert_eq!(
            one(|now| now.serial = Some("0002".into())),
            "its serial number was 0001 and is 0002"
        );
        assert_eq!(
            one(|now| now.model = None),
            "its model was Maker Stick and is none"
        );
        assert_eq!(one(|now| now.size = 1), "its size was 64000000000 and is 1");
        // A card exchanged for its twin, in the same reader.
        assert_eq!(
            one(|now| now.diskseq = Some(8)),
            "it was taken out or exchanged meanwhile"
        );
    }

    #[test]
    fn a_file_that_took_the_place_of_the_one_consented_to_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("disk"), folder.path().join("other"));
        for path in [&path, &other] {
            File::create(path).unwrap().set_len(1 << 20).unwrap();
        }
        let consented = Consented::to_image(&path).unwrap();
        consented.check().unwrap();
        fs::rename(&other, &path).unwrap();
        let error = consented.open(OpenOptions::new().write(true)).unwrap_err();
        assert!(matches!(error, ConsentError::Changed { .. }), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(consented.check().is_err());
        assert!(Consented::to_image(folder.path()).is_err());
    }

    #[test]
    fn a_mapping_is_known_by_what_it_lies_on() {
        let machine = crate::tests::Machine::new();
        machine.disk("usb1/host0", "sda", "8:0");
        machine.mapping(
            "devices/usb1/host0/block/sda",
            "dm-0",
            "immich_drive",
            "254:0",
        );
        let system = machine.system();
        assert_eq!(beneath(&system, (254, 0)), [(8, 0)]);
        assert_eq!(beneath(&system, (8, 0)), []);
        assert_eq!(beneath(&system, (254, 9)), []);
    }
}
