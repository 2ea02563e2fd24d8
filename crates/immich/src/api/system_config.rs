use serde_json::Value;

use super::{Call, Client, Result};

impl Client {
    /// The whole configuration, kept as Immich wrote it: a field this tool does not know must
    /// survive the way back. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call.
    pub fn system_config(&self) -> Result<Value> {
        self.fetch(&Call::get(
            "read Immich's configuration",
            "/api/system-config",
        ))
    }

    /// Replaces the whole configuration and gives it as it now stands. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call; status 400 when a field is missing or wrong, or when Immich is configured by
    /// a file.
    pub fn put_system_config(&self, config: &Value) -> Result<Value> {
        self.send(
            &Call::put("change Immich's configuration", "/api/system-config"),
            config,
        )
    }
}
