//! What a person is asked at a terminal, and what becomes of the answers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use appliance_image::table::Kind;
use common::images::{self, Recipe, on_fat};
use common::{Card, PROGRAM, can_loop, text};
use nix::sys::wait::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti laptop";
const PASSWORD: &str = "Пароль: 密码-🏠";

/// How long the program may take for anything, in milliseconds.
const PATIENCE: u64 = 120_000;

/// The program at a terminal of its own.
fn at_terminal(home: &Path, arguments: &[&str]) -> PtySession {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .env("HOME", home)
        .env("TERM", "xterm");
    spawn_command(command, Some(PATIENCE)).unwrap()
}

/// Waits for a question, and answers it.
fn answer(session: &mut PtySession, question: &str, answer: &str) {
    session.exp_string(question).unwrap();
    session.send_line(answer).unwrap();
}

/// The exit code, and the rest of what was said.
fn end(mut session: PtySession) -> (i32, String) {
    let said = session.exp_eof().unwrap();
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => (code, said),
        other => panic!("{other:?}: {said}"),
    }
}

#[test]
fn questions_give_the_settings_and_a_wrong_answer_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let image = Recipe::new(Kind::Mbr, 16).make(folder.path());
    let output = folder.path().join("out.img");
    fs::create_dir(folder.path().join(".ssh")).unwrap();
    fs::write(folder.path().join(".ssh/id_ed25519.pub"), KEY).unwrap();

    let mut session = at_terminal(
        folder.path(),
        &["customise", text(&image), "--output", text(&output)],
    );
    answer(&mut session, "Name in the network", "not a name");
    session.exp_string("hostname must").unwrap();
    answer(&mut session, "Name in the network", "fotos");
    answer(&mut session, "Time zone", "Europe/Nowhere");
    session.exp_string("time_zone must").unwrap();
    answer(&mut session, "Time zone", "Europe/Berlin");
    answer(&mut session, "Locale", "");
    session.exp_string("Public keys").unwrap();
    session.exp_string("laptop").unwrap();
    session.send("\r").unwrap();
    session.flush().unwrap();
    answer(&mut session, "Administrator's password", "short");
    answer(&mut session, "Once more", "short");
    answer(&mut session, "Administrator's password", PASSWORD);
    answer(&mut session, "Once more", PASSWORD);
    answer(&mut session, "Wi-Fi network", "Heim 🏠");
    answer(&mut session, "Its passphrase", "short");
    session.exp_string("wifi.passphrase must").unwrap();
    answer(&mut session, "Its passphrase", "Schlüssel zum Glück");
    answer(&mut session, "Country", "DE");
    answer(&mut session, "Fixed address", "192.168.1.10/24");
    answer(&mut session, "The router's address", "192.168.1.1");
    answer(&mut session, "Tailscale auth key", "");
    let (code, said) = end(session);
    assert_eq!(code, 0, "{said}");
    for secret in [PASSWORD, "Schlüssel", "$6$"] {
        assert!(!said.contains(secret), "{said}");
    }

    let file = String::from_utf8(on_fat(&output, "appliance.toml").unwrap()).unwrap();
    for line in [
        "hostname = \"fotos\"",
        "time_zone = \"Europe/Berlin\"",
        KEY,
        "password_hash = \"$6$",
        "ssid = \"Heim 🏠\"",
        "country = \"DE\"",
        "address = \"192.168.1.10/24\"",
        "gateway = \"192.168.1.1\"",
    ] {
        assert!(file.contains(line), "{line} is not in {file}");
    }
    for not_there in ["locale", "tailscale", "Glück", PASSWORD, "not a name"] {
        assert!(!file.contains(not_there), "{not_there} is in {file}");
    }
}

#[test]
fn under_sudo_the_keys_offered_are_those_of_the_person_and_none_that_they_may_not_read() {
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: only root can be behind sudo");
        return;
    }
    const MUM: u32 = 4711;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let image = Recipe::new(Kind::Mbr, 16).make(folder.path());
    let home = |name: &str, key: &str| {
        let keys = folder.path().join(name).join(".ssh");
        fs::create_dir_all(&keys).unwrap();
        fs::write(keys.join("id_ed25519.pub"), KEY.replace("laptop", key)).unwrap();
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o700)).unwrap();
        keys
    };
    let root = home("root", "root-key");
    let mum = home("mum", "mum-key");
    symlink(root.join("id_ed25519.pub"), mum.join("not-mine.pub")).unwrap();
    for path in [&mum, &mum.join("id_ed25519.pub")] {
        chown(path, Some(MUM), Some(MUM)).unwrap();
    }
    // A user of this test alone: its own /etc/passwd, in a mount namespace that ends with it.
    let users = folder.path().join("passwd");
    let line = format!(
        "mum:x:{MUM}:{MUM}::{}:/bin/sh\n",
        folder.path().join("mum").display()
    );
    fs::write(&users, fs::read_to_string("/etc/passwd").unwrap() + &line).unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c"])
        .arg("mount --bind \"$0\" /etc/passwd && exec \"$@\"")
        .args([text(&users), PROGRAM, "customise", text(&image)])
        .env("HOME", folder.path().join("root"))
        .env("SUDO_UID", MUM.to_string())
        .env("SUDO_USER", "mum")
        .env("TERM", "xterm");
    let mut session = spawn_command(command, Some(PATIENCE)).unwrap();
    for question in ["Name in the network", "Time zone", "Locale"] {
        answer(&mut session, question, "");
    }
    session.exp_string("Public keys").unwrap();
    let offered = session.exp_string("mum-key").unwrap();
    session.send("\r").unwrap();
    session.flush().unwrap();
    let after = session.exp_string("Administrator's password").unwrap();
    assert!(!offered.contains("root-key") && !after.contains("root-key"));
}

