//! A home whose photos were backed up once: where the stories of later backups begin.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::{DRIVE, Home, Uploaded, upload};
use crate::{Appliance, Disk, photos, process::output};

/// How many photos there are, all of them in the backup.
const PHOTOS: u32 = 20;

/// Where the snapshot keeps the repository, and the photos' IDs, one per line.
const REPOSITORY: &str = "repository";
const IDS: &str = "ids";

/// A settled home with photos, and one backup of them in the repository on its S3 server.
pub struct BackedUp {
    /// The home.
    pub home: Home,
    /// Its drive.
    pub disk: Disk,
    /// The photos.
    pub uploaded: Vec<Uploaded>,
    /// The ID of the backup's snapshot.
    pub snapshot: String,
}

impl Home {
    /// A settled home whose photos are backed up. The way there is gone once, and kept as a
    /// snapshot.
    ///
    /// # Errors
    /// As [`Home::settled`], and as each step there.
    pub fn backed_up(name: &str) -> Result<BackedUp> {
        let settled = Self::settlement()?;
        let steps = [
            include_bytes!("backed_up.rs").as_slice(),
            include_bytes!("../photos.rs"),
            include_bytes!("../../../cheap-repository/src/lib.rs"),
        ];
        let backed_up = settled.with_disk("backed-up-homes", &steps.concat(), |beside| {
            let (machine, disk) = settled.start_with_disk("backing-up", DRIVE)?;
            let mut home = Self::around(Appliance::from(machine))?;
            home.join_cheap_backup()?;
            let folder = tempfile::tempdir()?;
            let photos = photos::generate(folder.path(), PHOTOS)?;
            let uploaded = upload(&home.log_in()?, &photos)?;
            home.json("backup run")?;
            let ids = uploaded.iter().map(|one| format!("{}\n", one.id));
            fs::write(beside.join(IDS), ids.collect::<String>())?;
            copy(&home.repository_folder(), &beside.join(REPOSITORY))?;
            anyhow::Ok((home.appliance.into_machine(), disk))
        })?;
        let (machine, disk) = backed_up.start_with_disk(name, DRIVE)?;
        let home = Self::around(Appliance::from(machine))?;
        copy(
            &backed_up.beside().join(REPOSITORY),
            &home.repository_folder(),
        )?;
        home.know_the_server()?;
        let snapshot = home.only_snapshot()?;
        let uploaded = fs::read_to_string(backed_up.beside().join(IDS))?
            .lines()
            .zip(0..)
            .map(|(id, number)| {
                let (id, bytes) = (id.parse()?, photos::photo(number)?);
                Ok(Uploaded { id, bytes })
            })
            .collect::<Result<_>>()?;
        Ok(BackedUp {
            home,
            disk,
            uploaded,
            snapshot,
        })
    }

    /// Tells the machine the port and the secret of the S3 server, which is another one than when
    /// the backup was set up.
    fn know_the_server(&self) -> Result<()> {
        self.appliance.sh(&format!(
            "sed -i -e 's|^repository = .*|repository = \"{}\"|' \
             -e 's|^secret_access_key = .*|secret_access_key = \"{}\"|' \
             /mnt/immich_drive/secrets/backup.toml",
            self.repository(),
            self.s3.secret_key()
        ))?;
        Ok(())
    }

    fn only_snapshot(&self) -> Result<String> {
        let snapshots = fs::read_dir(self.repository_folder().join("snapshots"))?;
        let names = snapshots
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<Vec<_>>>()?;
        ensure!(names.len() == 1, "not one snapshot: {names:?}");
        names.into_iter().next().context("no snapshot")
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut copying = Command::new("cp");
    copying.args(["--recursive", "--reflink=auto", "--"]);
    output(copying.args([from, to]))?;
    Ok(())
}
