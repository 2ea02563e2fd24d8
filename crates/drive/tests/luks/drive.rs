//! A drive in a sparse file, and what the tests do with it.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use appliance_drive::cipher::Cipher;
use appliance_drive::inspect::Consented;
use appliance_drive::luks::{Format, Limits, LuksError, Opened, format, open};
use libcryptsetup_rs::consts::vals::EncryptionFormat;
use libcryptsetup_rs::{CryptInit, Either};
use secrecy::SecretSlice;
use tempfile::TempDir;

/// As cheap as Argon2 allows: these tests are about the header, not about its strength.
pub const CHEAP: Limits = Limits {
    memory_kib: 1024,
    parallel: 1,
    time_ms: 0,
    passes: Some(4),
};

pub fn secret(text: &str) -> SecretSlice<u8> {
    SecretSlice::from(text.as_bytes().to_vec())
}

pub struct Drive {
    pub folder: TempDir,
    pub path: PathBuf,
}

impl Drive {
    pub fn blank() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("drive.img");
        fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
        Self { folder, path }
    }

    pub fn formatted() -> Self {
        let drive = Self::blank();
        format(
            &drive.consented(),
            &how(Cipher::AesXts),
            &secret("correct horse"),
            &[],
        )
        .unwrap();
        drive
    }

    /// A drive made elsewhere, with a key of 256 bits.
    pub fn with_a_short_key() -> Self {
        let drive = Self::blank();
        let path = drive.path.clone();
        let mut handle = CryptInit::init(&path).unwrap();
        handle
            .context_handle()
            .format::<()>(
                EncryptionFormat::Luks2,
                ("aes", "xts-plain64"),
                None,
                Either::Right(32),
                None,
            )
            .unwrap();
        drive
    }

    pub fn consented(&self) -> Consented {
        Consented::to_image(&self.path).unwrap()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub fn how(cipher: Cipher) -> Format {
    Format {
        cipher,
        limits: CHEAP,
        uuid: None,
    }
}

pub fn keyslot_of(device: &Path, passphrase: &SecretSlice<u8>) -> Result<u32, LuksError> {
    open(device, passphrase).map(|opened| opened.keyslot())
}

pub fn write_at(path: &Path, start: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(start)).unwrap();
    file.write_all(bytes).unwrap();
}

pub fn opened(drive: &Drive, passphrase: &SecretSlice<u8>) -> Opened {
    open(&drive.path, passphrase).unwrap()
}
