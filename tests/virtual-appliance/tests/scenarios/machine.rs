//! The driver itself: what other scenarios rely on and do not show by themselves.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use virtual_appliance::{BaseImage, Disk, Layer, Machine, Result, Snapshot, can_run};

/// A machine without the product: these tests are about the machine.
fn start(name: &str) -> Result<Machine> {
    let image = Arc::new(BaseImage::ensure()?);
    Snapshot::ensure(&image, &layer())?.start(name)
}

fn layer() -> Layer {
    Layer::default()
        .file("/etc/layer/words", 0o640, "from the layer")
        .command("cp /etc/layer/words /etc/layer/copied")
}

#[test]
fn a_woken_machine_has_its_layer_the_time_and_no_failed_unit() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let machine = start("woken")?;
    assert_eq!(machine.sh("cat /etc/layer/copied")?, "from the layer");
    assert_eq!(machine.sh("stat -c %a /etc/layer/words")?, "640");
    assert_eq!(machine.sh("systemctl --failed --no-legend")?, "");

    let there: u64 = machine.sh("date +%s")?.parse().unwrap();
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(
        here.as_secs().abs_diff(there) < 60,
        "its clock says {there}"
    );
    Ok(())
}

#[test]
fn a_command_gives_back_all_that_it_did() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let machine = start("commands")?;
    let output = machine.run("echo out; echo err >&2; exit 7")?;
    assert_eq!(
        (
            output.status,
            output.text().as_str(),
            output.stderr.as_str()
        ),
        (7, "out\n", "err\n")
    );
    assert_eq!(machine.run("kill -KILL $$")?.status, 137);

    let echoed = machine
        .command("cat; id -un")
        .stdin("typed\n")
        .user("family");
    assert_eq!(echoed.run()?.ok()?, "typed\nfamily");
    assert_eq!(
        machine.command("sudo id -un").user("family").run()?.ok()?,
        "root"
    );

    let mut asking = machine
        .command("read -r -p 'Your name: ' name; echo \"Hello $name\"")
        .terminal()
        .spawn()?;
    asking.expect("Your name: ")?;
    asking.say("you\n")?;
    asking.expect("Hello you")?;
    assert_eq!(asking.wait()?.status, 0);

    let content: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    machine.write("/tmp/some where/it's", content.clone())?;
    assert_eq!(machine.read("/tmp/some where/it's")?, content);
    Ok(())
}

#[test]
fn a_write_protected_disk_stays_as_it_is() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut machine = start("protected")?;
    let disk = Disk::blank("PROTECTED", 64)?.write_protected(true);
    let before = disk.fingerprint()?;
    machine.plug(&disk)?;
    let write = format!(
        "head -c 4096 /dev/urandom | dd of={} conv=fsync",
        disk.device()
    );
    assert_ne!(machine.run(&write)?.status, 0);
    machine.unplug(&disk)?;
    assert_eq!(disk.fingerprint()?, before);

    let disk = disk.write_protected(false);
    machine.plug(&disk)?;
    machine.sh(&write)?;
    assert_ne!(disk.fingerprint()?, before);
    Ok(())
}

#[test]
fn two_machines_live_side_by_side() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (mut one, two) = (start("one")?, start("two")?);
    one.sh("echo one >/root/name")?;
    two.sh("echo two >/root/name")?;
    assert_eq!(one.sh("cat /root/name")?, "one");
    assert_eq!(two.sh("cat /root/name")?, "two");

    // Woken from the same state, they still draw different random numbers.
    let drawn = "cat /proc/sys/kernel/random/uuid";
    assert_ne!(one.sh(drawn)?, two.sh(drawn)?);

    one.cut_power();
    assert_eq!(two.sh("cat /root/name")?, "two");
    Ok(())
}
