//! The drive is pulled out while Immich runs.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use virtual_appliance::{
    can_run,
    home::{Home, all_there, upload},
    photos,
};

#[test]
fn a_pulled_drive_stops_immich_and_nothing_is_written_in_its_place() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (mut home, disk) = Home::settled("unplugged")?;
    let folder = tempfile::tempdir()?;
    let client = home.log_in()?;
    let uploaded = upload(&client, &photos::generate(folder.path(), 5)?)?;
    home.appliance.sh("sync")?;

    // What whoever finds the drive can read: that it is encrypted, and no photo.
    let taken = photos::taken(0);
    let photo = &uploaded[0].bytes;
    ensure!(
        photo
            .windows(taken.len())
            .any(|part| part == taken.as_bytes())
    );
    ensure!(disk.holds("LUKS")? && !disk.holds(&taken)?);

    // Somebody's shell in that folder does not keep it mounted.
    home.appliance
        .sh("cd /mnt/immich_drive; setsid sleep 1000 >/dev/null 2>&1 </dev/null &")?;
    home.appliance.pull(&disk)?;
    let begun = Instant::now();
    // The dead file system goes last: until then a write would still reach it, and nothing else.
    let all_down = "! systemctl is-active --quiet immich-server postgresql redis-immich \
                    immich-machine-learning && ! mountpoint --quiet /mnt/immich_drive";
    while home.appliance.run(all_down)?.status != 0 {
        ensure!(
            begun.elapsed() < Duration::from_secs(180),
            "Immich still runs without its drive, or its file system is still there"
        );
        std::thread::sleep(Duration::from_secs(1));
    }
    // Not even root writes onto the SD card in the drive's place.
    ensure!(home.appliance.run("touch /mnt/immich_drive/x")?.status != 0);
    ensure!(
        home.appliance
            .sh("find /mnt/immich_drive -mindepth 1")?
            .is_empty()
    );
    // What clears away after the drive may still be at it, and is waited for.
    let started = home.run("start")?;
    ensure!(
        started.status == 10,
        "start must say that the drive is locked, and ended with {}: {}",
        started.status,
        started.stderr
    );

    home.appliance.sh("pkill -x sleep")?;
    home.appliance.plug(&disk)?;
    home.unlock_and_start()?;
    all_there(&home.log_in()?, &uploaded)
}
