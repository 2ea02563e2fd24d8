//! `flash`: whatever fails on the way, the card never starts half written.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use appliance_image::table::Kind;
use common::faulty::{Fault, FaultyCard};
use common::images::{MIB, Recipe, compress};
use common::{Card, PROGRAM, can_loop, is_dead, refused, text};
use tempfile::TempDir;

/// What is written before the image: zeros over both places of a table, and the seven markers of
/// a card of this size, once as they are and once as zeros.
const BEFORE: u64 = 17 * MIB;

fn image(kind: Kind) -> (TempDir, Recipe, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = Recipe::new(kind, 12);
    recipe.rest = 16;
    let path = recipe.make(folder.path());
    (folder, recipe, path)
}

#[test]
fn a_power_cut_at_half_leaves_nothing_bootable() {
    if !can_loop() {
        return;
    }
    for kind in [Kind::Mbr, Kind::Gpt] {
        let (_folder, recipe, image) = image(kind);
        let half = recipe.size() / 2;
        let Some(faulty) = FaultyCard::new(recipe.size(), Fault::Stalls(BEFORE + half)) else {
            return;
        };
        let mut child = Command::new(PROGRAM)
            .args(["flash", text(&image), "--unsigned", "--no-input"])
            .args(faulty.card.consent())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        faulty.wait_until_stalled();
        // As the power would: no handler, no second chance.
        child.kill().unwrap();
        faulty.release();
        child.wait().unwrap();
        let bytes = faulty.bytes();
        assert!(is_dead(&bytes), "{kind:?}");
        let image = fs::read(&image).unwrap();
        let begun = 2 * MIB as usize..4 * MIB as usize;
        assert!(bytes[begun.clone()] == image[begun], "it was being written");
    }
}

#[test]
fn a_flipped_bit_is_found_by_reading_back_and_its_place_is_named() {
    if !can_loop() {
        return;
    }
    let (_folder, recipe, image) = image(Kind::Mbr);
    let packed = compress(&image);
    let bytes = fs::read(&image).unwrap();
    for (image, place) in [
        (&image, 0),
        (&image, 5 * MIB + 1234),
        (&packed, 9 * MIB + 7),
    ] {
        let Some(faulty) = FaultyCard::new(recipe.size(), Fault::FlippedBit(place)) else {
            return;
        };
        let mut arguments = vec!["flash", text(image), "--unsigned"];
        arguments.extend(faulty.card.consent());
        let said = refused(13, &arguments);
        let expected = bytes[place as usize];
        let named = format!(
            "at byte {place} it holds {:#04x} where {expected:#04x} was written",
            expected ^ 0x10
        );
        assert!(said.contains(&named), "{said}");
        assert!(said.contains("no partition table"), "{said}");
        let mut left = faulty.bytes();
        // The fault also hits the zeros that remove the table.
        left[place as usize] &= !0x10;
        assert!(place > 0 || left[0] == 0);
        assert!(place == 0 || is_dead(&left));
    }
}

#[test]
fn without_reading_back_the_same_bit_goes_unnoticed() {
    if !can_loop() {
        return;
    }
    let (_folder, recipe, image) = image(Kind::Mbr);
    let Some(faulty) = FaultyCard::new(recipe.size(), Fault::FlippedBit(5 * MIB)) else {
        return;
    };
    let mut arguments = vec!["flash", text(&image), "--unsigned", "--no-read-back"];
    arguments.extend(faulty.card.consent());
    assert_eq!(common::done(&arguments)["compared"], 0);
    assert!(faulty.bytes() != fs::read(&image).unwrap());
}

#[test]
fn a_short_write_and_a_card_that_vanishes_are_told_and_leave_nothing_bootable() {
    if !can_loop() {
        return;
    }
    let (_folder, recipe, image) = image(Kind::Gpt);
    let half = recipe.size() / 2 / MIB * MIB;
    for fault in [
        Fault::ShortWrite(half + 100 * 512),
        Fault::Vanishes(BEFORE + half),
    ] {
        let Some(faulty) = FaultyCard::new(recipe.size(), fault) else {
            return;
        };
        let mut arguments = vec!["flash", text(&image), "--unsigned"];
        arguments.extend(faulty.card.consent());
        let said = refused(13, &arguments);
        assert!(said.contains("the card was not flashed"), "{said}");
        // A loop device takes a short write for a whole one: then only reading back finds it.
        assert!(said.contains("byte"), "the place is named: {said}");
        assert!(is_dead(&faulty.bytes()), "{fault:?}: {said}");
    }
}

#[test]
fn a_card_pulled_out_while_it_is_written_is_told() {
    if !can_loop() {
        return;
    }
    let (_folder, recipe, image) = image(Kind::Mbr);
    let Some(faulty) = FaultyCard::new(recipe.size(), Fault::Vanishes(BEFORE + 4 * MIB)) else {
        return;
    };
    let mut arguments = vec!["flash", text(&image), "--unsigned"];
    arguments.extend(faulty.card.consent());
    let said = refused(13, &arguments);
    assert!(
        said.contains("what is on it is not known"),
        "nobody can know what a card holds that is gone: {said}"
    );
}

#[test]
fn a_damaged_download_never_becomes_a_card_that_starts() {
    if !can_loop() {
        return;
    }
    let (folder, recipe, raw) = image(Kind::Mbr);
    let packed = compress(&raw);
    let good = fs::read(&packed).unwrap();
    let path = folder.path().join("damaged.img.zst");
    let mut flipped = good.clone();
    flipped[good.len() * 3 / 4] ^= 1;
    for bytes in [flipped, good[..good.len() / 2].to_vec()] {
        fs::write(&path, bytes).unwrap();
        let card = Card::new(recipe.size());
        let mut arguments = vec!["flash", text(&path), "--unsigned"];
        arguments.extend(card.consent());
        let said = refused(12, &arguments);
        assert!(said.contains("is damaged"), "{said}");
        assert!(card.is_dead(), "{said}");
    }
}

#[test]
fn an_image_with_another_sum_never_becomes_a_card_that_starts() {
    if !can_loop() {
        return;
    }
    let (folder, recipe, raw) = image(Kind::Mbr);
    let key = common::release(folder.path(), &[&raw]);
    let mut bytes = fs::read(&raw).unwrap();
    bytes[12 * MIB as usize] ^= 1;
    fs::write(&raw, bytes).unwrap();
    let card = Card::new(recipe.size());
    let mut arguments = vec!["flash", text(&raw), "--public-key", &key];
    arguments.extend(card.consent());
    let said = refused(12, &arguments);
    assert!(said.contains("is not what was released"), "{said}");
    assert!(card.is_dead(), "{said}");
}
