use serde::Serialize;
use serde_json::Value;

use super::{ApiError, Call, Client, Result};

/// Where Immich 3 keeps its configuration; in which version of it this came is not known.
const NEW: &str = "/api/admin/config";
/// Where Immich 2 keeps it, and 3.2 does too.
const OLD: &str = "/api/system-config";

impl Client {
    /// The whole configuration, kept as Immich wrote it: a field this tool does not know must
    /// survive the way back. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call.
    pub fn system_config(&self) -> Result<Value> {
        self.at_either(|path| self.fetch(&Call::get("read Immich's configuration", path)))
    }

    /// Replaces the whole configuration and gives it as it now stands. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call; status 400 when a field is missing or wrong, or when Immich is configured by
    /// a file.
    pub fn put_system_config(&self, config: &impl Serialize) -> Result<Value> {
        self.at_either(|path| self.send(&Call::put("change Immich's configuration", path), config))
    }

    fn at_either(&self, call: impl Fn(&'static str) -> Result<Value>) -> Result<Value> {
        if self.known_version()?.major < 3 {
            return call(OLD);
        }
        match call(NEW) {
            Err(ApiError { why, .. }) if why.status() == Some(404) => call(OLD),
            other => other,
        }
    }
}