#[test]
fn a_card_is_written_only_after_its_name_was_typed() {
    if !can_loop() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::new(Kind::Gpt, 16);
    let image = recipe.make(folder.path());
    let card = Card::new(recipe.size());
    let before = card.content();
    let arguments = [
        "flash",
        text(&image),
        text(&card.device),
        "--as-is",
        "--unsigned",
        "--no-eject",
    ];
    let not_removable = "This disk is built into the computer";

    let mut session = at_terminal(folder.path(), &arguments);
    answer(&mut session, not_removable, "sda1");
    let (code, said) = end(session);
    assert_ne!(code, 0, "{said}");
    assert!(card.content() == before, "written without consent");

    let mut session = at_terminal(folder.path(), &arguments);
    answer(&mut session, not_removable, &card.name);
    session.exp_string("Everything on it will be lost").unwrap();
    answer(&mut session, "To go on, type", "yes");
    let (code, said) = end(session);
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("nothing was touched"), "{said}");
    assert!(card.content() == before, "written without consent");

    let mut session = at_terminal(folder.path(), &arguments);
    answer(&mut session, not_removable, &card.name);
    answer(&mut session, "To go on, type", &card.name);
    let (code, said) = end(session);
    assert_eq!(code, 0, "{said}");
    assert!(card.content() == fs::read(&image).unwrap());
}

#[test]
fn a_card_that_is_no_longer_the_one_shown_is_not_written_nor_what_took_its_place() {
    if !can_loop() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::new(Kind::Mbr, 16);
    let image = recipe.make(folder.path());
    let card = Card::new(recipe.size());
    // Runs `meanwhile` while the person is asked about the card.
    let refused = |card: &Card, meanwhile: &dyn Fn()| {
        let arguments = ["flash", text(&image), text(&card.device)];
        let more = ["--built-in", &card.name, "--as-is", "--unsigned"];
        let mut session = at_terminal(folder.path(), &[&arguments[..], &more].concat());
        session.exp_string("Everything on it will be lost").unwrap();
        session.exp_string("To go on, type").unwrap();
        meanwhile();
        session.send_line(&card.name).unwrap();
        let (code, said) = end(session);
        assert_eq!(code, 9, "{said}");
        assert!(
            said.contains("no longer the device that was shown"),
            "{said}"
        );
        assert!(said.contains("nothing was written"), "{said}");
    };

    // Its name leads to a twin.
    let twin = Card::new(recipe.size());
    let contents = || (card.content(), twin.content());
    let before = contents();
    let name = Renamed::new(&card, &twin);
    refused(&card, &|| name.swap());
    drop(name);
    assert!(contents() == before, "the card or its twin was touched");

    // A card of another size.
    let larger = recipe.size() + (1 << 20);
    refused(&card, &|| {
        let medium = fs::File::options().write(true).open(&card.medium).unwrap();
        medium.set_len(larger).unwrap();
        images::run("losetup", &["--set-capacity", text(&card.device)]);
    });
    let now = card.content();
    assert_eq!(now.len() as u64, larger);
    assert!(now.starts_with(&before.0), "the card was touched");
}

/// Lets a card's name lead to another card, until it is dropped.
struct Renamed {
    name: PathBuf,
    aside: PathBuf,
    other: u64,
}

impl Renamed {
    fn new(card: &Card, other: &Card) -> Self {
        Self {
            name: card.device.clone(),
            aside: card.device.with_extension("aside"),
            other: fs::metadata(&other.device).unwrap().rdev(),
        }
    }

    fn swap(&self) {
        use nix::sys::stat::{Mode, SFlag, mknod};
        fs::rename(&self.name, &self.aside).unwrap();
        mknod(
            &self.name,
            SFlag::S_IFBLK,
            Mode::S_IRUSR | Mode::S_IWUSR,
            self.other,
        )
        .unwrap();
    }
}

impl Drop for Renamed {
    fn drop(&mut self) {
        if self.aside.exists() {
            let _ = fs::rename(&self.aside, &self.name);
        }
    }
}
