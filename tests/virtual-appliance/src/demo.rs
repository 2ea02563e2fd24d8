//! The demo: the whole life of the box, told as it happens. Every command is typed at a
//! terminal of the machine by an ordinary user, and its questions are answered there.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::{
    Disk,
    home::{Home, PASSPHRASE, all_there, make_album, photos_in, upload},
    photos,
};

/// How many photos are generated when the user names no folder.
const PHOTOS: u32 = 50;
/// Who types.
const USER: &str = "family";

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

    say("A box boots in QEMU. Beside it runs an S3 server for the backup.");
    let mut home = Home::new("demo")?;
    home.without_test_settings()?;
    let first = Disk::blank("FIRST", size)?;
    home.appliance.plug(&first)?;
    let mut paper = Paper::default();

    say("A blank USB drive is plugged in, and made the family's.");
    paper.type_in(&home, "drive list", "")?;
    let name = home.name_of(&first)?;
    paper.type_in(&home, &format!("drive create /dev/{name}"), &name)?;
    paper.type_in(&home, "unlock --start", "")?;

    say("The family signs up, uploads its photos and makes an album.");
    home.sign_up()?;
    let client = home.log_in()?;
    let uploaded = upload(&client, &photos)?;
    let in_album = uploaded.len().min(10);
    make_album(&client, "Summer", &uploaded[..in_album])?;
    println!("{} photos, of which {in_album} in an album", uploaded.len());

    say("Backups are set up, and the first one is made.");
    let repository = home.repository();
    paper.type_in(&home, &format!("backup init {repository}"), "")?;
    paper.type_in(&home, "backup run", "")?;
    paper.type_in(&home, "status", "")?;

    say("A power failure. After it the box is locked, and one command brings it back.");
    home.appliance.sh("sync")?;
    home.appliance.cut_power();
    home.appliance.boot()?;
    paper.type_in(&home, "unlock --start", "")?;
    all_there(&home.log_in()?, &uploaded)?;

    say("The drive is lost: it is pulled out while Immich runs. A blank one takes its place.");
    home.appliance.pull(&first)?;
    let second = Disk::blank("SECOND", size)?;
    home.appliance.plug(&second)?;
    let name = home.name_of(&second)?;
    let recover = format!("recover --drive /dev/{name} --from {repository}");
    paper.type_in(&home, &recover, &name)?;

    let client = home.log_in()?;
    all_there(&client, &uploaded)?;
    let albums = client.albums()?;
    ensure!(
        albums.len() == 1 && albums[0].asset_count == u64::try_from(in_album)?,
        "the album did not come back: {albums:?}"
    );
    say("Report");
    println!(
        "{} photos were uploaded, backed up, lost with their drive, and recovered onto a blank\n\
         one. Each is the same byte for byte, the album is there, and the login works.",
        uploaded.len()
    );
    Ok(())
}

fn say(line: &str) {
    println!("\n\x1b[1m# {line}\x1b[0m");
}

/// Which of the questions below are answered in the open.
const VISIBLE: &[usize] = &[0, 4];

/// What the family wrote down, and knows by heart.
#[derive(Default)]
struct Paper {
    repository_password: String,
}

impl Paper {
    /// Types a command, shows what it says, and answers what it asks.
    fn type_in(&mut self, home: &Home, arguments: &str, drive: &str) -> Result<()> {
        println!("\n\x1b[32m$\x1b[0m immich-appliance {arguments}");
        let mut running = home
            .appliance
            // A terminal of this size, as ssh has none to tell of.
            .command(&format!(
                "stty cols 96 rows 30; exec immich-appliance {arguments}"
            ))
            .user(USER)
            .terminal()
            .shown()
            .spawn()?;
        let questions = [
            "To go on, type",
            "Passphrase",
            "The same again:",
            "Type it back from the paper:",
            "S3 access key ID",
            "S3 secret access key:",
            "The repository's password:",
        ];
        let mut answered = Vec::new();
        while let Some(which) = running.expect_any(&questions)? {
            // A question whose answer may be seen is shown again together with it.
            if VISIBLE.contains(&which) {
                if answered.contains(&which) {
                    continue;
                }
                answered.push(which);
            }
            let answer = match which {
                0 => drive.to_owned(),
                1 | 2 => PASSPHRASE.to_owned(),
                3 => {
                    let shown = last_shown(&running.so_far())?;
                    self.repository_password.clone_from(&shown);
                    shown
                }
                4 => home.s3.access_key().to_owned(),
                5 => home.s3.secret_key().to_owned(),
                _ => self.repository_password.clone(),
            };
            running.say(format!("{answer}\n"))?;
        }
        running.wait()?.ok()?;
        Ok(())
    }
}

/// What was shown to be written down: the last line that is set off.
fn last_shown(said: &str) -> Result<String> {
    said.lines()
        .rev()
        .find_map(|line| line.strip_prefix("    "))
        .map(|shown| shown.trim_end().to_owned())
        .context("nothing was shown that could be typed back")
}
