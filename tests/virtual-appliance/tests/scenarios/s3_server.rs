//! The S3 server that backups go to in the scenarios is a real one: stock restic works with it,
//! it dies and comes back, and strangers are kept out. It runs on this host, without a machine.

use std::{
    fs::File,
    io::Read as _,
    process::{Command, Output},
};

use anyhow::{Result, ensure};
use virtual_appliance::{S3Server, can_run};

fn restic(server: &S3Server, secret: &str, arguments: &[&str]) -> Result<Output> {
    Ok(Command::new("timeout")
        .args(["60", "restic", "--no-cache", "--repo"])
        .arg(format!("s3:{}/photos", server.endpoint()))
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", server.access_key())
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env("RESTIC_PASSWORD", "word")
        .output()?)
}

#[test]
fn stock_restic_works_with_it_even_after_it_died() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let mut server = S3Server::start(folder.path())?;
    server.bucket("photos")?;
    let works = |server: &S3Server, arguments: &[&str]| {
        let output = restic(server, server.secret_key(), arguments)?;
        ensure!(output.status.success(), "{arguments:?}: {output:?}");
        anyhow::Ok(())
    };
    let photos = tempfile::tempdir()?;
    let photo = photos.path().join("photo");
    let mut noise = Vec::new();
    File::open("/dev/urandom")?
        .take(5 << 20)
        .read_to_end(&mut noise)?;
    std::fs::write(&photo, &noise)?;
    let source = photos.path().display().to_string();

    works(&server, &["init"])?;
    cheap_repository::cheapen_with_small_packs(&folder.path().join("photos"), "word")?;
    works(&server, &["backup", &source])?;
    server.stop();
    let down = restic(&server, server.secret_key(), &["snapshots"])?;
    ensure!(!down.status.success(), "{down:?}");
    server.resume()?;

    std::fs::write(photos.path().join("another"), "photo")?;
    works(&server, &["backup", &source])?;
    works(&server, &["forget", "--keep-last", "1", "--prune"])?;
    works(&server, &["check", "--read-data"])?;
    let out = tempfile::tempdir()?;
    works(
        &server,
        &[
            "restore",
            "latest",
            "--target",
            &out.path().display().to_string(),
        ],
    )?;
    let restored = out.path().join(photo.strip_prefix("/")?);
    ensure!(
        std::fs::read(restored)? == noise,
        "the photo came back changed"
    );

    let stranger = restic(&server, "guessed", &["snapshots"])?;
    ensure!(!stranger.status.success(), "{stranger:?}");
    Ok(())
}
