//! What `tailscale serve` does for Immich: a pure edit of tailscaled's serve config. What others
//! serve on this machine stays untouched.

use crate::localapi::{HttpHandler, ServeConfig, WebServer};
use crate::standing::Standing;
use crate::{Result, TailnetError};

/// A web server of this machine, shared with the tailnet at the root of this machine's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The machine's name in the tailnet.
    pub host: String,
    /// HTTPS with a certificate of the tailnet, or HTTP inside WireGuard's own encryption.
    pub https: bool,
    /// The server: `http://127.0.0.1:2283`.
    pub target: String,
}

impl Share {
    /// HTTPS where the tailnet gives certificates, else HTTP. `None` without a name: the tailnet
    /// has MagicDNS off.
    #[must_use]
    pub fn of(standing: &Standing, target: &str) -> Option<Self> {
        let https = standing.certificate_name.is_some();
        let host = standing
            .certificate_name
            .clone()
            .or_else(|| standing.name.clone())?;
        Some(Self {
            host,
            https,
            target: target.to_owned(),
        })
    }

    /// The port in the tailnet.
    #[must_use]
    pub fn port(&self) -> u16 {
        if self.https { 443 } else { 80 }
    }

    /// What is typed into the app and the browser.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}", self.host)
    }

    fn place(&self) -> String {
        format!("{}:{}", self.host, self.port())
    }
}

/// Adds the share and takes away what stood for the same server under another name or port.
/// Returns whether anything changed.
///
/// # Errors
/// When something else answers at its place.
pub fn add(config: &mut ServeConfig, share: &Share) -> Result<bool> {
    let before = config.clone();
    remove(config, &share.target);
    let place = share.place();
    if let Some(other) = config.web.get(&place).and_then(|web| web.handlers.get("/")) {
        let by = other
            .proxy
            .clone()
            .unwrap_or_else(|| "something else".into());
        *config = before;
        return Err(TailnetError::PortTaken {
            port: share.port(),
            by,
        });
    }
    let port = config.tcp.entry(share.port().to_string()).or_default();
    if !port.other.is_empty() || (share.https && port.http) || (!share.https && port.https) {
        *config = before;
        return Err(TailnetError::PortTaken {
            port: share.port(),
            by: "a TCP server of its own".into(),
        });
    }
    port.https = share.https;
    port.http = !share.https;
    let web = config.web.entry(place).or_default();
    web.handlers.insert(
        "/".into(),
        HttpHandler {
            proxy: Some(share.target.clone()),
            ..HttpHandler::default()
        },
    );
    Ok(*config != before)
}

/// Takes away every share of the server, and ports that nothing answers at any more. Returns
/// whether anything changed.
pub fn remove(config: &mut ServeConfig, target: &str) -> bool {
    let mut places = Vec::new();
    for (place, web) in &mut config.web {
        if is_share(web, target) {
            web.handlers.remove("/");
            places.push(place.clone());
        }
    }
    for place in &places {
        let empty = |web: &WebServer| web.handlers.is_empty() && web.other.is_empty();
        if config.web.get(place).is_some_and(empty) {
            config.web.remove(place);
        }
        let Some((_, port)) = place.rsplit_once(':') else {
            continue;
        };
        let used = config.web.keys().any(|other| {
            other
                .rsplit_once(':')
                .is_some_and(|(_, other)| other == port)
        });
        let plain = config.tcp.get(port).is_some_and(|tcp| tcp.other.is_empty());
        if !used && plain {
            config.tcp.remove(port);
        }
    }
    !places.is_empty()
}

/// Where the server is shared: the address, if it is.
#[must_use]
pub fn find(config: &ServeConfig, target: &str) -> Option<String> {
    let (place, _) = config.web.iter().find(|(_, web)| is_share(web, target))?;
    let (host, port) = place.rsplit_once(':')?;
    let tcp = config.tcp.get(port)?;
    let scheme = if tcp.https { "https" } else { "http" };
    Some(match (tcp.https, port) {
        (true, "443") | (false, "80") => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{place}"),
    })
}

