//! `flash`: everything that is refused, with the card untouched.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use appliance_image::table::Kind;
use common::images::{self, MIB, Recipe, compress};
use common::{Card, can_loop, refused, release, text};
use tempfile::TempDir;

fn image() -> (TempDir, Recipe, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::new(Kind::Mbr, 12);
    let path = recipe.make(folder.path());
    (folder, recipe, path)
}

/// Runs what must be refused, with the card as it was.
fn untouched(card: &Card, exit: i32, arguments: &[&str]) -> String {
    let before = card.content();
    let said = refused(exit, arguments);
    assert!(card.content() == before, "the card was touched: {said}");
    said
}

#[test]
fn nothing_is_written_without_the_name_typed() {
    if !can_loop() {
        return;
    }
    let (_folder, recipe, image) = image();
    let card = Card::new(recipe.size());
    let device = text(&card.device);
    let flash = ["flash", text(&image), device, "--unsigned"];
    let with = |more: &[&'static str]| [&flash[..], more].concat();

    // A loop device cannot be taken out, as far as the kernel knows.
    let said = untouched(&card, 9, &flash);
    assert!(said.contains("cannot be taken out"), "{said}");
    assert!(
        said.contains(&format!("--built-in {}", card.name)),
        "{said}"
    );
    let said = untouched(&card, 9, &with(&["--built-in", "sdz"]));
    assert!(said.contains("cannot be taken out"), "{said}");

    let built_in = [&flash[..], &["--built-in", &card.name]].concat();
    let said = untouched(&card, 9, &built_in);
    assert!(said.contains("without consent"), "{said}");
    assert!(said.contains("1 partition"), "what will be lost: {said}");
    for other in ["loop", device, ""] {
        let said = untouched(&card, 9, &[&built_in[..], &["--erase", other]].concat());
        assert!(said.contains("nothing was touched"), "{said}");
    }
}

#[test]
fn the_disk_of_this_system_is_refused_whatever_is_typed() {
    let (_folder, _, image) = image();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let root = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|fields| fields[4] == "/")
        .map(|fields| PathBuf::from("/sys/dev/block").join(fields[2]));
    let Some(folder) = root.and_then(|root| fs::canonicalize(root).ok()) else {
        println!("SKIPPED: this system's root is on no disk");
        return;
    };
    let name = folder.file_name().unwrap().to_str().unwrap();
    if folder.join("partition").exists()
        || folder
            .join("slaves")
            .read_dir()
            .is_ok_and(|mut d| d.next().is_some())
    {
        println!("SKIPPED: this system's root is not on a whole disk");
        return;
    }
    // No --erase: even a refusal that fails could not go on.
    let device = format!("/dev/{name}");
    let said = refused(
        9,
        &[
            "flash",
            text(&image),
            &device,
            "--unsigned",
            "--built-in",
            name,
        ],
    );
    assert!(said.contains("holds the running system"), "{said}");
}

#[test]
fn a_mounted_card_and_one_in_use_are_refused() {
    if !can_loop() {
        return;
    }
    let (folder, recipe, image) = image();
    let card = Card::new(recipe.size().max(16 * MIB));
    images::run("mkfs.ext4", &["-q", "-F", text(&card.device)]);
    let place = folder.path().join("mounted");
    fs::create_dir(&place).unwrap();
    let mut arguments = vec!["flash", text(&image), "--unsigned"];
    arguments.extend(card.consent());
    let mounted = Command::new("mount")
        .args(["-o", "ro", text(&card.device), text(&place)])
        .output()
        .unwrap();
    if mounted.status.success() {
        let said = refused(9, &arguments);
        images::run("umount", &[text(&place)]);
        assert!(
            said.contains(&format!("is mounted at {}", place.display())),
            "{said}"
        );
    } else {
        println!("SKIPPED the mounted card: {mounted:?}");
    }

    let holder = fs::File::options()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_EXCL.bits())
        .open(&card.device)
        .unwrap();
    let said = untouched(&card, 9, &arguments);
    assert!(said.contains("in use"), "{said}");
    drop(holder);
}

#[test]
fn a_card_that_is_too_small_or_write_protected_is_refused() {
    if !can_loop() {
        return;
    }
    let (folder, recipe, image) = image();
    let small = Card::new(recipe.size() - 4096);
    let mut arguments = vec!["flash", text(&image), "--unsigned"];
    arguments.extend(small.consent());
    let said = untouched(&small, 9, &arguments);
    assert!(said.contains("too small"), "{said}");

    let medium = folder.path().join("protected");
    fs::File::create(&medium)
        .unwrap()
        .set_len(recipe.size())
        .unwrap();
    common::old_system(&medium);
    let card = Card::over(&medium, &["--read-only"]);
    let mut arguments = vec!["flash", text(&image), "--unsigned"];
    arguments.extend(card.consent());
    let said = untouched(&card, 8, &arguments);
    assert!(said.contains("is read-only"), "{said}");
}

