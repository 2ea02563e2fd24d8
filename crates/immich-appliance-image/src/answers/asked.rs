//! What a person is asked, one question for each thing that was not given.

use appliance_first_boot::{Problems, Settings, password};
use appliance_secret::Source;
use appliance_terminal::Ui;
use secrecy::ExposeSecret;
use toml::Table;

use super::{has, keys, put, take};

/// How often a new secret may be typed.
const TRIES: u32 = 3;

/// Asks for what is missing. Every question may be left unanswered.
///
/// # Errors
/// When the terminal fails, or a password does not protect.
pub fn ask(ui: Ui, table: &mut Table) -> anyhow::Result<()> {
    ui.say("Settings for the box. Leave an answer empty to keep what the image has.");
    text(ui, table, "hostname", "Name in the network (NAME.local)")?;
    text(ui, table, "time_zone", "Time zone (such as Europe/Berlin)")?;
    text(ui, table, "locale", "Locale (such as de_DE.UTF-8)")?;
    if !has(table, "ssh_keys") {
        let found = keys::of_this_person();
        if !found.is_empty() {
            let chosen = ui.choose_some(
                "Public keys that may sign in (space selects, enter continues)",
                "--ssh-key",
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
        password_hash(ui, table)?;
    }
    wifi(ui, table)?;
    if !has(table, "network.address") {
        text(
            ui,
            table,
            "network.address",
            "Fixed address (empty: assigned by the router)",
        )?;
    }
    if has(table, "network.address") {
        text(ui, table, "network.gateway", "The router's address")?;
    }
    secret(
        ui,
        table,
        "tailscale.auth_key",
        "Tailscale auth key (empty: none): ",
    )
}

fn wifi(ui: Ui, table: &mut Table) -> anyhow::Result<()> {
    text(ui, table, "wifi.ssid", "Wi-Fi network (empty: cable)")?;
    if !has(table, "wifi.ssid") {
        return Ok(());
    }
    secret(
        ui,
        table,
        "wifi.passphrase",
        "Its passphrase (empty: open network): ",
    )?;
    text(
        ui,
        table,
        "wifi.country",
        "Country (two letters, such as DE)",
    )
}

fn text(ui: Ui, table: &mut Table, name: &str, question: &str) -> anyhow::Result<()> {
    until_right(ui, table, name, || ui.ask_optional(question))
}

fn secret(ui: Ui, table: &mut Table, name: &str, question: &str) -> anyhow::Result<()> {
    until_right(ui, table, name, || {
        let typed = Source::Prompt.obtain(question)?.secret.to_secret_string()?;
        let typed = typed.expose_secret();
        Ok((!typed.is_empty()).then(|| typed.to_owned()))
    })
}

/// Asks for a field that was not given, again as long as the answer cannot be used: whoever
/// mistypes one answer does not begin anew.
fn until_right(
    ui: Ui,
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
                ui.say(problem);
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

fn password_hash(ui: Ui, table: &mut Table) -> anyhow::Result<()> {
    while let Some(typed) = new_secret(ui, "Administrator's password (empty: none)")? {
        match password::hash(&typed) {
            Ok(hash) => {
                put(table, "password_hash", hash.expose_secret());
                break;
            }
            Err(error) => ui.say(error.to_string()),
        }
    }
    Ok(())
}

/// A secret typed twice; `None` when nothing was typed.
fn new_secret(ui: Ui, question: &str) -> anyhow::Result<Option<secrecy::SecretString>> {
    let obtained =
        Source::Prompt.obtain_new(&format!("{question}: "), "Once more: ", TRIES, || {
            ui.say("They do not match.")
        });
    match obtained {
        Ok(obtained) => Ok(Some(obtained.secret.to_secret_string()?)),
        Err(appliance_secret::ObtainError::Empty) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
