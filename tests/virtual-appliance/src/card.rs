//! The virtual appliance as an image for a card: a partition table, a FAT partition with kernel
//! and boot loader's files as a Raspberry Pi has them, and the root file system.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Appliance, BaseImage, cargo,
    error::{Doing, Error, Result},
    process::{output, program},
    qemu::KERNEL_ARGUMENTS,
};

const MIB: u64 = 1 << 20;

/// Where the FAT partition begins, and its size.
const FAT_START: u64 = MIB;
const FAT_SIZE: u64 = 64 * MIB;

/// Where GRUB's modules for a PC's BIOS are.
const GRUB: &str = "/usr/lib/grub/i386-pc";

/// What GRUB needs to read a FAT partition and start Linux.
const MODULES: [&str; 6] = ["biosdisk", "part_msdos", "fat", "linux", "boot", "normal"];

/// A program of the workspace for the host, built as those in the machine are.
///
/// # Errors
/// When it does not build.
pub fn host_program(name: &str) -> Result<PathBuf> {
    let built = cargo::build(&["-p", name])?;
    cargo::pick(&built, name).cloned()
}

/// Makes an empty FAT file system with files on it.
///
/// # Errors
/// When mkfs.vfat or mtools are missing or fail.
pub fn make_fat(path: &Path, label: &str, files: &[(&str, &Path)]) -> Result<()> {
    output(
        program("mkfs.vfat", "dosfstools")?
            .args(["-F", "32", "-s", "1", "-n", label])
            .arg(path),
    )?;
    for (name, file) in files {
        output(
            program("mcopy", "mtools")?
                .arg("-i")
                .arg(path)
                .arg(file)
                .arg(format!("::{name}")),
        )?;
    }
    Ok(())
}

/// Writes an image into a folder: the product installed, the unit of the first boot enabled,
/// started by a PC's BIOS.
///
/// # Errors
/// When a program of the host is missing or fails, or the machine that it is made in does not
/// come up.
pub fn image(folder: &Path) -> Result<PathBuf> {
    let base = BaseImage::ensure()?;
    let mut machine = Appliance::start("card")?.into_machine();
    machine.upload(
        &fs_folder(&folder.join("initrd"), &base.initrd())?,
        "/root/in",
    )?;
    machine.sh(
        "mkdir -p /root/tree /root/out /boot/firmware /etc/immich-appliance &&
         (cd /root/tree && cpio --quiet -i </root/in/initrd && sed -i 's|/dev/vda |/dev/vda2 |' init &&
          find . | cpio --quiet -o -H newc >/root/out/initrd) &&
         cp /boot/vmlinuz-* /root/out/vmlinuz &&
         printf '%s\\n' '/dev/vda2 / ext4 noatime 0 0' \
           '/dev/vda1 /boot/firmware vfat nofail,noatime,umask=0077 0 0' >/etc/fstab &&
         printf '[first_boot]\\nuser = \"family\"\\n' >/etc/immich-appliance/config.toml &&
         systemctl --quiet enable immich-appliance-first-boot.service",
    )?;
    let out = folder.join("out");
    machine.download("/root/out", &out)?;
    machine.sh("rm -rf /root/in /root/tree /root/out; fstrim / || true; sync")?;
    machine.shut_down()?;
    let root = folder.join("root.raw");
    output(
        program("qemu-img", "qemu-utils")?
            .args(["convert", "-O", "raw"])
            .arg(machine.disk())
            .arg(&root),
    )?;
    drop(machine);
    // Its status tells that it mended something, too.
    let _ = program("e2fsck", "e2fsprogs")?
        .args(["-fy"])
        .arg(&root)
        .output();
    output(program("resize2fs", "e2fsprogs")?.arg("-M").arg(&root))?;
    assemble(folder, &out, &root)
}

/// A folder with one file in it.
fn fs_folder(folder: &Path, file: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(file, folder.join("initrd")))
        .doing(|| format!("copying {}", file.display()))?;
    Ok(folder.to_owned())
}

