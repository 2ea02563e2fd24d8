//! From an image to a running box: the virtual appliance's image is customised and flashed onto
//! a card, and the box that starts from it is what was asked for.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use virtual_appliance::{
    Firmware, Machine, can_run,
    card::{LoopCard, host_program, image},
};

#[test]
fn an_image_that_is_customised_and_flashed_boots_as_the_box_that_was_asked_for() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let folder = tempfile::tempdir_in("/var/tmp")?;
    let path = folder.path();
    let Some(card) = LoopCard::new(path, 6 << 30)? else {
        return Ok(());
    };
    let image = image(path)?;
    let program = host_program("immich-appliance-image")?;
    let password = path.join("password");
    fs::write(&password, "ein langes Paßwort 密码\n")?;
    let name = card.device.file_name().context("a device has a name")?;
    let output = Command::new(program)
        .args(["--json", "--no-input", "flash"])
        .arg(&image)
        .arg(&card.device)
        .arg("--unsigned")
        .args(["--erase".as_ref(), name, "--built-in".as_ref(), name])
        .args(["--hostname", "fotos", "--time-zone", "Europe/Berlin"])
        .args(["--locale", "de_DE.UTF-8", "--password-file"])
        .arg(&password)
        .output()?;
    ensure!(output.status.success(), "{output:?}");
    let flashed: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    ensure!(flashed["compared"] == flashed["size"], "{flashed}");
    let medium = card.medium.clone();
    drop(card);

    let mut machine = Machine::from_image("flashed", &medium, Firmware::Bios)?;
    machine.boot()?;
    ensure!(machine.sh("hostname")? == "fotos");
    ensure!(machine.sh("findmnt -no SOURCE /")? == "/dev/vda2");
    ensure!(
        machine
            .sh("readlink /etc/localtime")?
            .ends_with("/Europe/Berlin")
    );
    ensure!(machine.sh("cat /etc/locale.conf")? == "LANG=de_DE.UTF-8");
    let hash = machine.sh("getent shadow family | cut -d: -f2")?;
    let made = machine.sh(&format!(
        "perl -e 'print crypt($ARGV[0], $ARGV[1])' 'ein langes Paßwort 密码' '{hash}'"
    ))?;
    ensure!(hash.starts_with("$6$") && made == hash, "{hash} {made}");
    ensure!(machine.run("test -e /boot/firmware/appliance.toml")?.status != 0);
    let applied = machine.sh("cat /boot/firmware/appliance-applied.txt")?;
    ensure!(applied.contains("the name fotos"), "{applied}");
    // The tool itself is there and at work.
    let next = machine.sh("immich-appliance --no-input greeting")?;
    ensure!(next.contains("immich-appliance setup"), "{next}");
    Ok(())
}
