//! The daily backup: the timer catches up with what it missed, skips cleanly while the drive
//! is locked, and two backups never run at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use virtual_appliance::{
    can_run,
    home::{BackedUp, Home},
};

/// Waits until there are this many snapshots.
fn wait_for_snapshots(home: &Home, count: usize) -> Result<serde_json::Value> {
    let begun = Instant::now();
    while home.snapshots() < count {
        ensure!(
            begun.elapsed() < Duration::from_secs(300),
            "expected {count} snapshots, and there are {}",
            home.snapshots()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let listed = home.json("backup snapshots")?;
    ensure!(
        listed["snapshots"].as_array().map_or(0, Vec::len) == count,
        "expected {count} snapshots: {listed}"
    );
    Ok(listed)
}

#[test]
fn the_daily_backup_catches_up_skips_a_locked_drive_and_never_runs_twice() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let BackedUp {
        home,
        disk: _disk,
        uploaded,
        ..
    } = Home::backed_up("daily-backup")?;

    // While the drive is locked the service skips, which is no failure.
    ensure!(home.run("lock")?.status == 0);
    home.appliance
        .sh("systemctl start immich-appliance-backup.service")?;
    ensure!(
        home.appliance
            .sh("systemctl show -P Result -P ConditionResult immich-appliance-backup.service")?
            == "success\nno"
    );

    // The box was off for days: the next unlock makes up for the missed runs.
    home.appliance.sh(
        "touch -d '3 days ago' /var/lib/systemd/timers/stamp-immich-appliance-backup.timer && \
         install -d /run/systemd/system/immich-appliance-backup.timer.d && \
         printf '[Timer]\\nRandomizedDelaySec=0\\n' > /run/systemd/system/immich-appliance-backup.timer.d/now.conf && \
         systemctl daemon-reload",
    )?;
    home.unlock_and_start()?;
    let listed = wait_for_snapshots(&home, 2)?;
    ensure!(listed["snapshots"][1]["complete"] == true, "{listed}");

    // While one runs, another is refused as busy and changes nothing.
    home.appliance.sh(
        "dd if=/dev/urandom of=/mnt/immich_drive/immich_data/library/large bs=1M count=8 status=none",
    )?;
    let first = home
        .appliance
        .command("immich-appliance --no-input backup run")
        .spawn()?;
    home.appliance
        .sh("lock=$(stat -c %i /run/immich-appliance/backup.lock) && \
         until grep -q \":$lock \" /proc/locks; do sleep 0.1; done")?;
    let second = home.run("backup run")?;
    ensure!(second.status == 11, "{}: {}", second.status, second.stderr);
    ensure!(first.wait()?.status == 0);
    wait_for_snapshots(&home, 3)?;

    // One photo out of the backup, found by its name.
    let listed = home.json("backup ls latest /mnt/immich_drive/immich_data --recursive")?;
    let photo = listed["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| {
            entry["path"]
                .as_str()
                .is_some_and(|path| path.ends_with(".jpg"))
        })
        .and_then(|entry| entry["path"].as_str())
        .map(str::to_owned);
    let Some(photo) = photo else {
        anyhow::bail!("no photo in {listed}");
    };
    home.json(&format!(
        "backup restore latest {photo} --to /root/restored"
    ))?;
    let found = home.appliance.sh(&format!(
        "find /root/restored -type f -exec cmp {{}} {photo} \\; -print"
    ))?;
    ensure!(
        found.lines().count() == 1 && found.ends_with(".jpg"),
        "{found}"
    );
    // What is there to compare with is a photo that was uploaded.
    let restored = home.appliance.read(&found)?;
    ensure!(uploaded.iter().any(|one| one.bytes == restored));
    Ok(())
}
