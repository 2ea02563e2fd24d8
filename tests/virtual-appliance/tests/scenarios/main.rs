//! What the box promises, kept in the virtual appliance. All in one program, so that as many
//! scenarios run at once as fit on the host.

mod adopted_drive;
mod backup_faults;
mod behind_caddy;
mod daily_backup;
mod first_boot;
mod flashed_disk;
mod keyslots;
mod lost_header;
mod machine;
mod main_loop;
mod plain_drive;
mod power_cuts;
mod reboot;
mod s3_server;
mod setup;
mod unplugged;
mod wrong_drive;
