//! All keys of the configuration: the one place where a key is described.

use bytesize::ByteSize;
use toml::de::DeValue;

use crate::settings::{Encryption, Scope, Settings};
use crate::value;

/// With four passes, the fewest that libcryptsetup takes, the least that OWASP's password storage
/// cheat sheet holds to be enough.
const LEAST_ARGON2_MEMORY: ByteSize = ByteSize::mib(9);

/// One key of the configuration, for the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionDoc {
    /// The key with its group: "drive.uuid".
    pub key: &'static str,
    /// The type of its value, in words.
    pub kind: &'static str,
    /// Its default as written in the file, or "none".
    pub default: String,
    /// What it means.
    pub doc: &'static str,
}

/// How one key is read into the settings and shown again.
pub(crate) struct Rule {
    pub(crate) key: &'static str,
    kind: &'static str,
    doc: &'static str,
    /// Checks a value and puts it in place.
    pub(crate) set: fn(&mut Settings, &DeValue<'_>) -> Result<(), String>,
    /// The value in place, as written in a file; `None` when there is none.
    show: fn(&Settings) -> Option<String>,
}

impl Settings {
    /// Every key of the configuration with its type, default and meaning, by group.
    pub fn reference() -> Vec<OptionDoc> {
        let defaults = Self::default();
        RULES
            .iter()
            .map(|rule| OptionDoc {
                key: rule.key,
                kind: rule.kind,
                default: (rule.show)(&defaults).unwrap_or_else(|| "none".into()),
                doc: rule.doc,
            })
            .collect()
    }
}

/// A rule whose value is stored as the checking function gives it.
macro_rules! rule {
    ($key:literal, $kind:literal, $($field:ident).+, $check:expr, $show:expr, $doc:literal) => {
        Rule {
            key: $key,
            kind: $kind,
            doc: $doc,
            set: |settings, value| {
                settings.$($field).+ = $check(value)?;
                Ok(())
            },
            show: |settings| $show(&settings.$($field).+),
        }
    };
}

const ENCRYPTION: &[(&str, Encryption)] =
    &[("luks2", Encryption::Luks2), ("none", Encryption::None)];
const SCOPE: &[(&str, Scope)] = &[
    ("everything", Scope::Everything),
    ("essential", Scope::Essential),
];

pub(crate) const RULES: &[Rule] = &[
    rule!(
        "drive.uuid",
        "UUID",
        drive.uuid,
        optional(value::uuid),
        shown_option,
        "The only drive to be used: the UUID of its LUKS header, or of its file system when it is not encrypted. Without it, the drive that was used first is remembered."
    ),
    rule!(
        "drive.encryption",
        "`\"luks2\"` or `\"none\"`",
        drive.encryption,
        |value| value::one_of(value, ENCRYPTION),
        |it: &Encryption| quoted(it.as_str()),
        "How the drive is encrypted. With `\"none\"` it is mounted and Immich started at boot, and whoever takes the drive can read it."
    ),
    rule!(
        "drive.mapper_name",
        "name",
        drive.mapper_name,
        mapper_name,
        quoted,
        "The device-mapper name of the open drive, under `/dev/mapper`."
    ),
    rule!(
        "drive.mount_point",
        "path",
        drive.mount_point,
        value::path,
        shown_path,
        "Where the drive is mounted. The units that come with the tool are bound to the default: who changes it changes them too."
    ),
    rule!(
        "drive.argon2_memory_max",
        "size",
        drive.argon2_memory_max,
        |value| value::size(value, LEAST_ARGON2_MEMORY, ByteSize::gib(4)),
        shown_size,
        "The most memory that opening a new drive may take; a quarter of the machine's memory if that is less. More is slower to attack, but a drive made with more than a machine has free does not open there."
    ),
    rule!(
        "drive.argon2_milliseconds",
        "number",
        drive.argon2_milliseconds,
        |value| value::integer(value, 200, 60_000),
        shown_number,
        "How long opening a new drive, or a drive by a new passphrase, may take on the machine where it is made. Longer is slower to attack; a slower machine takes longer."
    ),
    rule!(
        "drive.argon2_passes",
        "number",
        drive.argon2_passes,
        optional(|value| value::integer(value, 4, 10_000)),
        shown_option_number,
        "How often deriving a key for a new drive or passphrase passes over its memory. Without it, as often as fits into the milliseconds, which is measured. More is slower to attack."
    ),
    rule!(
        "drive.unlock_tries",
        "number",
        drive.unlock_tries,
        |value| value::integer(value, 1, 10),
        shown_number,
        "How often the passphrase may be typed."
    ),
    rule!(
        "immich.url",
        "address",
        immich.url,
        value::url,
        quoted,
        "Where Immich answers on this machine."
    ),
    rule!(
        "immich.media_folder",
        "name",
        immich.media_folder,
        value::folder_name,
        quoted,
        "The name of Immich's media folder on the drive."
    ),
    rule!(
        "immich.user",
        "name",
        immich.user,
        value::name,
        quoted,
        "The system user that Immich runs as and that owns the media."
    ),
    rule!(
        "immich.group",
        "name",
        immich.group,
        value::name,
        quoted,
        "The system group of the media."
    ),
    rule!(
        "immich.ready_timeout_seconds",
        "seconds",
        immich.ready_timeout,
        value::seconds,
        shown_seconds,
        "How long `start` waits until Immich is ready."
    ),
    rule!(
        "database.name",
        "name",
        database.name,
        value::name,
        quoted,
        "The name of Immich's database."
    ),
    rule!(
        "database.owner",
        "name",
        database.owner,
        value::name,
        quoted,
        "The role that owns the database."
    ),
    rule!(
        "database.superuser",
        "name",
        database.superuser,
        value::name,
        quoted,
        "PostgreSQL's superuser: the role, and the system user of the same name."
    ),
    rule!(
        "database.socket_directory",
        "path",
        database.socket_directory,
        value::path,
        shown_path,
        "The folder of PostgreSQL's Unix socket."
    ),
    rule!(
        "database.bin_directory",
        "path",
        database.bin_directory,
        optional(value::path),
        shown_option_path,
        "The folder of `psql` and `pg_dump`. Without it they are looked for where the system's packages put them."
    ),
    rule!(
        "database.keep_dumps",
        "number",
        database.keep_dumps,
        |value| value::integer(value, 1, 1000),
        shown_number,
        "How many database dumps are kept on the drive. Older ones are in the backup's snapshots."
    ),
    rule!(
        "services.target",
        "unit",
        services.target,
        |value| value::unit(value, &["target"]),
        quoted,
        "The target that stands for the running appliance."
    ),
    rule!(
        "services.units",
        "list of units",
        services.units,
        value::units,
        shown_list,
        "The units of the appliance, in the order they start in; they stop in the reverse order."
    ),
    rule!(
        "services.database_units",
        "list of units",
        services.database_units,
        value::units,
        shown_list,
        "Those of the units that the database alone needs. A recovery starts them before Immich."
    ),
    rule!(
        "services.server_unit",
        "unit",
        services.server_unit,
        |value| value::unit(value, &["service"]),
        quoted,
        "The one of the units that is Immich's server."
    ),
    rule!(
        "services.start_timeout_seconds",
        "seconds",
        services.start_timeout,
        value::seconds,
        shown_seconds,
        "How long the units may take to start. Immich getting ready is counted apart."
    ),
    rule!(
        "services.stop_timeout_seconds",
        "seconds",
        services.stop_timeout,
        value::seconds,
        shown_seconds,
        "How long the units may take to stop."
    ),
    rule!(
        "backup.scope",
        "`\"everything\"` or `\"essential\"`",
        backup.scope,
        |value| value::one_of(value, SCOPE),
        |it: &Scope| quoted(it.as_str()),
        "What of the media is backed up. `\"essential\"` leaves out thumbnails and transcoded videos: a smaller backup, but after a recovery Immich makes them anew, which takes days on a small machine."
    ),
    rule!(
        "backup.cache_directory",
        "path",
        backup.cache_directory,
        value::path,
        shown_path,
        "The folder of the repository's cache. It holds nothing that is needed, and can be deleted."
    ),
    rule!(
        "backup.compression_level",
        "number",
        backup.compression_level,
        |value| value::integer(value, -7, 22),
        shown_number,
        "Zstandard's level. Photos and videos hardly get smaller; the database and its dumps do."
    ),
    rule!(
        "backup.exclude",
        "list of patterns",
        backup.exclude,
        |value| value::list(value, value::text),
        shown_list,
        "Glob patterns of what is left out of the backup."
    ),
    rule!(
        "state.directory",
        "path",
        state.directory,
        value::path,
        shown_path,
        "The folder of what is kept outside the drive: which drive belongs to this machine, copies of its header, and when the last backup was made."
    ),
    rule!(
        "first_boot.folder",
        "path",
        first_boot.folder,
        value::path,
        shown_path,
        "The folder that the card's FAT partition is mounted at, where `appliance.toml` is looked for."
    ),
    rule!(
        "first_boot.user",
        "name",
        first_boot.user,
        value::name,
        quoted,
        "The system user who gets the keys and the password of `appliance.toml`."
    ),
    rule!(
        "first_boot.keys_file",
        "path",
        first_boot.keys_file,
        optional(value::path),
        shown_option_path,
        "The file that the keys go into, where the SSH server reads it. Without it they are added to those in the user's home."
    ),
    rule!(
        "first_boot.password_sign_in_file",
        "path",
        first_boot.password_sign_in_file,
        optional(value::path),
        shown_option_path,
        "A file that the SSH server includes, written to let the user in by password as long as there is no key. Without it the SSH server is left as it is."
    ),
    rule!(
        "remote.tailscale_socket",
        "path",
        remote.tailscale_socket,
        value::path,
        shown_path,
        "The socket of tailscaled, which `remote` talks to."
    ),
    rule!(
        "remote.key_warning_days",
        "number",
        remote.key_warning_days,
        |value| value::integer(value, 1, 90),
        shown_number,
        "How many days before the box's key in the tailnet expires it is warned of."
    ),
];

fn optional<T>(
    check: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> impl Fn(&DeValue<'_>) -> Result<Option<T>, String> {
    move |value| check(value).map(Some)
}

fn mapper_name(value: &DeValue<'_>) -> Result<String, String> {
    let name = value::name(value)?;
    // The device-mapper's own control node is /dev/mapper/control.
    if name == "control" {
        return Err("must not be \"control\", which the kernel uses itself".into());
    }
    Ok(name)
}

fn toml_text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn quoted(text: impl AsRef<str>) -> Option<String> {
    Some(toml_text(text.as_ref()))
}

fn shown_path(path: &std::path::Path) -> Option<String> {
    quoted(path.to_string_lossy())
}

fn shown_option_path(path: &Option<std::path::PathBuf>) -> Option<String> {
    path.as_deref().and_then(shown_path)
}

fn shown_option(value: &Option<impl ToString>) -> Option<String> {
    value.as_ref().and_then(|value| quoted(value.to_string()))
}

fn shown_number(number: &impl ToString) -> Option<String> {
    Some(number.to_string())
}

fn shown_option_number(number: &Option<u32>) -> Option<String> {
    number.as_ref().and_then(shown_number)
}

fn shown_seconds(time: &std::time::Duration) -> Option<String> {
    Some(time.as_secs().to_string())
}

fn shown_size(size: &ByteSize) -> Option<String> {
    // Whole MiB: the shortest form that is read back as the same number.
    quoted(format!("{}MiB", size.as_u64() / ByteSize::mib(1).as_u64()))
}

fn shown_list(entries: &[String]) -> Option<String> {
    let entries: Vec<_> = entries.iter().map(|entry| toml_text(entry)).collect();
    Some(format!("[{}]", entries.join(", ")))
}
