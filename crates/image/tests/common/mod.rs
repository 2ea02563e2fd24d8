//! Images and settings for the tests, made anew each time with the tools of Debian.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::fs::{self, File};
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use appliance_first_boot::Settings;
use appliance_image::table::Kind;

pub const MIB: u64 = 1 << 20;

/// Where the FAT partition begins in every image here.
pub const FAT_START: u64 = 2 * MIB;

pub const SETTINGS: &str = r#"
hostname = "fotos"
time_zone = "Europe/Berlin"
password_hash = "$6$rounds=200000$saltsaltsalt$AbCdEfGhIjKlMnOpQrStUvWxYz0123456789./AbCdEfGhIjKlMnOpQrStUvWxYz0123456789./AbCdEfGhIj"
[wifi]
ssid = "Heim 🏠"
passphrase = "Schlüssel zum Glück 密码"
"#;

pub fn settings() -> Settings {
    Settings::parse(SETTINGS.as_bytes()).unwrap()
}

/// Bytes that look random and are the same every time.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; see scripts/packages"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An image with a FAT partition at [`FAT_START`] and noise after it.
pub struct Recipe {
    pub kind: Kind,
    /// 12, 16 or 32.
    pub bits: u32,
    /// Size of the FAT partition in MiB.
    pub fat: u64,
    /// Size of the noise after it in MiB.
    pub rest: u64,
}

impl Recipe {
    pub fn new(kind: Kind, bits: u32) -> Self {
        // Of 512 bytes each FAT12 takes less than 4085 clusters; FAT32 needs more than 65524.
        let fat = match bits {
            12 => 2,
            16 => 16,
            _ => 36,
        };
        Self {
            kind,
            bits,
            fat,
            rest: 3,
        }
    }

    pub fn size(&self) -> u64 {
        // The last MiB takes GPT's second table.
        FAT_START + (self.fat + self.rest + 1) * MIB
    }

    pub fn make(&self, folder: &Path) -> PathBuf {
        let name = format!(
            "{:?}-{}-{}-{}.img",
            self.kind, self.bits, self.fat, self.rest
        );
        let path = folder.join(name);
        let fat = folder.join("fat");
        let file = File::create(&fat).unwrap();
        file.set_len(self.fat * MIB).unwrap();
        let bits = self.bits.to_string();
        let fat_path = fat.to_str().unwrap();
        run(
            "mkfs.vfat",
            &[
                "-F", &bits, "-s", "1", "-n", "FIRMWARE", "-i", "1234abcd", fat_path,
            ],
        );
        // What a firmware partition has, so that clusters and entries are taken.
        let kernel = folder.join("kernel.img");
        fs::write(&kernel, noise(7, 700_000)).unwrap();
        run(
            "mcopy",
            &[
                "-i",
                fat_path,
                kernel.to_str().unwrap(),
                "::kernel-with-a-long-name.img",
            ],
        );

        let mut image = File::create_new(&path).unwrap();
        image.set_len(self.size()).unwrap();
        image
            .write_all_at(&fs::read(&fat).unwrap(), FAT_START)
            .unwrap();
        let rest = FAT_START + self.fat * MIB;
        image
            .write_all_at(&noise(1, (self.rest * MIB) as usize), rest)
            .unwrap();
        // A boot loader in the gap before the first partition.
        image.write_all_at(&noise(2, 4096), MIB + 512).unwrap();
        match self.kind {
            Kind::Mbr => self.mbr(&mut image, rest),
            Kind::Gpt => self.gpt(&mut image, rest),
        }
        fs::remove_file(fat).unwrap();
        fs::remove_file(kernel).unwrap();
        path
    }

    fn mbr(&self, image: &mut File, rest: u64) {
        let mut sector = vec![0; 512];
        image.read_at(&mut sector, 0).unwrap();
        let mut entry = |place: usize, kind: u8, start: u64, size: u64| {
            let entry = &mut sector[446 + 16 * place..462 + 16 * place];
            entry[4] = kind;
            entry[8..12].copy_from_slice(&((start / 512) as u32).to_le_bytes());
            entry[12..16].copy_from_slice(&((size / 512) as u32).to_le_bytes());
        };
        let kind = if self.bits == 32 { 0x0c } else { 0x0e };
        entry(0, kind, FAT_START, self.fat * MIB);
        entry(1, 0x83, rest, self.rest * MIB);
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        image.write_all_at(&sector, 0).unwrap();
    }

    fn gpt(&self, image: &mut File, rest: u64) {
        let sectors = u32::try_from(self.size() / 512 - 1).unwrap();
        gpt::mbr::ProtectiveMBR::with_lb_size(sectors)
            .overwrite_lba0(image)
            .unwrap();
        let mut disk = gpt::GptConfig::new()
            .writable(true)
            .create_from_device(image, None)
            .unwrap();
        let mut add = |name: &str, kind, start: u64, size: u64| {
            let id = disk.find_next_partition_id().unwrap();
            disk.add_partition_at(name, id, start / 512, size / 512, kind, 0)
                .unwrap();
        };
        add(
            "firmware",
            gpt::partition_types::EFI,
            FAT_START,
            self.fat * MIB,
        );
        add(
            "root",
            gpt::partition_types::LINUX_FS,
            rest,
            self.rest * MIB,
        );
        disk.write().unwrap();
    }
}

/// The same image, compressed.
pub fn compress(image: &Path) -> PathBuf {
    let path = image.with_extension("img.zst");
    // As `zstd` does with a file: the frame tells the size.
    let mut encoder = zstd::Encoder::new(File::create(&path).unwrap(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder
        .set_pledged_src_size(Some(fs::metadata(image).unwrap().len()))
        .unwrap();
    std::io::copy(&mut File::open(image).unwrap(), &mut encoder).unwrap();
    encoder.finish().unwrap();
    path
}

/// A file on the FAT partition of an image, read by mtools; `None` if there is none.
pub fn on_fat(image: &Path, name: &str) -> Option<Vec<u8>> {
    let place = format!("{}@@{FAT_START}", image.display());
    let output = Command::new("mtype")
        .args(["-i", &place, &format!("::{name}")])
        .output()
        .unwrap();
    output.status.success().then_some(output.stdout)
}

/// Has dosfstools check the FAT partition.
pub fn check_fat(image: &Path, recipe: &Recipe) {
    let mut bytes = vec![0; (recipe.fat * MIB) as usize];
    File::open(image)
        .unwrap()
        .read_exact_at(&mut bytes, FAT_START)
        .unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    run("fsck.vfat", &["-n", file.path().to_str().unwrap()]);
}

/// Whether a text occurs anywhere in a file.
pub fn holds(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).unwrap();
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

pub fn zeros(length: u64) -> Cursor<Vec<u8>> {
    let mut cursor = Cursor::new(vec![0; length as usize]);
    cursor.seek(SeekFrom::Start(0)).unwrap();
    cursor
}

/// Flushes what `write_all` took.
pub fn settled(mut file: File) {
    file.flush().unwrap();
}
