//! What a person is asked at a terminal, and what becomes of the answers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use appliance_image::table::Kind;
use common::images::{Recipe, on_fat};
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
