//! What a person is asked, one question for each thing that was not given.

use appliance_first_boot::password;
use appliance_secret::Source;
use secrecy::ExposeSecret;
use toml::Table;

use super::{has, keys, put};
use crate::talk::Talk;

/// How often a new secret may be typed.
const TRIES: u32 = 3;

/// Asks for what is missing. Every question may be left unanswered.
///
/// # Errors
/// When the terminal fails, or a password does not protect.
pub fn ask(talk: Talk, table: &mut Table) -> anyhow::Result<()> {
    talk.say("What the box is to be; an empty answer leaves it as the image has it.");
    text(talk, table, "hostname", "Name in the network (NAME.local)")?;
    text(
        talk,
        table,
        "time_zone",
        "Time zone (such as Europe/Berlin)",
    )?;
    text(talk, table, "locale", "Locale (such as de_DE.UTF-8)")?;
    if !has(table, "ssh_keys") {
        let found = keys::of_this_user();
        if !found.is_empty() {
            let chosen = talk.choose_some(
                "Public keys that may sign in (space chooses, enter goes on)",
                &found,
            )?;
            let chosen: Vec<String> = chosen
                .into_iter()
                .filter_map(|number| found.get(number).cloned())
                .collect();
            if !chosen.is_empty() {
                put(table, "ssh_keys", chosen);
            }
        }
    }
    if !has(table, "password_hash") {
        let typed = new_secret(talk, "Administrator's password (empty: none)")?;
        if let Some(typed) = typed {
            let hash = password::hash(&typed)?;
            put(table, "password_hash", hash.expose_secret());
        }
    }
    wifi(talk, table)?;
    if !has(table, "network.address") {
        text(
            talk,
            table,
            "network.address",
            "Fixed address (empty: the router gives one)",
        )?;
    }
    if has(table, "network.address") {
        text(talk, table, "network.gateway", "The router's address")?;
    }
    if !has(table, "tailscale.auth_key") {
        let key = Source::Prompt
            .obtain("Tailscale auth key (empty: none): ")?
            .secret
            .to_secret_string()?;
        if !key.expose_secret().is_empty() {
            put(table, "tailscale.auth_key", key.expose_secret());
        }
    }
    Ok(())
}

fn wifi(talk: Talk, table: &mut Table) -> anyhow::Result<()> {
    text(talk, table, "wifi.ssid", "Wi-Fi network (empty: cable)")?;
    if !has(table, "wifi.ssid") {
        return Ok(());
    }
    if !has(table, "wifi.passphrase") {
        let passphrase = Source::Prompt
            .obtain("Its passphrase (empty: an open network): ")?
            .secret
            .to_secret_string()?;
        if !passphrase.expose_secret().is_empty() {
            put(table, "wifi.passphrase", passphrase.expose_secret());
        }
    }
    text(
        talk,
        table,
        "wifi.country",
        "Country (two letters, such as DE)",
    )
}

fn text(talk: Talk, table: &mut Table, name: &str, question: &str) -> anyhow::Result<()> {
    if !has(table, name)
        && let Some(answer) = talk.ask(question)?
    {
        put(table, name, answer);
    }
    Ok(())
}

/// A secret typed twice; `None` when nothing was typed.
fn new_secret(talk: Talk, question: &str) -> anyhow::Result<Option<secrecy::SecretString>> {
    let obtained =
        Source::Prompt.obtain_new(&format!("{question}: "), "Once more: ", TRIES, || {
            talk.say("The two were not the same.")
        });
    match obtained {
        Ok(obtained) => Ok(Some(obtained.secret.to_secret_string()?)),
        Err(appliance_secret::ObtainError::Empty) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
