//! After a reboot the box is locked, and one command with one passphrase brings it back.

use anyhow::{Context as _, Result, ensure};
use virtual_appliance::{
    can_run,
    home::{Home, PASSPHRASE},
};

#[test]
fn after_a_reboot_nothing_runs_until_one_command_and_one_passphrase() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (mut home, _disk) = Home::settled("reboot")?;
    let boot = "cat /proc/sys/kernel/random/boot_id";
    let before = home.appliance.sh(boot)?;
    home.appliance.reboot()?;
    ensure!(home.appliance.sh(boot)? != before);

    let status = home.json("status")?;
    ensure!(status["drive"]["state"] == "locked", "{status}");
    ensure!(
        status["services"]
            .as_array()
            .is_some_and(|all| all.iter().all(|unit| unit["active"] == false)),
        "{status}"
    );
    ensure!(
        home.immich()?.version().is_err(),
        "Immich answers from a locked box"
    );
    ensure!(
        home.appliance
            .sh("pgrep -c 'postgres|immich-stand|redis' || true")?
            == "0"
    );

    // An ordinary user gets through sudo without writing it.
    let asked = home
        .appliance
        .command("immich-appliance --json status")
        .user("family")
        .run()?;
    let seen: serde_json::Value = serde_json::from_slice(&asked.stdout)?;
    ensure!(seen["drive"]["state"] == "locked", "{seen}");

    // As a person does it, at a terminal; through sudo the terminal stays theirs.
    let mut unlocking = home
        .appliance
        .command("immich-appliance unlock --start")
        .user("family")
        .terminal()
        .spawn()?;
    unlocking.expect("Passphrase of")?;
    unlocking.say(format!("{PASSPHRASE}\n"))?;
    let output = unlocking.wait()?;
    ensure!(output.status == 0, "{}{}", output.text(), output.stderr);
    home.log_in()?;

    // What is done already is done.
    ensure!(home.run("unlock --start")?.status == 0);
    ensure!(home.json("status")?["immich"] == "ready");
    ensure!(home.run("lock")?.status == 0);
    ensure!(home.run("lock")?.status == 0);

    // What systemd starts after the mount went leaves the clearing up to the run that is at it.
    let beside = home
        .appliance
        .run("flock /run/immich-appliance/lock immich-appliance --no-input lock --gone")?;
    ensure!(
        beside.status == 0 && beside.text().contains("another run is in progress"),
        "{}: {}{}",
        beside.status,
        beside.text(),
        beside.stderr
    );
    ensure!(home.json("status")?["drive"]["state"] == "locked");
    the_tie_to_the_disk_is_looked_after(&home)
}

/// Photos that can be seen are worth more than what watches over the plug, but it is told, and
/// mended.
fn the_tie_to_the_disk_is_looked_after(home: &Home) -> Result<()> {
    let target = "immich-appliance-drive@.target";
    home.appliance
        .sh(&format!("systemctl --runtime mask {target}"))?;
    let unlock = "unlock --passphrase-file /root/typed/passphrase";
    let untied = home.run(unlock)?;
    ensure!(
        untied.status == 0 && untied.stderr.contains("will not stop Immich"),
        "{}: {}",
        untied.status,
        untied.stderr
    );
    ensure!(verdict_on_unplugging(home)? == "bad");
    home.appliance
        .sh(&format!("systemctl --runtime unmask {target}"))?;
    ensure!(home.run(unlock)?.status == 0);
    ensure!(verdict_on_unplugging(home)? == "good");
    Ok(())
}

fn verdict_on_unplugging(home: &Home) -> Result<String> {
    let output = home.run("--json doctor")?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let findings = report["findings"].as_array().into_iter().flatten();
    let verdict = findings
        .filter(|finding| finding["what"] == "unplugging")
        .find_map(|finding| finding["verdict"].as_str());
    Ok(verdict.context("doctor says nothing of it")?.to_owned())
}
