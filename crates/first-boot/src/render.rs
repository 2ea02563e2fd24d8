use secrecy::{ExposeSecret, SecretString};
use toml::{Table, Value};

use crate::Settings;
use crate::fields::{FIELDS, Kind};

const HEAD: &str = "\
# Settings for the first start of the box. It takes them over, and erases this file.
# Every field: docs/reference/appliance-toml.md. What is wrong is said in appliance-error.txt.
";

impl Settings {
    /// The settings as a file, secrets included; [`Settings::parse`] reads it back the same.
    pub fn render(&self) -> SecretString {
        SecretString::from(format!("{HEAD}\n{}", text(&self.table())))
    }

    /// The settings as text for people, with a row of dots for each secret.
    pub fn render_without_secrets(&self) -> String {
        let mut table = self.table();
        for field in FIELDS.iter().filter(|field| field.kind == Kind::Secret) {
            let group = if field.group.is_empty() {
                Some(&mut table)
            } else {
                table.get_mut(field.group).and_then(Value::as_table_mut)
            };
            if let Some(value) = group.and_then(|group| group.get_mut(field.key)) {
                *value = Value::from("…");
            }
        }
        text(&table)
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        put(&mut table, "hostname", self.hostname.as_deref());
        put(&mut table, "time_zone", self.time_zone.as_deref());
        put(&mut table, "locale", self.locale.as_deref());
        if !self.ssh_keys.is_empty() {
            table.insert("ssh_keys".into(), Value::from(self.ssh_keys.clone()));
        }
        put_secret(&mut table, "password_hash", self.password_hash.as_ref());
        if let Some(wifi) = &self.wifi {
            let mut group = Table::new();
            put(&mut group, "ssid", Some(&wifi.ssid));
            put_secret(&mut group, "passphrase", wifi.passphrase.as_ref());
            put(&mut group, "country", wifi.country.as_deref());
            if wifi.hidden {
                group.insert("hidden".into(), Value::from(true));
            }
            table.insert("wifi".into(), Value::from(group));
        }
        if let Some(network) = &self.network {
            let mut group = Table::new();
            put(&mut group, "address", Some(&network.address.to_string()));
            put(&mut group, "gateway", Some(&network.gateway.to_string()));
            let dns: Vec<String> = network.dns.iter().map(ToString::to_string).collect();
            group.insert("dns".into(), Value::from(dns));
            put(&mut group, "interface", network.interface.as_deref());
            table.insert("network".into(), Value::from(group));
        }
        if let Some(tailscale) = &self.tailscale {
            let mut group = Table::new();
            put_secret(&mut group, "auth_key", Some(&tailscale.auth_key));
            put(
                &mut group,
                "login_server",
                tailscale.login_server.as_deref(),
            );
            table.insert("tailscale".into(), Value::from(group));
        }
        table
    }
}

fn put(table: &mut Table, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        table.insert(key.into(), Value::from(value));
    }
}

fn put_secret(table: &mut Table, key: &str, value: Option<&SecretString>) {
    put(table, key, value.map(ExposeSecret::expose_secret));
}

fn text(table: &Table) -> String {
    // A table of texts, lists and flags always has a TOML form.
    toml::to_string_pretty(table).unwrap_or_default()
}
