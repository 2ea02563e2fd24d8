//! The machine is a real one: its disks come and go, its power fails, and its
//! encryption encrypts.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use virtual_appliance::{
    BaseImage, Disk, Layer, Machine, Result, S3Server, Snapshot, can_run, repository_key,
};

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
fn a_disk_is_encrypted_for_real_and_comes_and_goes() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut machine = start("disk")?;
    let disk = Disk::blank("SECRETS", 128)?;
    let device = disk.device();
    machine.plug(&disk)?;
    assert_eq!(
        machine.sh(&format!("lsblk -dno SERIAL {device}"))?,
        "SECRETS"
    );

    machine.sh(&format!(
        "printf word | cryptsetup luksFormat --batch-mode --pbkdf-memory 65536 \
           --pbkdf-force-iterations 4 {device} - &&
         printf word | cryptsetup open --key-file - {device} box &&
         mkfs.ext4 -q /dev/mapper/box && mount /dev/mapper/box /mnt &&
         yes photograph | head -c 5000000 >/mnt/photo && sync"
    ))?;
    let raw = std::fs::read(disk.path()).unwrap();
    let holds = |word: &[u8]| raw.windows(word.len()).any(|window| window == word);
    assert!(holds(b"LUKS"));
    assert!(!holds(b"photograph"));

    machine.unplug(&disk)?;
    assert!(machine.run(&format!("test -e {device}"))?.status != 0);
    machine.sh("umount --lazy /mnt; cryptsetup close --deferred box || true")?;

    machine.plug(&disk)?;
    let opened = machine.sh(&format!(
        "printf word | cryptsetup open --key-file - {device} again &&
         mount -o ro,noload /dev/mapper/again /mnt && head -c 10 /mnt/photo"
    ))?;
    assert_eq!(opened, "photograph");
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
fn a_power_cut_keeps_what_was_synced_and_nothing_else() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut machine = start("power-cut")?;
    let disk = Disk::blank("STAYS", 64)?;
    machine.plug(&disk)?;
    machine.sh(&format!(
        "mkfs.ext4 -q {device} && mount {device} /mnt && echo safe >/mnt/synced && sync &&
         echo safe >/root/synced && sync && echo lost >/root/unsynced && echo lost >/mnt/unsynced",
        device = disk.device()
    ))?;
    let immich = machine.forward(2283)?;
    machine.cut_power();
    assert!(!machine.is_on());
    machine.boot()?;

    assert_eq!(machine.sh("cat /root/synced")?, "safe");
    machine.sh(&format!("mount {} /mnt", disk.device()))?;
    assert_eq!(machine.sh("cat /mnt/synced")?, "safe");
    for file in ["/root/unsynced", "/mnt/unsynced"] {
        // A file that had not been synced may be there, but empty.
        let content = machine.sh(&format!("cat {file} 2>/dev/null || true"))?;
        assert_eq!(content, "", "{file}");
    }
    assert_eq!(machine.forward(2283)?, immich);
    Ok(())
}

#[test]
fn a_reboot_is_orderly_and_keeps_the_disk() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut machine = start("reboot")?;
    machine.sh("echo kept >/root/file")?;
    let before = machine.sh("cat /proc/sys/kernel/random/boot_id")?;
    machine.reboot()?;
    assert_ne!(machine.sh("cat /proc/sys/kernel/random/boot_id")?, before);
    assert_eq!(machine.sh("cat /root/file")?, "kept");
    machine.shut_down()?;
    assert!(!machine.is_on());
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

#[test]
fn the_base_units_start_with_a_mounted_drive() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let machine = start("units")?;
    // As in a real box: initdb makes the cluster, not a copy.
    machine.sh("rm -r /var/lib/postgresql/template &&
         mkdir -p /mnt/immich_drive/postgres && chown postgres: /mnt/immich_drive/postgres &&
         systemctl start postgresql-setup redis-immich")?;
    let query = "runuser -u immich -- psql -h /run/postgresql -At immich -c";
    let owned = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'immich'";
    assert_eq!(machine.sh(&format!("{query} \"{owned}\""))?, "immich");
    let extensions = machine.sh(&format!("{query} 'SELECT extname FROM pg_extension'"))?;
    for extension in ["cube", "earthdistance", "pg_trgm", "unaccent", "uuid-ossp"] {
        assert!(
            extensions.lines().any(|line| line == extension),
            "{extensions}"
        );
    }
    assert_eq!(
        machine.sh("runuser -u immich -- redis-cli -s /run/redis-immich/redis.sock ping")?,
        "PONG"
    );
    // A second start finds all of it there.
    machine.sh("systemctl restart postgresql && systemctl start postgresql-setup")?;
    assert_eq!(machine.sh(&format!("{query} \"{owned}\""))?, "immich");
    Ok(())
}

#[test]
fn stock_restic_works_with_the_s3_server_even_after_it_died() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let machine = start("s3")?;
    let folder = tempfile::tempdir().unwrap();
    let mut server = S3Server::start(folder.path())?;
    server.bucket("photos")?;
    let restic = format!(
        "AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} RESTIC_PASSWORD=word \
         restic -r s3:{}/photos",
        server.access_key(),
        server.secret_key(),
        server.guest_endpoint()
    );
    machine.sh("head -c 20000000 /dev/urandom >/root/photo")?;
    machine.sh(&format!("{restic} init"))?;
    repository_key::cheapen(&folder.path().join("photos/keys"), "word").unwrap();
    machine.sh(&format!("{restic} backup /root/photo"))?;

    server.stop();
    assert_ne!(
        machine
            .run(&format!("timeout 20 {restic} snapshots"))?
            .status,
        0
    );
    server.resume()?;

    machine.sh(&format!("{restic} backup /root/photo /etc/layer"))?;
    machine.sh(&format!(
        "{restic} forget --keep-last 1 --prune && {restic} check --read-data"
    ))?;
    machine.sh(&format!("{restic} restore latest --target /root/out"))?;
    machine.sh("cmp /root/photo /root/out/root/photo")?;

    let stranger = restic.replace(server.secret_key(), "guessed");
    assert_ne!(
        machine
            .run(&format!("timeout 20 {stranger} snapshots"))?
            .status,
        0
    );
    Ok(())
}
