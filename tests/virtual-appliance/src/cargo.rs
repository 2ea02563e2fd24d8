//! Programs of this workspace, built by the Cargo that runs us.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    cache,
    error::{Doing, Error, Result},
    process::{self, output},
};

/// Builds packages of the workspace and returns their programs by name, in the
/// profile that this driver itself was built in.
///
/// Where `APPLIANCE_PROGRAMS` names a folder, its programs are taken instead, so that a
/// run of all tests builds each program once.
pub(crate) fn build(arguments: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
    if let Some(folder) = env::var_os("APPLIANCE_PROGRAMS") {
        return programs_in(&PathBuf::from(folder));
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(cache::workspace())
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let built = command.output().doing(|| "running cargo".into())?;
    if built.status.success() {
        return Ok(executables(&String::from_utf8_lossy(&built.stdout)));
    }
    Err(Error::Program {
        program: format!("cargo build {}", arguments.join(" ")),
        status: built.status.to_string(),
        stderr: "(its messages are above)".into(),
    })
}

fn programs_in(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let listed = fs::read_dir(folder).doing(|| format!("listing {}", folder.display()))?;
    Ok(listed
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.to_owned();
            path.is_file().then_some((name, path))
        })
        .collect())
}

/// One program out of what was built.
pub(crate) fn pick<'a>(built: &'a BTreeMap<String, PathBuf>, name: &str) -> Result<&'a PathBuf> {
    built.get(name).ok_or_else(|| Error::Program {
        program: "cargo build".into(),
        status: "done".into(),
        stderr: format!("no program {name} came out of it"),
    })
}

/// A program's bytes without what only a debugger reads, where `strip` is there.
pub(crate) fn stripped(program: &PathBuf) -> Result<Vec<u8>> {
    let doing = || format!("reading {}", program.display());
    let Some(strip) = process::find("strip") else {
        return fs::read(program).doing(doing);
    };
    let folder = tempfile::tempdir().doing(doing)?;
    let copy = folder.path().join("stripped");
    output(Command::new(strip).arg("-o").arg(&copy).arg(program))?;
    fs::read(&copy).doing(doing)
}

fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| {
            let path = PathBuf::from(message["executable"].as_str()?);
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"some-lib"},"executable":null}
not json
{"reason":"compiler-artifact","target":{"name":"tool"},"executable":"/t/debug/tool"}
{"reason":"build-finished","success":true}"#;
        let found = executables(messages);
        assert_eq!(found.len(), 1);
        assert_eq!(found["tool"], PathBuf::from("/t/debug/tool"));
    }
}
