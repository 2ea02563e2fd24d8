//! The steps of a recovery, carried out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use appliance_backup::restore::{self, RestoreOptions};
use appliance_drive::find::Wanted;
use appliance_immich::database::{DumpLedger, RestoreStep, TrustedDump};
use appliance_immich::dump::{Counts, VerifiedDump};
use appliance_immich::media::{self, BACKUPS};
use appliance_secret::Secret;
use secrecy::ExposeSecret as _;

use super::{Recovery, RecoveryStep, compare};
use crate::Result;
use crate::backup::repository;
use crate::dialogue::Consent;
use crate::drive::{create, folders, unlock};
use crate::error::{Context as _, FailureClass, Refused, in_one_line};
use crate::immich::{start, units};
use crate::size::size;

impl Recovery<'_> {
    pub(super) fn take(&mut self, step: RecoveryStep) -> Result<()> {
        match step {
            RecoveryStep::CreateDrive => self.create_drive(),
            RecoveryStep::OpenDrive => self.open_drive(),
            RecoveryStep::RestoreFiles => self.restore_files(),
            RecoveryStep::MendFolders => self.mend_folders(),
            RecoveryStep::KeepRepository => self.keep_repository(),
            RecoveryStep::StartDatabase => units::start_database(self.appliance),
            RecoveryStep::RestoreDatabase => self.restore_database(),
            RecoveryStep::StartImmich => start::carry_out(self.appliance).map(drop),
            RecoveryStep::Compare => self.compare(),
        }
    }

    fn create_drive(&self) -> Result<()> {
        let (appliance, how) = (self.appliance, self.options.new_drive);
        let device = create::consented(appliance, &self.options.drive)?;
        let passphrase = create::new_passphrase(appliance, how)?;
        create::carry_out(appliance, &device, how, &passphrase)?;
        Ok(())
    }

    fn open_drive(&self) -> Result<()> {
        let drive = Wanted::Path(self.options.drive.clone());
        let state = self.appliance.observe(Some(&drive))?;
        unlock::open(self.appliance, state)?;
        Ok(())
    }

    fn restore_files(&mut self) -> Result<()> {
        let media_folder = &self.appliance.settings.immich.media_folder;
        let Some(root) = drive_root(&self.snapshot.paths, media_folder) else {
            return Err(Refused::new(
                FailureClass::Failed,
                format!("the snapshot contains no folder {media_folder}"),
                "see what is in it with: immich-appliance backup ls",
            )
            .into());
        };
        let report = restore::run(
            &self.repository,
            &self.snapshot,
            &root,
            &self.appliance.paths.mount_point,
            &RestoreOptions::default(),
        )?;
        self.recovered.files_restored = report.files_restored;
        self.recovered.files_kept = report.files_kept;
        self.recovered.bytes = report.bytes_restored + report.bytes_kept;
        // The users of another box may have had other numbers.
        media::give_to(&self.appliance.paths.media, self.appliance.immich_owner()?)?;
        Ok(())
    }

    fn mend_folders(&self) -> Result<()> {
        folders::put_in_order(self.appliance)?;
        media::mend(&self.appliance.paths.media, self.appliance.immich_owner()?)?;
        Ok(())
    }

    /// The secrets that came from the snapshot are those of the lost drive.
    fn keep_repository(&self) -> Result<()> {
        let appliance = self.appliance;
        let password = Secret::from(self.target.password.expose_secret().to_owned());
        repository::keep(appliance, &self.target, &password)?;
        let drive = Wanted::Path(self.options.drive.clone());
        let (found, _) = appliance.find(Some(&drive))?;
        if found.encrypted {
            let file = appliance.paths.header_on_drive();
            appliance.disks().header_backup(&found.device.path, &file)?;
        }
        Ok(())
    }

    fn restore_database(&mut self) -> Result<()> {
        let dump = self.trusted(self.newest_whole_dump()?)?;
        let shown = self.appliance.dialogue().wait("loading the database");
        self.appliance
            .photos()
            .restore(&dump, &mut |step| {
                shown.now(&match step {
                    RestoreStep::Loading { done, total } => {
                        format!("loading the dump, {} of {}", size(done), size(total))
                    }
                    RestoreStep::Comparing => "counting its rows".to_owned(),
                    RestoreStep::Replacing => "putting it in place".to_owned(),
                });
            })
            .with_context(|| {
                let path = dump.verified().path().display();
                format!("cannot restore the database from {path}")
            })?;
        self.dump = Some(dump.verified().clone());
        Ok(())
    }

    fn compare(&mut self) -> Result<()> {
        let appliance = self.appliance;
        let dump = match self.dump.take() {
            Some(dump) => dump,
            None => self.newest_whole_dump()?,
        };
        let photos = appliance.photos();
        self.recovered.counts = compare(&for_people(dump.counts()), &for_people(&photos.counts()?));
        let originals = photos.missing_originals(&appliance.paths.media)?;
        self.recovered.missing_originals = originals
            .missing
            .into_iter()
            .map(|missing| missing.path)
            .collect();
        self.recovered.dump = Some(dump.path().to_owned());
        self.recovered.address = appliance.addresses();
        Ok(())
    }

    /// The dump made last that is complete; one that is not is told of and passed over. Those that
    /// this appliance made and recorded come first.
    fn newest_whole_dump(&self) -> Result<VerifiedDump> {
        let folder = BACKUPS.path(&self.appliance.paths.media);
        let dumps = self.ledger()?.files(&folder)?;
        for dump in &dumps {
            match self.appliance.photos().prove(&dump.path) {
                Ok(dump) => return Ok(dump),
                Err(why) => self
                    .appliance
                    .warn(format!("{}; trying the one before it", in_one_line(&why))),
            }
        }
        Err(Refused::new(
            FailureClass::Failed,
            format!(
                "the snapshot holds no complete database dump ({} examined)",
                dumps.len()
            ),
            "try an older snapshot with --snapshot; see immich-appliance backup snapshots",
        )
        .into())
    }

    fn ledger(&self) -> Result<DumpLedger> {
        Ok(DumpLedger::read(&self.appliance.paths.dump_ledger())?)
    }

    /// A dump that was recorded is loaded; any other only if a person says so, for it lay where
    /// Immich can write.
    fn trusted(&self, dump: VerifiedDump) -> Result<TrustedDump> {
        let dump = match self.ledger()?.trust(dump) {
            Ok(trusted) => return Ok(trusted),
            Err(dump) => *dump,
        };
        let name = dump.path().file_name().unwrap_or_default();
        self.appliance.dialogue().confirm(&Consent {
            name: &name.to_string_lossy(),
            what_is_lost: &format!(
                "The database dump {} is not recorded as made by this appliance: {} users, {} \
                 photos and videos. Load it only if you know where it comes from.",
                dump.path().display(),
                dump.counts().users(),
                dump.counts().assets()
            ),
        })?;
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
