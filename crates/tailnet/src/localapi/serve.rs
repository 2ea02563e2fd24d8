use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::null_as_default;

/// `serve-config`: what this node serves to the tailnet, itself or for others. Whatever is not
/// described here is kept as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServeConfig {
    /// What is done with connections, by port. (Keys stay text: numbers do not pass `flatten`.)
    #[serde(
        default,
        rename = "TCP",
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub tcp: BTreeMap<String, TcpPort>,
    /// Web servers, by `name:port`.
    #[serde(
        default,
        rename = "Web",
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub web: BTreeMap<String, WebServer>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What is done with connections to a port, in [`ServeConfig`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TcpPort {
    /// They are HTTPS for the web servers of this port.
    #[serde(default, rename = "HTTPS", skip_serializing_if = "std::ops::Not::not")]
    pub https: bool,
    /// They are HTTP for the web servers of this port.
    #[serde(default, rename = "HTTP", skip_serializing_if = "std::ops::Not::not")]
    pub http: bool,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A web server, in [`ServeConfig`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WebServer {
    /// What answers, by the beginning of the path.
    #[serde(default, rename = "Handlers", deserialize_with = "null_as_default")]
    pub handlers: BTreeMap<String, HttpHandler>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What answers below a path, in [`WebServer`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HttpHandler {
    /// Another web server, which is asked.
    #[serde(default, rename = "Proxy", skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
