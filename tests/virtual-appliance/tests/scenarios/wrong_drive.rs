//! What is not the right drive with the right passphrase is refused by name, each with an
//! exit code of its own, and nothing is changed on any disk.

use anyhow::{Result, ensure};
use virtual_appliance::{Disk, can_run, home::Home};

/// Tries to unlock, expects this exit code and these words, and that no disk changed.
fn refused(home: &Home, arguments: &str, code: i32, words: &str, disks: &[&Disk]) -> Result<()> {
    home.appliance.sh("sync")?;
    let before = fingerprints(disks)?;
    let output = home.run(arguments)?;
    ensure!(
        output.status == code && output.stderr.contains(words) && output.stderr.contains("help: "),
        "{arguments}: expected {code} and \"{words}\", got {}: {}",
        output.status,
        output.stderr
    );
    home.appliance.sh("sync")?;
    ensure!(before == fingerprints(disks)?, "{arguments} changed a disk");
    Ok(())
}

fn fingerprints(disks: &[&Disk]) -> Result<Vec<virtual_appliance::Fingerprint>> {
    Ok(disks
        .iter()
        .map(|disk| disk.fingerprint())
        .collect::<Result<_, _>>()?)
}

#[test]
fn each_wrong_drive_is_refused_by_name_and_nothing_is_changed() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (mut home, own) = Home::settled("wrong-drive")?;
    ensure!(home.run("lock")?.status == 0);
    home.appliance.unplug(&own)?;
    let right = "unlock --start --passphrase-file /root/typed/passphrase";
    refused(&home, right, 4, "not attached", &[])?;

    // A box that has never had a drive.
    home.appliance
        .sh("mv /var/lib/immich-appliance/state.toml /root/kept.toml")?;
    refused(&home, right, 4, "not attached", &[])?;
    let blank = Disk::blank("BLANK", 1024)?;
    home.appliance.plug(&blank)?;
    refused(&home, right, 7, "is blank", &[&blank])?;
    home.appliance.unplug(&blank)?;
    home.appliance
        .sh("mv /root/kept.toml /var/lib/immich-appliance/state.toml")?;

    home.appliance.plug(&own)?;
    let wrong = "unlock --passphrase-file /root/typed/wrong";
    refused(&home, wrong, 3, "passphrase", &[&own])?;

    // Three tries at a terminal, and no more.
    let mut asking = home
        .appliance
        .command("immich-appliance unlock")
        .terminal()
        .spawn()?;
    for _ in 0..3 {
        asking.expect("Passphrase of")?;
        asking.say("not this one\n")?;
    }
    ensure!(asking.wait()?.status == 3);

    // Another box's drive, beside and instead of the own one.
    home.appliance.unplug(&own)?;
    let foreign = Disk::blank("FOREIGN", 1024)?;
    home.appliance
        .sh("mv /var/lib/immich-appliance/state.toml /root/kept.toml")?;
    home.appliance.plug(&foreign)?;
    home.create_drive(&foreign)?;
    ensure!(home.run("lock")?.status == 0);
    home.appliance
        .sh("mv /root/kept.toml /var/lib/immich-appliance/state.toml")?;
    refused(&home, right, 6, "another drive", &[&foreign])?;
    home.appliance.plug(&own)?;
    home.appliance
        .sh("mv /var/lib/immich-appliance/state.toml /root/kept.toml")?;
    refused(&home, right, 5, "several drives", &[&own, &foreign])?;
    home.appliance
        .sh("mv /root/kept.toml /var/lib/immich-appliance/state.toml")?;
    home.appliance.unplug(&foreign)?;
    home.appliance.unplug(&own)?;

    let own = own.write_protected(true);
    home.appliance.plug(&own)?;
    refused(&home, right, 8, "read-only", &[&own])?;
    home.appliance.unplug(&own)?;

    // After all this the right drive opens with the right passphrase.
    let own = own.write_protected(false);
    home.appliance.plug(&own)?;
    home.unlock_and_start()?;
    Ok(())
}
