//! A family's home: an appliance, photos to upload, and an S3 server for the backup. What
//! scenarios and the demo have in common.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use appliance_immich::api::{Client, NewAlbum, NewAsset, SignUp};
use jiff::Timestamp;
use secrecy::SecretString;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Appliance, Disk, Output, S3Server, Snapshot, photos::Photo};

mod backed_up;

pub use backed_up::BackedUp;

/// The passphrase of the drives made here.
pub const PASSPHRASE: &str = "correct horse battery staple";
const MAIL: &str = "family@example.com";
const PASSWORD: &str = "immich password";
const BUCKET: &str = "photos";
/// The password of a repository that was there before.
const REPOSITORY_PASSWORD: &str = "written down years ago";
/// Where the machine keeps the secrets that a person would type.
const TYPED: &str = "/root/typed";

/// The drive of a settled home: its serial number, and its size in MiB.
const DRIVE: &str = "PHOTOS";
const DRIVE_SIZE: u64 = 1024;

/// An appliance with an S3 server beside it.
pub struct Home {
    /// The machine.
    pub appliance: Appliance,
    /// The S3 server.
    pub s3: S3Server,
    s3_folder: TempDir,
}

/// A photo that was uploaded.
pub struct Uploaded {
    /// Its ID in Immich.
    pub id: Uuid,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Home {
    /// A machine that has just booted, with no drive.
    ///
    /// # Errors
    /// If machine or S3 server do not start.
    pub fn new(name: &str) -> Result<Self> {
        Self::around(Appliance::start(name)?)
    }

    /// A machine with a drive on which Immich runs and the family has signed up: where most
    /// stories begin. The way there is gone once, and kept as a snapshot.
    ///
    /// # Errors
    /// As [`Home::new`], and as each step there.
    pub fn settled(name: &str) -> Result<(Self, Disk)> {
        let (machine, disk) = Self::settlement()?.start_with_disk(name, DRIVE)?;
        Ok((Self::around(Appliance::from(machine))?, disk))
    }

    /// The snapshot of a settled home.
    fn settlement() -> Result<Snapshot> {
        Appliance::snapshot()?.with_disk("homes", include_bytes!("home.rs"), |_| {
            let mut home = Home::new("settling")?;
            let disk = Disk::blank(DRIVE, DRIVE_SIZE)?;
            home.appliance.plug(&disk)?;
            home.create_drive(&disk)?;
            home.unlock_and_start()?;
            home.sign_up()?;
            anyhow::Ok((home.appliance.into_machine(), disk))
        })
    }

    fn around(appliance: Appliance) -> Result<Self> {
        let s3_folder = tempfile::tempdir()?;
        let s3 = S3Server::start(s3_folder.path())?;
        s3.bucket(BUCKET)?;
        let home = Home {
            appliance,
            s3,
            s3_folder,
        };
        home.type_secrets()?;
        Ok(home)
    }

    /// Writes down in the machine what a person would type.
    ///
    /// # Errors
    /// If the machine does not take it.
    pub fn type_secrets(&self) -> Result<()> {
        // Two seconds and a quarter of the memory for each try suit a person, not a test; nor
        // does measuring what two seconds are, which takes several derivations.
        let settings = "[drive]\nargon2_memory_max = \"9MiB\"\nargon2_passes = 4\n";
        // One command: each costs an emulated processor half a second.
        self.appliance.sh(&format!(
            "install -d -m 700 {TYPED} && umask 077 && \
             printf %s '{PASSPHRASE}' >{TYPED}/passphrase && \
             printf %s 'not this one' >{TYPED}/wrong && \
             printf %s '{secret}' >{TYPED}/s3-secret && \
             printf %s '{REPOSITORY_PASSWORD}' >{TYPED}/repository-password && \
             install -d -m 755 /etc/immich-appliance && umask 022 && \
             printf %s '{settings}' >/etc/immich-appliance/config.toml",
            secret = self.s3.secret_key()
        ))?;
        Ok(())
    }

    /// Takes away the settings that make tests quick, so that all is as in a real home.
    ///
    /// # Errors
    /// If the machine does not take it.
    pub fn without_test_settings(&self) -> Result<()> {
        self.appliance
            .sh("rm -r /etc/immich-appliance/config.toml /var/lib/postgresql/template")
            .map(drop)?;
        Ok(())
    }

    /// Runs the command without questions; its whole outcome is given.
    ///
    /// # Errors
    /// Only if the machine cannot be reached.
    pub fn run(&self, arguments: &str) -> Result<Output> {
        let begun = Instant::now();
        let output = self
            .appliance
            .run(&format!("immich-appliance --no-input {arguments}"))?;
        eprintln!(
            "{}: immich-appliance {arguments}: {} after {:.1} s",
            self.appliance.name(),
            output.status,
            begun.elapsed().as_secs_f64()
        );
        Ok(output)
    }

    /// Runs the command, which must succeed, and gives its JSON document.
    ///
    /// # Errors
    /// If the command fails or prints something else.
    pub fn json(&self, arguments: &str) -> Result<serde_json::Value> {
        let output = self.run(&format!("--json {arguments}"))?;
        ensure!(
            output.status == 0,
            "{arguments} ended with {}: {}{}",
            output.status,
            output.text(),
            output.stderr
        );
        serde_json::from_slice(&output.stdout).context("standard output is not one JSON document")
    }

    /// The kernel's name of a plugged disk, such as `sda`.
    ///
    /// # Errors
    /// If it is not plugged.
    pub fn name_of(&self, disk: &Disk) -> Result<String> {
        Ok(self
            .appliance
            .sh(&format!("basename $(readlink -f {})", disk.device()))?)
    }

    /// The arguments that make a drive of a plugged disk.
    ///
    /// # Errors
    /// If it is not plugged.
    pub fn create_arguments(&self, disk: &Disk) -> Result<String> {
        Ok(format!(
            "drive create {} --erase {} --passphrase-file {TYPED}/passphrase \
             --recovery-key-file {TYPED}/recovery-key",
            disk.device(),
            self.name_of(disk)?
        ))
    }

    /// Makes a drive of a plugged disk.
    ///
    /// # Errors
    /// If that fails.
    pub fn create_drive(&self, disk: &Disk) -> Result<serde_json::Value> {
        self.json(&self.create_arguments(disk)?)
    }

    /// The arguments that unlock with the right passphrase and start Immich.
    pub fn unlock_arguments() -> String {
        format!("unlock --start --passphrase-file {TYPED}/passphrase")
    }

    /// Unlocks and starts Immich.
    ///
    /// # Errors
    /// If that fails.
    pub fn unlock_and_start(&self) -> Result<serde_json::Value> {
        self.json(&Self::unlock_arguments())
    }

    /// The repository's address, as seen from the machine.
    pub fn repository(&self) -> String {
        format!("s3:{}/{BUCKET}/home", self.s3.guest_endpoint())
    }

    /// The folder on this host that holds the repository.
    pub fn repository_folder(&self) -> std::path::PathBuf {
        self.s3_folder.path().join(BUCKET).join("home")
    }

    /// How many snapshots the repository has.
    pub fn snapshots(&self) -> usize {
        count(&self.repository_folder().join("snapshots"))
    }

    /// How many packs the repository has.
    pub fn packs(&self) -> usize {
        count(&self.repository_folder().join("data"))
    }

    /// The options that reach the S3 server.
    pub fn s3_options(&self) -> String {
        format!(
            "--access-key-id {} --secret-access-key-file {TYPED}/s3-secret",
            self.s3.access_key()
        )
    }

    /// Sets the backup up, and notes the repository's password as a person would on paper.
    ///
    /// # Errors
    /// If that fails.
    pub fn init_backup(&self) -> Result<()> {
        self.json(&format!(
            "backup init {} {}",
            self.repository(),
            self.s3_options()
        ))?;
        self.appliance.sh(&format!(
            "install -m 600 /mnt/immich_drive/secrets/repository-password {TYPED}/repository-password"
        ))?;
        Ok(())
    }

    /// As [`Home::init_backup`], and makes the repository cheap to open.
    ///
    /// # Errors
    /// As there, and if the repository's key cannot be replaced.
    pub fn init_cheap_backup(&self) -> Result<()> {
        self.init_backup()?;
        cheap_repository::cheapen_with_small_packs(&self.repository_folder(), &self.password()?)
    }

    /// Sets the backup up with a repository that stock restic made, and that is cheap to open.
    ///
    /// # Errors
    /// If restic cannot make it, or it cannot be joined.
    pub fn join_cheap_backup(&self) -> Result<()> {
        made_by_restic(&self.repository_folder())?;
        self.join(&format!("{} {}", self.repository(), self.s3_options()))
    }

    /// As [`Home::join_cheap_backup`], in a folder of the machine.
    ///
    /// # Errors
    /// As there, and if the machine does not take it.
    pub fn join_cheap_backup_in(&self, folder: &str) -> Result<()> {
        let made = tempfile::tempdir()?;
        made_by_restic(made.path())?;
        self.appliance.upload(made.path(), folder)?;
        self.join(folder)
    }

    fn join(&self, repository: &str) -> Result<()> {
        self.json(&format!(
            "backup init {repository} --repository-password-file {TYPED}/repository-password"
        ))
        .map(drop)
    }

    /// The repository's password.
    fn password(&self) -> Result<String> {
        let file = "/mnt/immich_drive/secrets/repository-password";
        Ok(self.appliance.sh(&format!("cat {file}"))?)
    }

    /// The arguments that recover onto a plugged disk.
    ///
    /// # Errors
    /// If it is not plugged.
    pub fn recover_arguments(&self, disk: &Disk) -> Result<String> {
        Ok(format!(
            "recover --drive {} --from {} {} --repository-password-file {TYPED}/repository-password \
             --erase {} --passphrase-file {TYPED}/passphrase --recovery-key-file {TYPED}/new-recovery-key",
            disk.device(),
            self.repository(),
            self.s3_options(),
            self.name_of(disk)?
        ))
    }

    /// Immich's API without a credential.
    ///
    /// # Errors
    /// If the machine's port cannot be forwarded.
    pub fn immich(&mut self) -> Result<Client> {
        Ok(Client::new(&self.appliance.immich()?)?)
    }

    /// Signs the family up.
    ///
    /// # Errors
    /// If Immich refuses.
    pub fn sign_up(&mut self) -> Result<()> {
        self.immich()?.admin_sign_up(&SignUp {
            email: MAIL.into(),
            password: SecretString::from(PASSWORD),
            name: "Family".into(),
        })?;
        Ok(())
    }

    /// Logs the family in.
    ///
    /// # Errors
    /// If Immich refuses.
    pub fn log_in(&mut self) -> Result<Client> {
        let client = self.immich()?;
        let session = client.login(MAIL, &SecretString::from(PASSWORD))?;
        Ok(client.with_credential(session.credential()))
    }
}

/// Makes a repository in a folder of this host, and makes it cheap to open.
fn made_by_restic(folder: &Path) -> Result<()> {
    let made = Command::new("restic")
        .args(["--no-cache", "init", "--repo"])
        .arg(folder)
        .env("RESTIC_PASSWORD", REPOSITORY_PASSWORD)
        .output()
        .context("cannot run restic")?;
    ensure!(made.status.success(), "restic init: {made:?}");
    cheap_repository::cheapen_with_small_packs(folder, REPOSITORY_PASSWORD)
}

/// Uploads photos by the API.
///
/// # Errors
/// If Immich refuses one.
pub fn upload(client: &Client, photos: &[Photo]) -> Result<Vec<Uploaded>> {
    photos
        .iter()
        .map(|photo| {
            let modified = Timestamp::try_from(fs::metadata(&photo.path)?.modified()?)?;
            let uploaded = client.upload_asset(
                &photo.path,
                &NewAsset {
                    device_asset_id: photo.path.display().to_string(),
                    device_id: "virtual-appliance".into(),
                    file_created_at: modified,
                    file_modified_at: modified,
                },
            )?;
            Ok(Uploaded {
                id: uploaded.id,
                bytes: photo.bytes.clone(),
            })
        })
        .collect()
}

/// Makes an album of some of them.
///
/// # Errors
/// If Immich refuses.
pub fn make_album(client: &Client, name: &str, uploaded: &[Uploaded]) -> Result<Uuid> {
    let album = client.create_album(&NewAlbum {
        album_name: name.into(),
        description: "made by a test".into(),
        asset_ids: uploaded.iter().map(|one| one.id).collect(),
    })?;
    Ok(album.id)
}

/// Downloads each and compares it byte for byte.
///
/// # Errors
/// At the first that is missing or differs.
pub fn all_there(client: &Client, uploaded: &[Uploaded]) -> Result<()> {
    for one in uploaded {
        let mut bytes = Vec::new();
        client.download_original(one.id, &mut bytes)?;
        ensure!(bytes == one.bytes, "{} came back with other bytes", one.id);
    }
    Ok(())
}

/// The photos in a folder of the user's.
///
/// # Errors
/// If the folder cannot be read, or holds none.
pub fn photos_in(folder: &Path) -> Result<Vec<Photo>> {
    let mut photos = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        let is_photo = path
            .extension()
            .and_then(|end| end.to_str())
            .is_some_and(|end| {
                ["jpg", "jpeg", "png", "heic", "webp", "gif"]
                    .contains(&end.to_ascii_lowercase().as_str())
            });
        if is_photo && path.is_file() {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut File::open(&path)?, &mut bytes)?;
            photos.push(Photo { path, bytes });
        }
    }
    photos.sort_by(|one, other| one.path.cmp(&other.path));
    ensure!(
        !photos.is_empty(),
        "there are no photos in {}",
        folder.display()
    );
    Ok(photos)
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(io::Result::ok)
        .map(|entry| match entry.path() {
            inside if inside.is_dir() => count(&inside),
            _ => 1,
        })
        .sum()
}
