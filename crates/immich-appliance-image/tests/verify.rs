//! `verify`: an image against its sum, a card against its image, and what is on them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::os::unix::fs::FileExt;

use appliance_image::table::Kind;
use common::images::{MIB, Recipe, compress};
use common::{ALL_SETTINGS, Card, can_loop, done, refused, release, text};

#[test]
fn an_image_is_what_was_released_or_named_for_what_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let raw = Recipe::new(Kind::Gpt, 16).make(folder.path());
    let packed = compress(&raw);
    let key = release(folder.path(), &[&raw, &packed]);
    for image in [&raw, &packed] {
        let seen = done(&["verify", text(image), "--public-key", &key]);
        assert_eq!(seen["signed"], true);
        assert_eq!(
            seen["partitions"]["partitions"].as_array().unwrap().len(),
            2
        );
        assert!(
            seen["firmware"].as_str().unwrap().contains("FAT16"),
            "{seen}"
        );
        assert_eq!(seen["settings"], serde_json::Value::Null);
    }
    let file = fs::OpenOptions::new().write(true).open(&raw).unwrap();
    file.write_all_at(b"x", 19 * MIB).unwrap();
    let said = refused(12, &["verify", text(&raw), "--public-key", &key]);
    assert!(said.contains("is not what was released"), "{said}");
    // Without a signature only damage that shows by itself is found.
    assert_eq!(
        done(&["verify", text(&packed), "--unsigned"])["signed"],
        false
    );
    let cut = fs::read(&packed).unwrap();
    let path = folder.path().join("cut.img.zst");
    fs::write(&path, &cut[..cut.len() - 5]).unwrap();
    let said = refused(12, &["verify", text(&path), "--unsigned"]);
    assert!(said.contains("is damaged"), "{said}");
}

#[test]
fn a_card_is_compared_with_its_image_and_the_settings_on_it_are_shown_without_secrets() {
    if !can_loop() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::new(Kind::Mbr, 16);
    let raw = recipe.make(folder.path());
    let packed = compress(&raw);
    let settings = folder.path().join("settings.toml");
    fs::write(&settings, ALL_SETTINGS).unwrap();
    let card = Card::new(recipe.size() + MIB);
    let mut arguments = vec![
        "flash",
        text(&packed),
        "--unsigned",
        "--settings",
        text(&settings),
    ];
    arguments.extend(card.consent());
    done(&arguments);

    let look = ["verify", text(&card.device)];
    let seen = done(&look);
    assert_eq!(seen["verified"], serde_json::Value::Null);
    let shown = seen["settings"].as_str().unwrap();
    assert!(shown.contains("hostname = \"fotos\""), "{shown}");
    for secret in ["tskey-auth-k", "$6$rounds", "Glück"] {
        assert!(!seen.to_string().contains(secret), "{secret}");
    }

    let against = [&look[..], &["--unsigned", "--image", text(&packed)]].concat();
    assert_eq!(done(&against)["verified"]["size"], recipe.size());
    // A byte changes on the card, far from the settings.
    let place = recipe.size() - MIB - 77;
    let medium = fs::OpenOptions::new()
        .write(true)
        .open(&card.medium)
        .unwrap();
    let mut byte = [0];
    fs::File::open(&card.medium)
        .unwrap()
        .read_exact_at(&mut byte, place)
        .unwrap();
    medium.write_all_at(&[byte[0] ^ 1], place).unwrap();
    let said = refused(13, &against);
    assert!(
        said.contains(&format!("at byte {place} it holds")),
        "{said}"
    );
}

#[test]
fn what_the_box_wrote_on_the_card_is_read_out() {
    if !can_loop() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::new(Kind::Mbr, 16);
    let raw = recipe.make(folder.path());
    let place = format!("{}@@{}", raw.display(), common::images::FAT_START);
    for (name, words) in [
        (
            "appliance-error.txt",
            "hostname must have 1 to 63 characters",
        ),
        ("appliance.toml", "hostname = \"\"\n"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, words).unwrap();
        common::images::run("mcopy", &["-i", &place, text(&file), &format!("::{name}")]);
    }
    let seen = done(&["verify", text(&raw), "--unsigned"]);
    assert!(
        seen["error"].as_str().unwrap().contains("1 to 63"),
        "{seen}"
    );
    assert_eq!(seen["problems"][0]["field"], "hostname");
}
