//! `cargo install`: the program builds on any Linux PC, from its own sources alone.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Bindings whose C code comes with them and is compiled in, or that have none.
const SELF_CONTAINED: [&str; 2] = ["zstd-sys", "linux-raw-sys"];

/// Packages of the program as it is built for Linux, without what only tests need.
fn packages(name: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = |list: &Value, id: &str| -> BTreeMap<String, Value> {
        let list = list.as_array().unwrap().iter();
        list.map(|entry| (entry[id].as_str().unwrap().to_owned(), entry.clone()))
            .collect()
    };
    let known = listed(&metadata["packages"], "id");
    let needs = listed(&metadata["resolve"]["nodes"], "id");
    let own = known.iter().find(|(_, package)| package["name"] == name);
    let mut open = vec![own.unwrap().0.as_str()];
    let mut found = BTreeMap::new();
    while let Some(id) = open.pop() {
        if found.insert(id, known[id].clone()).is_some() {
            continue;
        }
        for need in needs[id]["deps"].as_array().unwrap() {
            let kinds = need["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"] != "dev") {
                open.push(need["pkg"].as_str().unwrap());
            }
        }
    }
    found.into_values().collect()
}

/// Bindings to C libraries that the computer has to have.
fn foreign(packages: &[Value]) -> BTreeSet<&str> {
    packages
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .filter(|name| name.ends_with("-sys") && !SELF_CONTAINED.contains(name))
        .collect()
}

#[test]
fn the_program_needs_no_c_library_of_the_computer_it_is_built_on() {
    assert_eq!(
        foreign(&packages("immich-appliance-image")),
        BTreeSet::new()
    );
    // This way of looking sees them where they are.
    let drive = packages("appliance-drive");
    assert!(foreign(&drive).contains("libcryptsetup-rs-sys"));
}

#[test]
fn nothing_outside_a_crate_is_read_while_it_is_built() {
    let mut seen = 0;
    for package in packages("immich-appliance-image") {
        if package["source"] != Value::Null {
            continue;
        }
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap();
        assert!(!folder.join("build.rs").exists(), "{}", folder.display());
        let mut sources = Vec::new();
        sources_in(&folder.join("src"), &mut sources);
        for path in sources {
            seen += 1;
            let text = fs::read_to_string(&path).unwrap();
            // What follows is compiled for tests alone.
            let built = text.split("#[cfg(test)]").next().unwrap();
            for word in ["include_str!", "include_bytes!", "include!", "#[path"] {
                assert!(!built.contains(word), "{}: {word}", path.display());
            }
            let reads = built.contains("CARGO_MANIFEST_DIR");
            assert!(!reads, "{}: the folder it was built in", path.display());
        }
    }
    assert!(seen > 40, "only {seen} files were looked at");
}

fn sources_in(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_in(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}
