//! The network's settings as the files that NetworkManager or systemd-networkd read.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::plan::{NetworkFile, PlanError};
use crate::{Settings, StaticAddress, Wifi, pre_shared_key};

/// Who looks after the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// NetworkManager, which does Wi-Fi as well.
    NetworkManager,
    /// systemd-networkd.
    Networkd,
}

impl Stack {
    /// The one that the system under `root` has.
    pub fn of(root: &Path) -> Option<Self> {
        if root.join("etc/NetworkManager").is_dir() {
            return Some(Self::NetworkManager);
        }
        ["etc/systemd/network", "usr/lib/systemd/network"]
            .iter()
            .any(|folder| root.join(folder).is_dir())
            .then_some(Self::Networkd)
    }
}

const WIRED: &str = "etc/NetworkManager/system-connections/immich-appliance-wired.nmconnection";
const WIFI: &str = "etc/NetworkManager/system-connections/immich-appliance-wifi.nmconnection";
const NETWORKD: &str = "etc/systemd/network/10-immich-appliance.network";

/// The files, as the settings ask for them.
pub(crate) fn files(
    settings: &Settings,
    stack: Option<Stack>,
) -> Result<Vec<NetworkFile>, PlanError> {
    let (wifi, fixed) = (settings.wifi.as_ref(), settings.network.as_ref());
    match (stack, wifi, fixed) {
        (_, None, None) => Ok(Vec::new()),
        (None, Some(_), _) => Err(PlanError::NoNetwork("wifi")),
        (None, None, Some(_)) => Err(PlanError::NoNetwork("network")),
        (Some(Stack::Networkd), Some(_), _) => Err(PlanError::NoWifi),
        (Some(Stack::Networkd), None, Some(fixed)) => Ok(vec![NetworkFile {
            path: NETWORKD.into(),
            content: SecretString::from(networkd(fixed)),
            mode: 0o644,
            what: "the fixed address",
        }]),
        (Some(Stack::NetworkManager), wifi, fixed) => {
            // A fixed address without an interface goes to the Wi-Fi if there is one.
            let wireless = |name: &str| name.starts_with("wl");
            let on_wifi = fixed.filter(|fixed| match &fixed.interface {
                Some(name) => wifi.is_some() && wireless(name),
                None => wifi.is_some(),
            });
            let mut files = Vec::new();
            if let Some(wifi) = wifi {
                files.push(NetworkFile {
                    path: WIFI.into(),
                    content: wifi_connection(wifi, on_wifi),
                    mode: 0o600,
                    what: if on_wifi.is_some() {
                        "the Wi-Fi, with the fixed address"
                    } else {
                        "the Wi-Fi"
                    },
                });
            }
            if let Some(fixed) = fixed.filter(|_| on_wifi.is_none()) {
                files.push(NetworkFile {
                    path: WIRED.into(),
                    content: SecretString::from(wired_connection(fixed)),
                    mode: 0o600,
                    what: "the fixed address",
                });
            }
            Ok(files)
        }
    }
}

fn networkd(fixed: &StaticAddress) -> String {
    let name = fixed.interface.as_deref().unwrap_or("en* eth*");
    let mut text = format!(
        "[Match]\nName={name}\n\n[Network]\nAddress={}\nGateway={}\n",
        fixed.address, fixed.gateway
    );
    for server in &fixed.dns {
        // Writing to a String does not fail.
        let _ = writeln!(text, "DNS={server}");
    }
    text
}

fn wired_connection(fixed: &StaticAddress) -> String {
    let mut text = String::from(
        "[connection]\nid=immich-appliance-wired\ntype=ethernet\nautoconnect-priority=10\n",
    );
    if let Some(interface) = &fixed.interface {
        let _ = writeln!(text, "interface-name={interface}");
    }
    text += &addresses(Some(fixed));
    text
}

fn wifi_connection(wifi: &Wifi, fixed: Option<&StaticAddress>) -> SecretString {
    let mut text = String::from("[connection]\nid=immich-appliance-wifi\ntype=wifi\n");
    if let Some(interface) = fixed.and_then(|fixed| fixed.interface.as_ref()) {
        let _ = writeln!(text, "interface-name={interface}");
    }
    text += "\n[wifi]\nmode=infrastructure\n";
    // As a list of bytes: a name can hold anything, and a semicolon ends one in a keyfile.
    text += "ssid=";
    for byte in wifi.ssid.bytes() {
        let _ = write!(text, "{byte};");
    }
    text += "\n";
    if wifi.hidden {
        text += "hidden=true\n";
    }
    if let Some(passphrase) = &wifi.passphrase {
        let key = pre_shared_key(&wifi.ssid, passphrase);
        let _ = write!(
            text,
            "\n[wifi-security]\nkey-mgmt=wpa-psk\npsk={}\n",
            key.expose_secret()
        );
    }
    text += &addresses(fixed);
    SecretString::from(text)
}

/// The two groups of a keyfile on addresses.
fn addresses(fixed: Option<&StaticAddress>) -> String {
    let Some(fixed) = fixed else {
        return "\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n".into();
    };
    let group = |v4: bool| {
        let mut text = format!("\n[{}]\n", if v4 { "ipv4" } else { "ipv6" });
        let here = |address: &IpAddr| address.is_ipv4() == v4;
        if here(&fixed.address.addr()) {
            let _ = writeln!(
                text,
                "method=manual\naddress1={},{}",
                fixed.address, fixed.gateway
            );
        } else {
            text += "method=auto\n";
        }
        let servers: String = fixed
            .dns
            .iter()
            .filter(|server| here(server))
            .map(|server| format!("{server};"))
            .collect();
        if !servers.is_empty() {
            let _ = writeln!(text, "dns={servers}");
        }
        text
    };
    group(true) + &group(false)
}
