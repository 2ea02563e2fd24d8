//! The steps of a recovery, carried out.

use std::collections::BTreeMap;
use std::path::Path;

use appliance_backup::restore::{self, RestoreOptions};
use appliance_backup::snapshot;
use appliance_files::{remove_durably, write_durably};
use appliance_immich::database::{DumpLedger, RestoreStep, TrustedDump};
use appliance_immich::dump::{Counts, VerifiedDump};
use appliance_immich::media::{self, BACKUPS, THUMBS};
use appliance_secret::Secret;
use secrecy::ExposeSecret as _;

use super::look;
use super::losses::{self, Losses, Lost};
use super::{Recovery, RecoveryStep, compare};
use crate::Result;
use crate::backup::repository;
use crate::backup::restore::whole_or_not;
use crate::dialogue::Consent;
use crate::drive::{create, folders, unlock};
use crate::error::{Context as _, FailureClass, Refused, in_one_line};
use crate::immich::{start, units};
use crate::memory::make_folder;
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
        let drive = look::named(self.appliance, &self.options.drive);
        let state = self.appliance.observe(Some(&drive))?;
        unlock::open(self.appliance, state)?;
        Ok(())
    }

    fn restore_files(&mut self) -> Result<()> {
        let appliance = self.appliance;
        let report = whole_or_not(restore::run(
            &self.repository,
            &self.snapshot,
            &self.library.root,
            &appliance.paths.mount_point,
            &RestoreOptions::default(),
        ))?;
        let losses = Losses {
            lost: report.losses.iter().map(Lost::from).collect(),
        };
        for lost in &losses.lost {
            appliance.warn(format!("{} did not come back: {}", lost.path, lost.why));
        }
        // Kept on the drive: a run that goes on later tells of them, too.
        losses::document(&appliance.paths).write(&losses)?;
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
        let drive = look::named(self.appliance, &self.options.drive);
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
        let losses = losses::document(&appliance.paths).read()?;
        self.recovered.losses = losses.unwrap_or_default().lost;
        if !self.library.folders.iter().any(|name| name == THUMBS.name) {
            self.make_thumbnails();
        }
        self.recovered.dump = Some(dump.path().to_owned());
        self.recovered.address = appliance.addresses();
        Ok(())
    }

    /// Thumbnails that the backup left out: Immich goes by its database, which says that they are
    /// all there, and has to be asked.
    fn make_thumbnails(&self) {
        match self.appliance.photos().make_derived_files_anew() {
            Ok(true) => self.appliance.say(
                "Immich now makes thumbnails and videos for browsers anew, which may take days.",
            ),
            Ok(false) => {}
            Err(error) => self.appliance.warn(format!(
                "Immich could not be asked to make thumbnails anew ({}): on its web page, \
                 Administration, Jobs, Generate Thumbnails, All",
                in_one_line(&error)
            )),
        }
    }

    /// The dump made last that is complete; one that is not is told of and passed over. Those that
    /// this appliance made and recorded come first.
    fn newest_whole_dump(&self) -> Result<VerifiedDump> {
        let folder = BACKUPS.path(&self.appliance.paths.media);
        let dumps = self.ledger()?.files(&folder)?;
        for dump in &dumps {
            if let Some(dump) = self.loadable(&dump.path) {
                return Ok(dump);
            }
        }
        Err(self.no_dump(dumps.len()))
    }

    /// A dump that is complete and can be loaded here; of any other it is told why not.
    fn loadable(&self, path: &Path) -> Option<VerifiedDump> {
        let photos = self.appliance.photos();
        let why = match photos.prove(path) {
            Err(why) => in_one_line(&why),
            Ok(dump) => {
                let obstacles = photos.obstacles(&dump);
                if obstacles.is_empty() {
                    return Some(dump);
                }
                let obstacles: Vec<_> = obstacles.iter().map(ToString::to_string).collect();
                format!(
                    "the dump {} cannot be loaded here: {}",
                    path.display(),
                    obstacles.join("; ")
                )
            }
        };
        self.appliance.warn(format!("{why}; trying the one before"));
        None
    }

    /// Takes a dump that can be loaded here out of the snapshot and proves it, before anything is
    /// erased.
    pub(super) fn prove_dump(&self) -> Result<()> {
        let appliance = self.appliance;
        appliance.say("Looking for a database dump that can be loaded here …");
        make_folder(&appliance.paths.cache)?;
        for inside in self.library.dumps.iter().rev() {
            let name = inside.file_name().unwrap_or_default();
            let file = appliance.paths.cache.join(name);
            let content = snapshot::read_file(&self.repository, &self.snapshot, inside)
                .map_err(crate::Error::from)
                .and_then(|content| Ok(write_durably(&file, &content, 0o600)?));
            let loadable = match content {
                Ok(()) => self.loadable(&file).is_some(),
                Err(why) => {
                    appliance.warn(in_one_line(&why));
                    false
                }
            };
            remove_durably(&file)?;
            if loadable {
                return Ok(());
            }
        }
        Err(self.no_dump(self.library.dumps.len()))
    }

    fn no_dump(&self, looked_at: usize) -> crate::Error {
        Refused::new(
            FailureClass::Failed,
            format!(
                "the snapshot holds no database dump that is complete and can be loaded here \
                 ({looked_at} looked at)"
            ),
            "try an older snapshot with --snapshot; see immich-appliance backup snapshots",
        )
        .into()
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
