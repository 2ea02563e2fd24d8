//! The whole life of a box: a drive is made, photos are uploaded and backed up, the drive
//! is lost, and everything comes back on a blank one.

use anyhow::{Result, ensure};
use virtual_appliance::{
    Disk, can_run,
    home::{Home, all_there, make_album, upload},
    photos,
};

const PHOTOS: u32 = 50;

#[test]
fn a_lost_drive_comes_back_from_s3_with_every_photo_album_and_login() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut home = Home::new("main-loop")?;
    let first = Disk::blank("FIRST", 2048)?;
    home.appliance.plug(&first)?;
    home.create_drive(&first)?;
    let started = home.unlock_and_start()?;
    ensure!(started["started"]["waits_for_sign_up"] == true, "{started}");

    home.sign_up()?;
    let client = home.log_in()?;
    let folder = tempfile::tempdir()?;
    let uploaded = upload(&client, &photos::generate(folder.path(), PHOTOS)?)?;
    let album = make_album(&client, "Summer", &uploaded[..10])?;
    all_there(&client, &uploaded)?;

    home.init_cheap_backup()?;
    let backup = home.json("backup run")?;
    ensure!(backup["counts"]["assets"] == PHOTOS, "{backup}");
    let again = home.json("backup run")?;
    ensure!(
        again["files_new"].as_u64() < Some(10),
        "unchanged photos were sent again: {again}"
    );

    // The repository is restic's: stock restic opens it and restores a photo.
    let photo = home
        .appliance
        .sh("find /mnt/immich_drive/immich_data/upload -name '*.jpg' | sort | head -n 1")?;
    home.appliance
        .sh("rm -rf /root/repository && mkdir /root/repository")?;
    home.appliance
        .upload(&home.repository_folder(), "/root/repository/copy")?;
    let restic = "restic --no-cache -r /root/repository/copy -p /root/typed/repository-password";
    home.appliance
        .sh(&format!("{restic} snapshots && {restic} check --read-data"))?;
    home.appliance.sh(&format!(
        "{restic} restore latest --target /root/by-restic --include {photo}"
    ))?;
    home.appliance
        .sh(&format!("cmp {photo} /root/by-restic{photo}"))?;

    // The drive is lost, and another one is put in its place.
    home.appliance.pull(&first)?;
    let second = Disk::blank("SECOND", 2048)?;
    home.appliance.plug(&second)?;
    let recovered = home.json(&home.recover_arguments(&second)?)?;
    ensure!(
        recovered["counts"]["agree"]["photos and videos"] == PHOTOS,
        "{recovered}"
    );
    ensure!(
        recovered["missing_originals"] == serde_json::json!([]),
        "{recovered}"
    );

    let client = home.log_in()?;
    all_there(&client, &uploaded)?;
    let albums = client.albums()?;
    ensure!(
        albums.len() == 1 && albums[0].id == album && albums[0].asset_count == 10,
        "{albums:?}"
    );

    // The new drive is this box's own from now on, and goes on backing up.
    home.json("backup run")?;
    ensure!(home.run("lock")?.status == 0);
    home.unlock_and_start()?;
    all_there(&home.log_in()?, &uploaded)
}
