//! A drive as immich-rpi-server leaves it: other user numbers, and the database directly in
//! its folder. It just works.

use anyhow::{Result, ensure};
use virtual_appliance::{
    can_run,
    home::{Home, all_there, upload},
    photos,
};

#[test]
fn a_drive_of_immich_rpi_server_just_works() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (mut home, _disk) = Home::settled("adopted-drive")?;
    let folder = tempfile::tempdir()?;
    let client = home.log_in()?;
    let uploaded = upload(&client, &photos::generate(folder.path(), 3)?)?;

    ensure!(home.run("stop")?.status == 0);
    home.appliance.sh(
        "cd /mnt/immich_drive && major=$(ls postgres) && mv postgres/$major/* postgres/ && \
         rmdir postgres/$major && chown -R 5005:100 immich_data && chown -R 5006:5006 postgres && \
         chmod 755 immich_data secrets",
    )?;
    ensure!(home.run("lock")?.status == 0);
    // The box has never seen it.
    home.appliance
        .sh("rm -r /var/lib/immich-appliance /run/immich-appliance")?;

    home.unlock_and_start()?;
    all_there(&home.log_in()?, &uploaded)?;
    home.appliance
        .sh("test -e /mnt/immich_drive/postgres/PG_VERSION && test \"$(stat -c %a /mnt/immich_drive/secrets)\" = 700")?;
    let strangers = home
        .appliance
        .sh("find /mnt/immich_drive/immich_data /mnt/immich_drive/postgres -uid 5005 -o -uid 5006 -o -gid 100")?;
    ensure!(strangers.is_empty(), "{strangers}");
    Ok(())
}
