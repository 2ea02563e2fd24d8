//! The settings: from a file, over it flags, over those what a person answers.

mod asked;
mod keys;
mod person;

use std::fs;
use std::path::Path;

use anyhow::Context;
use appliance_first_boot::{Settings, password, pre_shared_key};
use appliance_secret::Source;
use appliance_terminal::Ui;
use secrecy::{ExposeSecret, SecretString};
use toml::{Table, Value};

use crate::cli::SettingsFlags;

/// Gathers the settings. `None` when nothing was given and nothing may be asked.
///
/// # Errors
/// Every problem of the settings at once, each with its field.
pub fn gather(ui: Ui, flags: &SettingsFlags) -> anyhow::Result<Option<Settings>> {
    let mut table = match &flags.settings {
        Some(path) => from_file(path)?,
        None => Table::new(),
    };
    put_flags(ui, &mut table, flags)?;
    if !flags.as_is && ui.may_ask() {
        asked::ask(ui, &mut table)?;
    }
    if table.is_empty() {
        return Ok(None);
    }
    let mut settings = Settings::from_table(&table)?;
    if let Some(wifi) = &mut settings.wifi
        && let Some(passphrase) = &wifi.passphrase
    {
        wifi.passphrase = Some(pre_shared_key(&wifi.ssid, passphrase));
    }
    if !settings.lets_somebody_in() {
        ui.warn(
            "nobody can sign in with these settings: give a public key (--ssh-key) or a password",
        );
    }
    Ok(Some(settings))
}

/// A settings file; whatever is wrong in it is said before anything is asked.
fn from_file(path: &Path) -> anyhow::Result<Table> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Settings::parse(&bytes)
        .with_context(|| format!("{} cannot be used", path.display()))?
        .render()
        .expose_secret()
        .parse()
        .with_context(|| format!("{} cannot be used", path.display()))
}

fn put_flags(ui: Ui, table: &mut Table, flags: &SettingsFlags) -> anyhow::Result<()> {
    let texts = [
        ("hostname", &flags.hostname),
        ("time_zone", &flags.time_zone),
        ("locale", &flags.locale),
        ("wifi.ssid", &flags.wifi_ssid),
        ("wifi.country", &flags.wifi_country),
        ("network.address", &flags.address),
        ("network.gateway", &flags.gateway),
        ("network.interface", &flags.interface),
        ("tailscale.login_server", &flags.tailscale_server),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            put(table, name, value.as_str());
        }
    }
    if flags.wifi_hidden {
        put(table, "wifi.hidden", true);
    }
    if !flags.dns.is_empty() {
        put(table, "network.dns", flags.dns.clone());
    }
    let mut keys = keys::given(&flags.ssh_key)?;
    if let Some(url) = &flags.ssh_keys_from {
        keys.extend(keys::from_web(url)?);
    }
    if !keys.is_empty() {
        put(table, "ssh_keys", keys);
    }
    if let Some(path) = &flags.password_file {
        let hash = password::hash(&secret_file(ui, path)?)?;
        put(table, "password_hash", hash.expose_secret());
    }
    if let Some(path) = &flags.wifi_passphrase_file {
        let passphrase = secret_file(ui, path)?;
        put(table, "wifi.passphrase", passphrase.expose_secret());
    }
    if let Some(path) = &flags.tailscale_key_file {
        let key = secret_file(ui, path)?;
        put(table, "tailscale.auth_key", key.expose_secret());
    }
    Ok(())
}

fn secret_file(ui: Ui, path: &Path) -> anyhow::Result<SecretString> {
    let source = if path == Path::new("-") {
        Source::Descriptor(0)
    } else {
        Source::File(path.to_owned())
    };
    let obtained = source.obtain("")?;
    for warning in obtained.warnings {
        ui.warn(warning.to_string());
    }
    Ok(obtained.secret.to_secret_string()?)
}

/// Puts a value at `group.key` or `key`.
fn put(table: &mut Table, name: &str, value: impl Into<Value>) {
    match name.split_once('.') {
        Some((group, key)) => {
            let group = table
                .entry(group)
                .or_insert_with(|| Value::from(Table::new()));
            if let Some(group) = group.as_table_mut() {
                group.insert(key.to_owned(), value.into());
            }
        }
        None => {
            table.insert(name.to_owned(), value.into());
        }
    }
}

/// Takes a value away again, and its group with it if nothing else is in that.
fn take(table: &mut Table, name: &str) {
    let Some((group, key)) = name.split_once('.') else {
        table.remove(name);
        return;
    };
    if let Some(inside) = table.get_mut(group).and_then(Value::as_table_mut) {
        inside.remove(key);
        if inside.is_empty() {
            table.remove(group);
        }
    }
}

fn has(table: &Table, name: &str) -> bool {
    match name.split_once('.') {
        Some((group, key)) => table
            .get(group)
            .and_then(Value::as_table)
            .is_some_and(|group| group.contains_key(key)),
        None => table.contains_key(name),
    }
}
