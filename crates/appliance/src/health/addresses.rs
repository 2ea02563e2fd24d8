use std::net::IpAddr;

use crate::Appliance;

impl Appliance {
    /// The port that Immich answers at.
    pub(crate) fn port(&self) -> u16 {
        let url = self.settings.immich.url.trim_end_matches('/');
        url.rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .unwrap_or(2283)
    }

    /// The addresses that Immich answers at.
    pub fn addresses(&self) -> Vec<String> {
        let port = self.port();
        let mut hosts = Vec::new();
        if let Ok(name) = nix::unistd::gethostname() {
            hosts.push(format!("{}.local", name.to_string_lossy()));
        }
        hosts.extend(own_addresses().into_iter().map(|address| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        }));
        hosts
            .into_iter()
            .map(|host| format!("http://{host}:{port}"))
            .collect()
    }
}

/// This machine's addresses that others can reach; link-local ones need a zone to be typed.
fn own_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            if let Some(v4) = address.as_sockaddr_in() {
                return Some(IpAddr::V4(v4.ip()));
            }
            address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()))
        })
        .filter(|address| match address {
            IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
            IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
        })
        .collect()
}