#[test]
fn what_is_no_disk_is_named_for_what_it_is() {
    let (folder, _, image) = image();
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    for (path, what) in [
        (&*file, "is not a block device"),
        (Path::new("/dev/null"), "is not a block device"),
        (
            Path::new("/dev/no-such-card"),
            "no block device is attached as",
        ),
    ] {
        let said = refused(4, &["flash", text(&image), text(path), "--unsigned"]);
        assert!(said.contains(what) && said.contains(text(path)), "{said}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert!(refused(1, &["flash", "/no/such.img", "/dev/null"]).contains("/no/such.img"));
}

#[test]
fn an_error_says_what_helps_to_people_and_to_programs() {
    let arguments = [
        "--json",
        "flash",
        "/no/such.img",
        "--no-input",
        "--unsigned",
    ];
    let output = common::run(&arguments);
    assert_eq!(
        common::json(&output)["error"]["help"],
        serde_json::Value::Null
    );
    let (_folder, _, image) = image();
    let output = common::run(&["--json", "flash", text(&image), "/dev/null", "--unsigned"]);
    let error = &common::json(&output)["error"];
    assert_eq!(error["exit"], "drive-not-found");
    let help = error["help"].as_str().unwrap();
    assert!(help.contains("devices list"), "{error}");
    assert!(common::stderr(&output).contains(&format!("\nhelp: {help}\n")));
}

#[test]
fn an_image_that_nobody_signed_is_refused() {
    if !can_loop() {
        return;
    }
    let (folder, recipe, raw) = image();
    let card = Card::new(recipe.size());
    let packed = compress(&raw);
    let flash = |more: &[&'static str], image: &Path, exit: i32| {
        let mut arguments = vec!["flash", text(image)];
        arguments.extend(card.consent());
        arguments.extend(more);
        untouched(&card, exit, &arguments)
    };
    let said = flash(&[], &raw, 12);
    assert!(
        said.contains("no SHA256SUMS") && said.contains("--unsigned"),
        "{said}"
    );

    let key: &'static str = release(folder.path(), &[&raw]).leak();
    let other: &'static str = release(&tempfile::tempdir().unwrap().keep(), &[&raw]).leak();
    let said = flash(&["--public-key", other], &raw, 12);
    assert!(
        said.contains("signature") && said.contains("wrong"),
        "{said}"
    );
    let said = flash(&["--public-key", "not a key"], &raw, 12);
    assert!(said.contains("not a minisign key"), "{said}");
    let said = flash(&["--public-key", key], &packed, 12);
    assert!(said.contains("does not list"), "{said}");

    // The list was changed after it was signed.
    let sums = folder.path().join("SHA256SUMS");
    let mut changed = fs::read(&sums).unwrap();
    changed[0] = if changed[0] == b'0' { b'1' } else { b'0' };
    fs::write(&sums, changed).unwrap();
    let said = flash(&["--public-key", key], &raw, 12);
    assert!(said.contains("signature"), "{said}");
    fs::remove_file(folder.path().join("SHA256SUMS.minisig")).unwrap();
    let said = flash(&["--public-key", key], &raw, 12);
    assert!(said.contains("cannot read the signature"), "{said}");
}

#[test]
fn wrong_settings_are_refused_all_at_once() {
    if !can_loop() {
        return;
    }
    let (folder, recipe, image) = image();
    let card = Card::new(recipe.size());
    let mut arguments = vec!["flash", text(&image), "--unsigned"];
    arguments.extend(card.consent());
    arguments.extend(["--hostname", "my box", "--time-zone", "Berlin"]);
    let said = untouched(&card, 2, &arguments);
    assert!(
        said.contains("hostname must") && said.contains("time_zone must"),
        "{said}"
    );

    let settings = folder.path().join("settings.toml");
    fs::write(&settings, "password_hash = \"hunter2hunter2\"\n").unwrap();
    let mut arguments = vec![
        "flash",
        text(&image),
        "--unsigned",
        "--settings",
        text(&settings),
    ];
    arguments.extend(card.consent());
    let said = untouched(&card, 2, &arguments);
    assert!(said.contains("password_hash"), "{said}");
    assert!(!said.contains("hunter2"), "a secret was shown: {said}");
}
