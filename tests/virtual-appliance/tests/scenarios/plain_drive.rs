//! A drive without encryption, for those who opt out: it mounts and starts at boot.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use virtual_appliance::{Disk, can_run, home::Home};

/// PostgreSQL and Redis serve what services.immich of NixOS asks of them, to its user.
fn the_units_are_as_nixos_has_them(home: &Home) -> Result<()> {
    let asked = home.appliance.sh(
        "cd / && query() { runuser -u immich -- psql -h /run/postgresql -At immich -c \"$1\"; } &&
         query \"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'immich'\" &&
         query 'SELECT extname FROM pg_extension' &&
         runuser -u immich -- redis-cli -s /run/redis-immich/redis.sock ping",
    )?;
    let answers: Vec<&str> = asked.lines().collect();
    let extensions = ["cube", "earthdistance", "pg_trgm", "unaccent", "uuid-ossp"];
    for expected in ["immich", "PONG"].iter().chain(&extensions) {
        ensure!(answers.contains(expected), "{expected} is not in {asked}");
    }
    Ok(())
}

#[test]
fn a_drive_without_encryption_mounts_and_starts_at_boot() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut home = Home::new("plain-drive")?;
    let disk = Disk::blank("PHOTOS", 1024)?;
    home.appliance.plug(&disk)?;
    let name = home.name_of(&disk)?;
    home.json(&format!(
        "drive create /dev/{name} --erase {name} --encryption none"
    ))?;
    home.appliance
        .sh("systemctl enable immich-appliance-unlock.service")?;
    home.json("unlock --start")?;
    the_units_are_as_nixos_has_them(&home)?;
    home.sign_up()?;
    ensure!(home.json("drive info")?["header"].is_null());
    ensure!(home.run("drive passphrase add")?.status == 9);
    ensure!(home.run("lock")?.status == 0);
    ensure!(home.json("status")?["drive"]["state"] == "unlocked");

    home.appliance.reboot()?;
    let begun = Instant::now();
    while home.log_in().is_err() {
        ensure!(
            begun.elapsed() < Duration::from_secs(300),
            "Immich did not come up by itself: {}",
            home.json("status")?
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    ensure!(home.json("status")?["immich"] == "ready");
    Ok(())
}
