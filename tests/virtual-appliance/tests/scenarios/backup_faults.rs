//! What can go wrong with a backup: it says so, the last good snapshot stays whole, and the
//! next run succeeds.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use virtual_appliance::{
    can_run,
    home::{BackedUp, Home, upload},
    photos,
};

/// Expects a failure that says `words`, and that the snapshots are as before and whole.
fn fails(home: &Home, words: &str) -> Result<()> {
    let output = home.run("backup run")?;
    ensure!(output.status == 1, "expected a failure: {}", output.text());
    ensure!(
        output.stderr.contains(words),
        "\"{words}\" is not in: {}",
        output.stderr
    );
    let status = home.json("status")?;
    ensure!(status["backup"]["last_failed"].is_object(), "{status}");
    Ok(())
}

fn only_good(home: &Home, snapshot: &str) -> Result<()> {
    ensure!(home.json("backup check --read-data")?["clean"] == true);
    let snapshots = home.json("backup snapshots")?;
    let all = snapshots["snapshots"].as_array().map_or(0, Vec::len);
    ensure!(
        all == 1 && snapshots["snapshots"][0]["id"] == snapshot,
        "{snapshots}"
    );
    Ok(())
}

#[test]
fn a_full_repository_disk_is_named_and_costs_nothing() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (mut home, _disk) = Home::settled("repository-full")?;
    let folder = tempfile::tempdir()?;
    upload(&home.log_in()?, &photos::generate(folder.path(), 5)?)?;
    home.appliance
        .sh("mkdir /mnt/second && mount -t tmpfs -o size=20m tmpfs /mnt/second")?;
    // A backup on the photos' own drive would be lost with it.
    let beside = home.run("backup init /mnt/immich_drive/repository")?;
    ensure!(
        beside.status == 9 && beside.stderr.contains("own drive"),
        "{}",
        beside.stderr
    );
    home.join_cheap_backup_in("/mnt/second/repository")?;
    let good = home.json("backup run")?;
    let good = good["snapshot"].as_str().unwrap_or_default();
    let large = "/mnt/immich_drive/immich_data/library/large";
    home.appliance.sh(&format!(
        "dd if=/dev/urandom of={large} bs=1M count=6 status=none"
    ))?;
    fails(&home, "no space")?;
    only_good(&home, good)?;
    home.appliance
        .sh("mount -o remount,size=200m /mnt/second")?;
    home.json("backup run")?;
    ensure!(home.json("backup check")?["clean"] == true);
    Ok(())
}

#[test]
fn a_server_that_stops_and_a_truncated_dump_are_named_and_cost_nothing() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let BackedUp {
        mut home,
        snapshot,
        disk: _disk,
        ..
    } = Home::backed_up("backup-faults")?;
    // A truncated dump is never backed up as a good one.
    claim_that_dumps_are_whole(&home)?;
    fails(&home, "dump")?;
    only_good(&home, &snapshot)?;
    home.appliance
        .sh("bin=$(ls -d /usr/lib/postgresql/*/bin) && mv $bin/pg_dump.real $bin/pg_dump")?;

    let large = "/mnt/immich_drive/immich_data/library/large";
    // More than one pack, so that the first one arrives before all is sent.
    home.appliance.sh(&format!(
        "dd if=/dev/urandom of={large} bs=1M count=12 status=none"
    ))?;
    stop_half_way(&mut home)?;
    home.s3.resume()?;
    only_good(&home, &snapshot)?;
    home.json("backup run")?;
    ensure!(home.json("backup check")?["clean"] == true);
    Ok(())
}

/// A pg_dump that breaks off and still claims success.
fn claim_that_dumps_are_whole(home: &Home) -> Result<()> {
    home.appliance.sh(
        "bin=$(ls -d /usr/lib/postgresql/*/bin) && mv $bin/pg_dump $bin/pg_dump.real && \
         printf '#!/bin/sh\\n%s \"$@\" | head -c 4000\\nexit 0\\n' $bin/pg_dump.real > $bin/pg_dump && \
         chmod 755 $bin/pg_dump",
    )?;
    Ok(())
}

/// Stops the server while a backup sends, which must say so.
fn stop_half_way(home: &mut Home) -> Result<()> {
    let before = home.packs();
    let running = home
        .appliance
        .command("immich-appliance --no-input backup run")
        .spawn()?;
    let begun = Instant::now();
    while home.packs() <= before {
        ensure!(
            begun.elapsed() < Duration::from_secs(300),
            "the backup sent nothing"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    home.s3.stop();
    let output = running.wait()?;
    ensure!(
        output.status == 1 && output.stderr.contains("cannot reach the repository"),
        "{}: {}",
        output.status,
        output.stderr
    );
    Ok(())
}
