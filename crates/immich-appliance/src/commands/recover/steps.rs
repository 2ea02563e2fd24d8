//! The steps of a recovery, carried out.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use appliance_backup::restore::{self, RestoreOptions};
use appliance_config::Encryption;
use appliance_drive::find::Wanted as WantedDrive;
use appliance_drive::luks;
use appliance_immich::database::{RestoreStep, is_routine_dump};
use appliance_immich::dump::{self, Counts};
use appliance_immich::media;
use appliance_recovery::{Step, compare};
use appliance_secret::Secret;
use std::collections::BTreeMap;

use super::Recovery;
use crate::commands::backup::init;
use crate::exit::Exit;
use crate::failure::Refused;
use crate::secrets;
use crate::steps::{create, open, services};

impl Recovery<'_> {
    pub(super) fn take(&mut self, step: Step) -> anyhow::Result<()> {
        match step {
            Step::CreateDrive => self.create_drive(),
            Step::OpenDrive => self.open_drive(),
            Step::RestoreFiles => self.restore_files(),
            Step::MendFolders => self.mend_folders(),
            Step::KeepRepository => self.keep_repository(),
            Step::StartDatabase => services::start_database(self.context),
            Step::RestoreDatabase => self.restore_database(),
            Step::StartImmich => services::start(self.context).map(drop),
            Step::Compare => self.compare(),
        }
    }

    fn create_drive(&self) -> anyhow::Result<()> {
        let device = create::consented(
            self.context,
            &self.arguments.drive,
            &self.arguments.destruction,
        )?;
        let how = &self.arguments.new_drive;
        let passphrase = match how.encryption(&self.context.settings) {
            Encryption::None => Secret::default(),
            Encryption::Luks2 => secrets::obtain_new(
                self.context.ui,
                &self.passphrase,
                "Passphrase for the new drive",
            )?,
        };
        create::create(self.context, &device, how, &passphrase)?;
        Ok(())
    }

    fn open_drive(&self) -> anyhow::Result<()> {
        let drive = WantedDrive::Path(self.arguments.drive.clone());
        let state = self.context.observe(Some(&drive))?;
        open::open(self.context, state, &self.passphrase)?;
        Ok(())
    }

    fn restore_files(&mut self) -> anyhow::Result<()> {
        let Some(root) = drive_root(
            &self.snapshot.paths,
            &self.context.settings.immich.media_folder,
        ) else {
            return Err(Refused::new(
                Exit::Failed,
                format!(
                    "the snapshot holds no folder {}",
                    self.context.settings.immich.media_folder
                ),
                "see what is in it with: immich-appliance backup ls",
            )
            .into());
        };
        let report = restore::run(
            &self.repository,
            &self.snapshot,
            &root,
            self.context.mount_point(),
            &RestoreOptions::default(),
        )?;
        self.recovered.files_restored = report.files_restored;
        self.recovered.files_kept = report.files_kept;
        self.recovered.bytes = report.bytes_restored + report.bytes_kept;
        // The users of another box may have had other numbers.
        media::give_to(
            &self.context.settings.media_path(),
            self.context.immich_owner()?,
        )?;
        Ok(())
    }

    fn mend_folders(&self) -> anyhow::Result<()> {
        open::put_in_order(self.context)?;
        media::mend(
            &self.context.settings.media_path(),
            self.context.immich_owner()?,
        )?;
        Ok(())
    }

    /// The secrets that came from the snapshot are those of the lost drive.
    fn keep_repository(&self) -> anyhow::Result<()> {
        let password =
            Secret::from(secrecy::ExposeSecret::expose_secret(&self.target.password).to_owned());
        init::keep(self.context, &self.target, &password)?;
        if self.arguments.new_drive.encryption(&self.context.settings) == Encryption::Luks2 {
            let (found, _) = self.context.find(&crate::cli::Selected {
                drive: Some(self.arguments.drive.to_string_lossy().into_owned()),
            })?;
            if found.encrypted {
                luks::header_backup(&found.device.path, &self.context.header_backup_on_drive())?;
            }
        }
        Ok(())
    }

    fn restore_database(&mut self) -> anyhow::Result<()> {
        let dump = self.newest_whole_dump()?;
        let database = self.context.database()?;
        let bar = self.context.ui.bars().wait("loading the database");
        database
            .restore(&dump, false, &mut |step| {
                bar.set_message(match step {
                    RestoreStep::Verifying => "proving the dump complete".to_owned(),
                    RestoreStep::Loading { done, total } => format!(
                        "loading the dump, {} of {}",
                        crate::report::size(done),
                        crate::report::size(total)
                    ),
                    RestoreStep::Comparing => "counting its rows".to_owned(),
                    RestoreStep::Replacing => "putting it in place".to_owned(),
                });
            })
            .with_context(|| format!("cannot restore the database from {}", dump.display()))?;
        bar.finish_and_clear();
        Ok(())
    }

    fn compare(&mut self) -> anyhow::Result<()> {
        let dump = self.newest_whole_dump()?;
        let summary = dump::verify_file(&dump)
            .with_context(|| format!("cannot read {} again", dump.display()))?;
        let section = summary
            .section(&self.context.settings.database.name)
            .with_context(|| format!("{} holds no database of Immich", dump.display()))?;
        let database = self.context.database()?;
        self.recovered.counts = compare(
            &for_people(&section.counts),
            &for_people(&database.counts()?),
        );
        let originals = database.missing_originals(&self.context.settings.media_path())?;
        self.recovered.missing_originals = originals
            .missing
            .into_iter()
            .map(|missing| missing.path)
            .collect();
        self.recovered.dump = Some(dump);
        self.recovered.address = self.context.addresses();
        Ok(())
    }

    /// The newest routine dump that is complete; one that is cut short is told of and passed over.
    fn newest_whole_dump(&self) -> anyhow::Result<PathBuf> {
        let folder = self.context.settings.media_path().join("backups");
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot look for database dumps in {}", folder.display()))?;
        let mut dumps: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(is_routine_dump)
            })
            .collect();
        // The names begin with the time they were made at.
        dumps.sort_unstable();
        for dump in dumps.iter().rev() {
            match dump::verify_file(dump) {
                Ok(_) => return Ok(dump.clone()),
                Err(why) => self
                    .context
                    .ui
                    .warn(format!("{} {why}; trying the one before", dump.display())),
            }
        }
        Err(Refused::new(
            Exit::Failed,
            format!(
                "the snapshot holds no complete database dump ({} looked at)",
                dumps.len()
            ),
            "try an older snapshot with --snapshot; see immich-appliance backup snapshots",
        )
        .into())
    }
}

