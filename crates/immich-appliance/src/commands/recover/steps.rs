//! The steps of a recovery, carried out.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use appliance_backup::restore::{self, RestoreOptions};
use appliance_drive::find::Wanted as WantedDrive;
use appliance_drive::luks;
use appliance_immich::database::{RestoreStep, TrustedDump};
use appliance_immich::dump::{Counts, VerifiedDump};
use appliance_immich::media;
use appliance_recovery::{Step, compare};
use appliance_secret::Secret;
use std::collections::BTreeMap;

use super::Recovery;
use crate::cli::EncryptionChoice;
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
        let passphrase = match how.encryption {
            EncryptionChoice::None => Secret::default(),
            EncryptionChoice::Luks2 => secrets::obtain_new(
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
        if self.arguments.new_drive.encryption == EncryptionChoice::Luks2 {
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
        let dump = self.trusted(self.newest_whole_dump()?)?;
        let database = self.context.database()?;
        let bar = self.context.ui.bars().wait("loading the database");
        database
            .restore(&dump, false, &mut |step| {
                bar.set_message(match step {
                    RestoreStep::Loading { done, total } => format!(
                        "loading the dump, {} of {}",
                        crate::report::size(done),
                        crate::report::size(total)
                    ),
                    RestoreStep::Comparing => "counting its rows".to_owned(),
                    RestoreStep::Replacing => "putting it in place".to_owned(),
                });
            })
            .with_context(|| {
                let path = dump.verified().path();
                format!("cannot restore the database from {}", path.display())
            })?;
        bar.finish_and_clear();
        self.dump = Some(dump.verified().clone());
        Ok(())
    }

    fn compare(&mut self) -> anyhow::Result<()> {
        let dump = match self.dump.take() {
            Some(dump) => dump,
            None => self.newest_whole_dump()?,
        };
        let database = self.context.database()?;
        self.recovered.counts =
            compare(&for_people(dump.counts()), &for_people(&database.counts()?));
        let originals = database.missing_originals(&self.context.settings.media_path())?;
        self.recovered.missing_originals = originals
            .missing
            .into_iter()
            .map(|missing| missing.path)
            .collect();
        self.recovered.dump = Some(dump.path().to_owned());
        self.recovered.address = self.context.addresses();
        Ok(())
    }

    /// The dump made last that is complete; one that is not is told of and passed over. Those that
    /// this box has made and recorded come first.
    fn newest_whole_dump(&self) -> anyhow::Result<VerifiedDump> {
        let folder = self.context.settings.media_path().join("backups");
        let database = self.context.database()?;
        let dumps = self.context.dump_ledger()?.files(&folder)?;
        for dump in &dumps {
            match database.prove(&dump.path) {
                Ok(dump) => return Ok(dump),
                Err(why) => self
                    .context
                    .ui
                    .warn(format!("{why}; trying the one before")),
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

impl Recovery<'_> {
    /// A dump that was recorded is loaded; any other only if a person says so, for it lay where
    /// Immich can write.
    fn trusted(&self, dump: VerifiedDump) -> anyhow::Result<TrustedDump> {
        let dump = match self.context.dump_ledger()?.trust(dump) {
            Ok(trusted) => return Ok(trusted),
            Err(dump) => *dump,
        };
        let name = dump.path().file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let told = format!(
            "The database dump {} is not recorded as one that this appliance has made: {} users, \
             {} photos and videos.",
            dump.path().display(),
            dump.counts().users(),
            dump.counts().assets()
        );
        if !self.context.ui.may_ask() {
            return Err(Refused::new(
                Exit::Refused,
                told,
                "run the recovery again in a terminal, where it can be agreed to",
            )
            .into());
        }
        self.context.ui.consent(&name, None, &told)?;
        Ok(TrustedDump::confirmed_by_a_person(dump))
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