fn is_share(web: &WebServer, target: &str) -> bool {
    web.handlers
        .get("/")
        .is_some_and(|handler| handler.proxy.as_deref() == Some(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMMICH: &str = "http://127.0.0.1:2283";

    fn share(https: bool) -> Share {
        Share {
            host: "immich.tail1234.ts.net".into(),
            https,
            target: IMMICH.into(),
        }
    }

    fn parsed(text: &str) -> ServeConfig {
        serde_json::from_str(text).unwrap()
    }

    /// As `tailscale serve` leaves it for someone who serves a blog beside Immich.
    const OTHERS: &str = r#"{
        "TCP": {"8443": {"HTTPS": true}, "5432": {"TCPForward": "127.0.0.1:5432"}},
        "Web": {"immich.tail1234.ts.net:8443": {"Handlers": {"/blog": {"Proxy": "http://127.0.0.1:8080", "AcceptAppCaps": ["x"]}}}},
        "AllowFunnel": {"immich.tail1234.ts.net:8443": true},
        "Services": {"svc:x": {"Tun": true}}
    }"#;

    #[test]
    fn what_is_added_is_what_tailscale_serve_would_write() {
        let mut config = ServeConfig::default();
        assert!(add(&mut config, &share(true)).unwrap());
        assert_eq!(
            serde_json::to_value(&config).unwrap(),
            serde_json::json!({
                "TCP": {"443": {"HTTPS": true}},
                "Web": {"immich.tail1234.ts.net:443": {"Handlers": {"/": {"Proxy": IMMICH}}}},
            })
        );
        assert_eq!(
            find(&config, IMMICH).as_deref(),
            Some("https://immich.tail1234.ts.net")
        );
    }

    #[test]
    fn adding_twice_changes_nothing() {
        let mut config = ServeConfig::default();
        assert!(add(&mut config, &share(true)).unwrap());
        assert!(!add(&mut config, &share(true)).unwrap());
    }

    #[test]
    fn https_takes_the_place_of_http() {
        let mut config = ServeConfig::default();
        add(&mut config, &share(false)).unwrap();
        assert_eq!(
            find(&config, IMMICH).as_deref(),
            Some("http://immich.tail1234.ts.net")
        );
        assert!(add(&mut config, &share(true)).unwrap());
        assert_eq!(config.tcp.keys().collect::<Vec<_>>(), ["443"]);
        assert_eq!(config.web.len(), 1);
    }

    #[test]
    fn a_new_name_takes_the_place_of_the_old_one() {
        let mut config = ServeConfig::default();
        add(&mut config, &share(true)).unwrap();
        let renamed = Share {
            host: "photos.tail1234.ts.net".into(),
            ..share(true)
        };
        assert!(add(&mut config, &renamed).unwrap());
        assert_eq!(
            config.web.keys().collect::<Vec<_>>(),
            ["photos.tail1234.ts.net:443"]
        );
    }

    #[test]
    fn what_others_serve_survives_adding_and_removing_to_the_last_field() {
        let mut config = parsed(OTHERS);
        let before = config.clone();
        assert!(add(&mut config, &share(true)).unwrap());
        assert!(remove(&mut config, IMMICH));
        assert_eq!(config, before);
        assert_eq!(
            serde_json::to_value(&config).unwrap(),
            serde_json::from_str::<serde_json::Value>(OTHERS).unwrap()
        );
        assert!(!remove(&mut config, IMMICH));
    }

    #[test]
    fn a_place_that_is_taken_is_left_to_who_has_it() {
        for taken in [
            r#"{"TCP":{"443":{"HTTPS":true}},"Web":{"immich.tail1234.ts.net:443":{"Handlers":{"/":{"Proxy":"http://127.0.0.1:9"}}}}}"#,
            r#"{"TCP":{"443":{"TCPForward":"127.0.0.1:9"}}}"#,
            r#"{"TCP":{"443":{"HTTP":true}}}"#,
        ] {
            let mut config = parsed(taken);
            let before = config.clone();
            let refused = add(&mut config, &share(true));
            assert!(
                matches!(refused, Err(TailnetError::PortTaken { port: 443, .. })),
                "{taken}"
            );
            assert_eq!(config, before);
        }
    }

    #[test]
    fn another_path_at_the_same_place_stays() {
        let mut config = parsed(
            r#"{"TCP":{"443":{"HTTPS":true}},"Web":{"immich.tail1234.ts.net:443":{"Handlers":{"/blog":{"Proxy":"http://127.0.0.1:9"}}}}}"#,
        );
        let before = config.clone();
        assert!(add(&mut config, &share(true)).unwrap());
        assert!(remove(&mut config, IMMICH));
        assert_eq!(config, before);
    }
}
