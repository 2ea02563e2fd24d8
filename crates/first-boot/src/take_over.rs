//! The whole of a first boot: read, check, carry out, record, erase.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use appliance_files::{remove_durably, write_durably};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::apply::{ApplyError, Machine};
use crate::network::Stack;
use crate::plan::{FirstBootStep, PlanError, plan};
use crate::{APPLIED_FILE_NAME, ERROR_FILE_NAME, FILE_NAME, MAX_BYTES, Problems, Settings};

/// Name of the record in the folder of what the box remembers.
const RECORD: &str = "first-boot.json";

/// What was done, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When, as text.
    pub time: String,
    /// What was taken over, in words, without secrets.
    pub done: Vec<String>,
    /// The box's name, if one was given.
    #[serde(default)]
    pub hostname: Option<String>,
    /// The locale, if one was given.
    #[serde(default)]
    pub locale: Option<String>,
}

/// Why settings were not taken over.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    /// The file is wrong; nothing was changed.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// It asks for what this machine cannot do; nothing was changed.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A step failed; it is tried again at the next start.
    #[error("{} could not be taken over", title)]
    Step {
        /// What the step was to do.
        title: String,
        /// Why it failed.
        source: ApplyError,
    },
    /// The file could not be read or erased.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A note could not be written.
    #[error(transparent)]
    Write(#[from] appliance_files::FileError),
}

/// Takes over the settings file in `folder`, the FAT partition. `None` when there is none: then
/// nothing at all is changed.
///
/// # Errors
/// [`TakeOverError`]; it is also written into [`ERROR_FILE_NAME`] beside the file, which stays, so
/// that a person can correct it.
pub fn take_over(
    folder: &Path,
    machine: &Machine,
    now: &str,
) -> Result<Option<Record>, TakeOverError> {
    let Some(path) = find(folder)? else {
        keep_up(machine)?;
        return Ok(None);
    };
    let result = carry_out(&path, machine, now);
    let told = folder.join(ERROR_FILE_NAME);
    match &result {
        Ok(None) => {}
        Ok(Some(record)) => {
            remove_durably(&told)?;
            write_durably(
                &folder.join(APPLIED_FILE_NAME),
                note(record).as_bytes(),
                0o644,
            )?;
            // Last of all: until here everything can be done again.
            erase(&path)?;
        }
        Err(error) => {
            // A card that is full or worn out must not hide the error itself.
            let _ = write_durably(&told, complaint(error).as_bytes(), 0o644);
        }
    }
    result
}

/// The record of the last time, if there was one.
///
/// # Errors
/// When there is one that cannot be read.
pub fn last_record(state: &Path) -> io::Result<Option<Record>> {
    match fs::read(state.join(RECORD)) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A system that puts /etc together from its configuration at every boot, as NixOS does, has put
/// links of its own in place of the name and the locale: what the card said goes on top again.
fn keep_up(machine: &Machine) -> Result<(), TakeOverError> {
    let record =
        last_record(&machine.state).map_err(failed("read", &machine.state.join(RECORD)))?;
    let Some(record) = record else {
        return Ok(());
    };
    let put_back = |below: &str| machine.root.join(below).is_symlink();
    let name = record.hostname.filter(|_| put_back("etc/hostname"));
    let locale = record.locale.filter(|_| put_back("etc/locale.conf"));
    let steps = name.map(FirstBootStep::Hostname).into_iter();
    for step in steps.chain(locale.map(FirstBootStep::Locale)) {
        machine.apply(&step).map_err(|source| TakeOverError::Step {
            title: step.title(),
            source,
        })?;
    }
    Ok(())
}

/// FAT knows no case, Linux does: Windows may have written `APPLIANCE.TOML`.
fn find(folder: &Path) -> Result<Option<PathBuf>, TakeOverError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("list", folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed("list", folder))?;
        let name = entry.file_name();
        if name.to_string_lossy().eq_ignore_ascii_case(FILE_NAME) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TakeOverError {
    let path = path.to_owned();
    move |source| TakeOverError::File {
        action,
        path,
        source,
    }
}

fn carry_out(path: &Path, machine: &Machine, now: &str) -> Result<Option<Record>, TakeOverError> {
    let bytes = read(path).map_err(failed("read", path))?;
    // The power was cut while it was being erased: all of it was taken over.
    if !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0) {
        erase(path)?;
        return Ok(None);
    }
    let settings = Settings::parse(&bytes)?;
    let steps = plan(&settings, Stack::of(&machine.root))?;
    appliance_files::create_dir_durably(&machine.state, 0o700, None)?;
    for step in &steps {
        machine.apply(step).map_err(|source| TakeOverError::Step {
            title: step.title(),
            source,
        })?;
    }
    let record = Record {
        time: now.to_owned(),
        done: steps.iter().map(FirstBootStep::title).collect(),
        hostname: settings.hostname.clone(),
        locale: settings.locale.clone(),
    };
    let text = serde_json::to_vec_pretty(&record)
        .map_err(|error| failed("describe", path)(error.into()))?;
    write_durably(&machine.state.join(RECORD), &text, 0o600)?;
    Ok(Some(record))
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    File::open(path)?
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Overwrites the file where it lies on the card, and removes it.
fn erase(path: &Path) -> Result<(), TakeOverError> {
    overwrite(path).map_err(failed("overwrite", path))?;
    remove_durably(path)?;
    Ok(())
}

fn overwrite(path: &Path) -> io::Result<()> {
    // Not truncated: that would give the old blocks away before they are overwritten.
    let mut file = OpenOptions::new().write(true).open(path)?;
    let mut left = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let zeros = [0; 4096];
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all(&zeros[..part])?;
        left -= part as u64;
    }
    file.sync_all()
}

/// For whoever puts the card into a PC; with Windows' line ends, as its editor wants them.
fn note(record: &Record) -> String {
    let mut text = format!("At {} this box took over:\r\n", record.time);
    for what in &record.done {
        text += &format!("  {what}\r\n");
    }
    text + "\r\nTo change something, write a new appliance.toml.\r\n"
}

fn complaint(error: &TakeOverError) -> String {
    let mut text = format!("The box did not take over {FILE_NAME}:\r\n\r\n");
    match error {
        TakeOverError::Problems(problems) => {
            for problem in &problems.0 {
                text += &format!("  {problem}\r\n");
            }
        }
        error => {
            let mut cause: Option<&dyn std::error::Error> = Some(error);
            while let Some(now) = cause {
                text += &format!("  {now}\r\n");
                cause = now.source();
            }
        }
    }
    text + "\r\nCorrect the file, put the card back and switch the box on again.\r\n"
}
