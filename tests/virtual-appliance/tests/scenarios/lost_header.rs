//! A drive whose header another system overwrote looks blank. It is known by what the box
//! remembers of it, is not erased by mistake, and gets its header back.

use anyhow::{Result, ensure};
use virtual_appliance::{can_run, home::Home};

#[test]
fn a_drive_that_looks_blank_is_known_and_gets_its_header_back() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (mut home, own) = Home::settled("lost-header")?;
    ensure!(home.run("lock")?.status == 0);
    let name = home.name_of(&own)?;
    home.appliance.sh(&format!(
        "dd if=/dev/zero of=/dev/{name} bs=1M count=1 conv=fsync && udevadm settle"
    ))?;
    let overwritten = own.fingerprint()?;

    let output = home.run("unlock --start --passphrase-file /root/typed/passphrase")?;
    let restore = format!("immich-appliance drive header restore /dev/{name}");
    ensure!(
        output.status == 7 && output.stderr.contains(&restore),
        "unlock: {}: {}",
        output.status,
        output.stderr
    );
    // Consent to erase a blank drive is none to erase this one.
    let output = home.run(&home.create_arguments(&own)?)?;
    ensure!(
        output.status == 9 && output.stderr.contains(&restore),
        "drive create: {}: {}",
        output.status,
        output.stderr
    );
    home.appliance.sh("sync")?;
    ensure!(own.fingerprint()? == overwritten, "the drive was changed");

    let output = home.run(&format!("drive header restore /dev/{name} --erase {name}"))?;
    ensure!(output.status == 0, "header restore: {}", output.stderr);
    home.unlock_and_start()?;
    home.log_in()?;
    Ok(())
}