/// The counts that a person asks after.
fn for_people(counts: &Counts) -> BTreeMap<String, u64> {
    [
        ("users", counts.users()),
        ("photos and videos", counts.assets()),
        ("albums", counts.albums()),
        ("in albums", counts.album_assets()),
    ]
    .map(|(what, count)| (what.to_owned(), count))
    .into()
}

/// Where the drive was mounted when the snapshot was taken: the folder that holds the media
/// folder. It may have been another one than here.
fn drive_root(paths: &[PathBuf], media_folder: &str) -> Option<PathBuf> {
    paths.iter().find_map(|path| {
        let inside = path
            .ancestors()
            .find(|ancestor| ancestor.ends_with(media_folder))?;
        inside.parent().map(Path::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_mount_point_is_told_from_what_the_snapshot_holds() {
        let essential =
            ["/srv/photos/immich_data/upload", "/srv/photos/secrets"].map(PathBuf::from);
        assert_eq!(
            drive_root(&essential, "immich_data"),
            Some("/srv/photos".into())
        );
        let everything =
            ["/mnt/immich_drive/secrets", "/mnt/immich_drive/immich_data"].map(PathBuf::from);
        assert_eq!(
            drive_root(&everything, "immich_data"),
            Some("/mnt/immich_drive".into())
        );
        assert_eq!(drive_root(&[PathBuf::from("/home")], "immich_data"), None);
    }
}