/// FAT partition, root partition and boot loader in one image.
fn assemble(folder: &Path, out: &Path, root: &Path) -> Result<PathBuf> {
    let doing = || "putting the card's image together".to_owned();
    let fat = folder.join("fat");
    File::create(&fat)
        .and_then(|file| file.set_len(FAT_SIZE))
        .doing(doing)?;
    make_fat(
        &fat,
        "FIRMWARE",
        &[
            ("vmlinuz", &out.join("vmlinuz")),
            ("initrd", &out.join("initrd")),
        ],
    )?;
    let size = filesystem_size(root)?.next_multiple_of(MIB);
    let start = FAT_START + FAT_SIZE;
    let path = folder.join("appliance.img");
    let image = File::create(&path).doing(doing)?;
    image.set_len(start + size).doing(doing)?;
    copy(&fat, &image, FAT_START, FAT_SIZE).doing(doing)?;
    copy(root, &image, start, size).doing(doing)?;
    fs::remove_file(root).doing(doing)?;

    let config = folder.join("grub.cfg");
    let arguments = KERNEL_ARGUMENTS.replace("/dev/vda ", "/dev/vda2 ");
    fs::write(
        &config,
        format!("set root=(hd0,msdos1)\nlinux /vmlinuz {arguments}\ninitrd /initrd\nboot\n"),
    )
    .doing(doing)?;
    let core = folder.join("core.img");
    output(
        program("grub-mkimage", "grub-common")?
            .args(["-O", "i386-pc", "-p", "/", "-d", GRUB, "-c"])
            .arg(&config)
            .arg("-o")
            .arg(&core)
            .args(MODULES),
    )?;
    let mut sector = fs::read(Path::new(GRUB).join("boot.img")).map_err(|_| Error::Missing {
        program: "boot.img",
        package: "grub-pc-bin",
    })?;
    sector.resize(512, 0);
    sector[440..].fill(0);
    for (place, kind, start, size) in [(0, 0x0c_u8, FAT_START, FAT_SIZE), (1, 0x83, start, size)] {
        let entry = &mut sector[446 + 16 * place..462 + 16 * place];
        entry[4] = kind;
        entry[8..12].copy_from_slice(&sectors(start));
        entry[12..].copy_from_slice(&sectors(size));
    }
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    image.write_all_at(&sector, 0).doing(doing)?;
    let core = fs::read(&core).doing(doing)?;
    image.write_all_at(&core, 512).doing(doing)?;
    Ok(path)
}

fn sectors(bytes: u64) -> [u8; 4] {
    u32::try_from(bytes / 512).unwrap_or(u32::MAX).to_le_bytes()
}

/// The size of an ext4 file system in bytes, by its superblock.
fn filesystem_size(path: &Path) -> Result<u64> {
    let doing = || format!("reading {}", path.display());
    let mut superblock = [0; 64];
    File::open(path)
        .and_then(|file| file.read_exact_at(&mut superblock, 1024))
        .doing(doing)?;
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&superblock[at..at + 4]);
        u64::from(u32::from_le_bytes(bytes))
    };
    Ok(number(4) * (1024 << number(24)))
}

/// Copies what is not zero.
fn copy(from: &Path, to: &File, at: u64, size: u64) -> std::io::Result<()> {
    let from = File::open(from)?;
    let zeros = vec![0; MIB as usize];
    let mut buffer = zeros.clone();
    let mut done = 0;
    while done < size {
        let count = from.read_at(&mut buffer, done)?;
        if count == 0 {
            break;
        }
        // As a whole: byte by byte it takes seconds where nothing is optimised.
        if buffer[..count] != zeros[..count] {
            to.write_all_at(&buffer[..count], at + done)?;
        }
        done += count as u64;
    }
    Ok(())
}

/// A file that stands for a card of this size, and the loop device over it.
#[derive(Debug)]
pub struct LoopCard {
    /// The device.
    pub device: PathBuf,
    /// The file.
    pub medium: PathBuf,
}

impl LoopCard {
    /// Makes one; `None` where this user or kernel cannot, and says why.
    ///
    /// # Errors
    /// When losetup fails.
    pub fn new(folder: &Path, size: u64) -> Result<Option<Self>> {
        if !nix::unistd::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
            println!("SKIPPED: cards are loop devices, which need root and a kernel that has them");
            return Ok(None);
        }
        let medium = folder.join("card.raw");
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&medium)
            .and_then(|file| file.set_len(size))
            .doing(|| format!("making {}", medium.display()))?;
        let shown = output(
            program("losetup", "mount")?
                .args(["--find", "--show"])
                .arg(&medium),
        )?;
        let device = String::from_utf8_lossy(&shown.stdout).trim().into();
        Ok(Some(Self { device, medium }))
    }
}

impl Drop for LoopCard {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("-d").arg(&self.device).status();
    }
}
