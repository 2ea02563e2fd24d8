//! The power fails in the middle of things. The next try succeeds, and nothing that was safe
//! before is lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use virtual_appliance::{
    Disk, Running, can_run,
    home::{BackedUp, Home, all_there},
};

/// Starts a command, cuts the power once `sign` shows in the machine, and boots again.
fn cut(home: &mut Home, arguments: &str, sign: &str) -> Result<()> {
    let running = home
        .appliance
        .command(&format!("immich-appliance --no-input {arguments}"))
        .spawn()?;
    home.appliance.sh(&format!(
        "timeout 300 sh -c 'until {sign}; do sleep 0.3; done'"
    ))?;
    cut_and_boot(home, running)
}

/// Cuts the power while a command runs, and boots again. The disks stay plugged in.
fn cut_and_boot(home: &mut Home, running: Running) -> Result<()> {
    home.appliance.sh("echo lost >/root/unsynced")?;
    home.appliance.cut_power();
    drop(running);
    home.appliance.boot()?;
    // A real cut: what was not synced is gone. The file may be there, but empty.
    let unsynced = home
        .appliance
        .sh("cat /root/unsynced 2>/dev/null || true")?;
    ensure!(
        unsynced.is_empty(),
        "the machine kept what was not synced: {unsynced}"
    );
    home.type_secrets()
}

#[test]
fn a_creation_and_an_unlock_that_were_cut_short_succeed_the_next_time() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut home = Home::new("cut-create")?;
    let disk = Disk::blank("PHOTOS", 1024)?;
    home.appliance.plug(&disk)?;
    let create = home.create_arguments(&disk)?;
    cut(&mut home, &create, "test -e /dev/mapper/immich_drive")?;
    let half = home.run(&Home::unlock_arguments())?;
    ensure!(
        half.status == 7,
        "half a drive was taken for one: {} {}",
        half.status,
        half.stderr
    );
    home.create_drive(&disk)?;
    home.run("lock")?;

    cut(
        &mut home,
        &Home::unlock_arguments(),
        "mountpoint -q /mnt/immich_drive",
    )?;
    home.unlock_and_start()?;
    Ok(())
}

#[test]
fn a_backup_and_a_recovery_that_were_cut_short_succeed_the_next_time() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let BackedUp {
        mut home,
        disk,
        uploaded,
        snapshot,
    } = Home::backed_up("cut-backup")?;
    // Enough that is new for the next backup to be under way when the power fails.
    home.appliance.sh(
        "dd if=/dev/urandom of=/mnt/immich_drive/immich_data/library/large bs=1M count=12 status=none && sync",
    )?;

    let before = home.packs();
    let running = home
        .appliance
        .command("immich-appliance --no-input backup run")
        .spawn()?;
    let begun = std::time::Instant::now();
    while home.packs() <= before {
        ensure!(
            begun.elapsed() < Duration::from_secs(300),
            "the backup sent nothing"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    cut_and_boot(&mut home, running)?;
    home.unlock_and_start()?;
    ensure!(home.json("backup check")?["clean"] == true);
    let snapshots = home.json("backup snapshots")?;
    ensure!(snapshots["snapshots"][0]["id"] == *snapshot, "{snapshots}");
    home.json("backup run")?;
    ensure!(home.json("backup check --read-data")?["clean"] == true);

    // The drive is lost, and the power fails while its successor is being filled.
    home.appliance.pull(&disk)?;
    let second = Disk::blank("SECOND", 1024)?;
    home.appliance.plug(&second)?;
    let recover = home.recover_arguments(&second)?;
    cut(
        &mut home,
        &recover,
        "test -d /mnt/immich_drive/immich_data/library",
    )?;
    let recovered = home.json(&home.recover_arguments(&second)?)?;
    ensure!(
        recovered["missing_originals"] == serde_json::json!([]),
        "{recovered}"
    );
    all_there(&home.log_in()?, &uploaded)
}
