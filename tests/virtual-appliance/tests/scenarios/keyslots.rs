//! Passphrases come and go, the header may be damaged: whoever has one key still gets in, and
//! a removed one never opens the drive again.

use anyhow::{Result, ensure};
use virtual_appliance::{can_run, home::Home};

/// Runs a command and expects an exit code.
fn ends(home: &Home, arguments: &str, code: i32) -> Result<()> {
    let output = home.run(arguments)?;
    ensure!(
        output.status == code,
        "{arguments}: expected {code}, got {}: {}{}",
        output.status,
        output.text(),
        output.stderr
    );
    Ok(())
}

/// Unlocks with the secret in this file, and locks again.
fn opens(home: &Home, secret: &str) -> Result<()> {
    let unlock = format!("unlock --passphrase-file /root/typed/{secret}");
    ends(home, &unlock, 0)?;
    ends(home, "lock", 0)
}

/// Fails to unlock with the secret in this file.
fn refuses(home: &Home, secret: &str) -> Result<()> {
    let unlock = format!("unlock --passphrase-file /root/typed/{secret}");
    ends(home, &unlock, 3)
}

#[test]
fn passphrases_recovery_key_and_header_open_the_drive_and_removed_ones_do_not() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (home, disk) = Home::settled("keyslots")?;
    ends(&home, "lock", 0)?;
    opens(&home, "recovery-key")?;

    // A second passphrase, opened by the first; then the first is replaced by a third.
    home.appliance
        .write("/root/typed/second", "grandmother's own")?;
    home.appliance
        .write("/root/typed/third", "another one entirely")?;
    let with = |command: &str, old: &str, new: &str| {
        format!(
            "drive passphrase {command} --passphrase-file /root/typed/{old} {new}",
            new = if new.is_empty() {
                String::new()
            } else {
                format!("--new-passphrase-file /root/typed/{new}")
            }
        )
    };
    ends(&home, &with("add", "wrong", "second"), 3)?;
    ends(&home, &with("add", "passphrase", "second"), 0)?;
    ends(&home, &with("change", "passphrase", "third"), 0)?;
    refuses(&home, "passphrase")?;
    opens(&home, "third")?;

    // All but one can be removed.
    ends(&home, &with("remove", "recovery-key", ""), 0)?;
    ends(&home, &with("remove", "third", ""), 0)?;
    refuses(&home, "recovery-key")?;
    refuses(&home, "third")?;
    let info = home.json("drive info")?;
    ensure!(
        info["header"]["keyslots"].as_array().map(Vec::len) == Some(1),
        "{info}"
    );
    ends(&home, &with("remove", "second", ""), 9)?;
    opens(&home, "second")?;

    // The header is overwritten, both copies of it; the box still has its own.
    let name = home.name_of(&disk)?;
    home.appliance.sh(&format!(
        "dd if=/dev/urandom of=/dev/{name} bs=1M count=16 conv=fsync status=none && udevadm settle"
    ))?;
    ensure!(
        home.run("unlock --passphrase-file /root/typed/second")?
            .status
            != 0
    );
    ends(&home, &format!("drive header restore /dev/{name}"), 9)?;
    ends(
        &home,
        &format!("drive header restore /dev/{name} --erase {name}"),
        0,
    )?;
    opens(&home, "second")?;
    // What was removed before did not come back with it.
    refuses(&home, "passphrase")?;

    // A copy in a file of one's own works as well, and is never overwritten.
    ends(&home, "drive header backup /root/header.img", 0)?;
    ends(&home, "drive header backup /root/header.img", 9)?;
    home.appliance.sh(&format!(
        "dd if=/dev/zero of=/dev/{name} bs=1M count=16 conv=fsync status=none && udevadm settle"
    ))?;
    let restore = format!("drive header restore /dev/{name} /root/header.img --erase {name}");
    ends(&home, &restore, 0)?;
    home.json("unlock --passphrase-file /root/typed/second")?;

    // The commands that only look.
    let drives = home.json("drive list")?;
    ensure!(
        drives["drives"]
            .as_array()
            .is_some_and(|all| all.iter().any(|drive| drive["name"] == *name)),
        "{drives}"
    );
    let speeds = home.json("drive benchmark")?;
    ensure!(speeds["choice"].is_string(), "{speeds}");
    Ok(())
}
