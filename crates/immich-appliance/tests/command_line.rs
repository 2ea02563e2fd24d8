//! The command line as a person and a script meet it: help, usage, exit codes, JSON.
#![allow(clippy::unwrap_used)] // helpers of tests, too

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_immich-appliance"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The commands that look at the machine need root; a test run as a person must not ask
/// for a password.
fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("SKIPPED: only root gets past the call of sudo");
    }
    root
}

#[test]
fn help_lists_every_command_and_hides_the_packagers_own() {
    let help = text(&run(&["--help"]).stdout);
    for command in [
        "setup",
        "drive",
        "unlock",
        "lock",
        "start",
        "stop",
        "restart",
        "status",
        "doctor",
        "backup",
        "remote",
        "recover",
        "config",
        "completions",
    ] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command} in {help}"
        );
    }
    assert!(!help.contains("generate"), "{help}");
}

#[test]
fn a_wrong_option_is_wrong_usage() {
    assert_eq!(run(&["unlock", "--nonsense"]).status.code(), Some(2));
    assert_eq!(run(&[]).status.code(), Some(2));
}

#[test]
fn completions_name_the_commands() {
    let output = run(&["completions", "bash"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("recover"));
}

#[test]
fn a_wrong_configuration_is_named_with_its_file_and_is_wrong_usage() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[drive]\nmount_pint = \"/mnt\"\n").unwrap();
    let file = file.to_str().unwrap();
    let output = run(&["--config", file, "--no-input", "status"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains(file) && said.contains("mount_pint"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_configuration_can_be_checked_without_root_and_without_a_box() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let check = || run(&["--config", file.to_str().unwrap(), "config", "check"]);

    let missing = check();
    assert_ne!(missing.status.code(), Some(0));
    std::fs::write(&file, "[drive]\nmount_point = \"/mnt/photos\"\n").unwrap();
    assert_eq!(check().status.code(), Some(0));
    std::fs::write(&file, "[drive]\nmount_point = \"photos\"\n").unwrap();
    let wrong = check();
    assert_eq!(wrong.status.code(), Some(2));
    let said = text(&wrong.stderr);
    assert!(said.contains("mount_point"), "{said}");
}

#[test]
fn an_error_that_nobody_reads_any_more_keeps_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[drive]\nmount_point = \"photos\"\n").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    // As after a broken SSH connection.
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_immich-appliance"))
        .args(["--config", file.to_str().unwrap(), "config", "check"])
        .stderr(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn with_json_an_error_is_one_document_with_its_exit_code() {
    if !is_root() {
        return;
    }
    let output = run(&[
        "--json",
        "--no-input",
        "drive",
        "create",
        "/dev/does-not-exist",
    ]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(document["error"]["code"], 4);
    assert_eq!(document["error"]["exit"], "drive-not-found");
    assert!(document["error"]["help"].is_string());
}

#[test]
fn man_pages_completions_and_reference_come_from_the_command_itself() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["generate", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for file in [
        "man/immich-appliance.1",
        "man/immich-appliance-backup-run.1",
        "completions/immich-appliance.bash",
        "reference/command-line.md",
    ] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
}

#[test]
fn the_reference_in_the_docs_is_what_the_command_generates() {
    let folder = tempfile::tempdir().unwrap();
    run(&["generate", folder.path().to_str().unwrap()]);
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    for page in ["command-line.md", "exit-codes.md", "configuration.md"] {
        let generated =
            std::fs::read_to_string(folder.path().join("reference").join(page)).unwrap();
        let kept = std::fs::read_to_string(docs.join(page)).unwrap_or_default();
        assert!(
            generated == kept,
            "docs/reference/{page} is out of date; write it anew with: scripts/generate-docs"
        );
    }
}
