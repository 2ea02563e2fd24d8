//! What a person is asked, one question for each thing that was not given.

use appliance_first_boot::{Problems, Settings, password};
use appliance_secret::Source;
use secrecy::ExposeSecret;
use toml::Table;

use super::{has, keys, put, take};
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
        password_hash(talk, table)?;
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
    secret(
        talk,
        table,
        "tailscale.auth_key",
        "Tailscale auth key (empty: none): ",
    )
}

fn wifi(talk: Talk, table: &mut Table) -> anyhow::Result<()> {
    text(talk, table, "wifi.ssid", "Wi-Fi network (empty: cable)")?;
    if !has(table, "wifi.ssid") {
        return Ok(());
    }
    secret(
        talk,
        table,
        "wifi.passphrase",
        "Its passphrase (empty: an open network): ",
    )?;
    text(
        talk,
        table,
        "wifi.country",
        "Country (two letters, such as DE)",
    )
}

fn text(talk: Talk, table: &mut Table, name: &str, question: &str) -> anyhow::Result<()> {
    until_right(talk, table, name, || talk.ask(question))
}

fn secret(talk: Talk, table: &mut Table, name: &str, question: &str) -> anyhow::Result<()> {
    until_right(talk, table, name, || {
        let typed = Source::Prompt.obtain(question)?.secret.to_secret_string()?;
        let typed = typed.expose_secret();
        Ok((!typed.is_empty()).then(|| typed.to_owned()))
    })
}

/// Asks for a field that was not given, again as long as the answer cannot be used: whoever
/// mistypes one answer does not begin anew.
fn until_right(
    talk: Talk,
    table: &mut Table,
    name: &str,
    mut ask: impl FnMut() -> anyhow::Result<Option<String>>,
) -> anyhow::Result<()> {
    if has(table, name) {
        return Ok(());
    }
    while let Some(answer) = ask()? {
        put(table, name, answer);
        match problem(table, name) {
            None => break,
            Some(problem) => {
                talk.say(problem);
                take(table, name);
            }
        }
    }
    Ok(())
}

/// What is wrong with one field of the settings so far.
fn problem(table: &Table, name: &str) -> Option<String> {
    let Problems(problems) = Settings::from_table(table).err()?;
    let problem = problems.into_iter().find(|problem| problem.field == name)?;
    Some(problem.to_string())
}

fn password_hash(talk: Talk, table: &mut Table) -> anyhow::Result<()> {
    while let Some(typed) = new_secret(talk, "Administrator's password (empty: none)")? {
        match password::hash(&typed) {
            Ok(hash) => {
                put(table, "password_hash", hash.expose_secret());
                break;
            }
            Err(error) => talk.say(error.to_string()),
        }
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
