//! The demo: the whole life of the box, told as it happens.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::{
    Disk,
    home::{Home, all_there, make_album, photos_in, upload},
    photos,
};

/// How many photos are generated when the user names no folder.
const PHOTOS: u32 = 50;

/// Goes through it all, with the photos in a folder or generated ones.
///
/// # Errors
/// At the first step that does not do what it promises.
pub fn run(folder: Option<&Path>) -> Result<()> {
    let generated = tempfile::tempdir()?;
    let photos = match folder {
        Some(folder) => photos_in(folder)?,
        None => photos::generate(generated.path(), PHOTOS)?,
    };
    let bytes: usize = photos.iter().map(|photo| photo.bytes.len()).sum();
    // Twice the photos (backups are elsewhere), and room for the database.
    let size = 2048 + u64::try_from(bytes)? * 2 / (1 << 20);

    say("Booting the box; beside it runs an S3 server for the backup.");
    let mut home = Home::new("demo")?;
    let first = Disk::blank("FIRST", size)?;
    home.appliance.plug(&first)?;
    say("A blank USB drive is plugged in: immich-appliance drive create");
    home.create_drive(&first)?;
    say("immich-appliance unlock --start");
    home.unlock_and_start()?;
    say("The family signs up and uploads its photos.");
    home.sign_up()?;
    let client = home.log_in()?;
    let uploaded = upload(&client, &photos)?;
    let in_album = uploaded.len().min(10);
    make_album(&client, "Summer", &uploaded[..in_album])?;
    say("immich-appliance backup init, then backup run");
    home.init_backup()?;
    home.json("backup run")?;
    println!("{}", home.run("status")?.text());

    say("The drive is lost: it is pulled out while Immich runs.");
    home.appliance.pull(&first)?;
    let second = Disk::blank("SECOND", size)?;
    home.appliance.plug(&second)?;
    say("A blank one takes its place: immich-appliance recover");
    let recovered = home.run(&home.recover_arguments(&second)?)?;
    ensure!(
        recovered.status == 0,
        "the recovery failed: {}",
        recovered.stderr
    );
    println!("{}", recovered.text());
    let client = home.log_in()?;
    all_there(&client, &uploaded)?;
    let albums = client.albums()?;
    ensure!(albums.len() == 1 && albums[0].asset_count == u64::try_from(in_album)?);

    say("Report");
    println!(
        "{} photos were uploaded, backed up, lost with their drive, and recovered onto a blank \
         one: each is the same byte for byte, the album is there, and the login works.",
        uploaded.len()
    );
    Ok(())
}

fn say(line: &str) {
    println!("\n== {line}");
}
