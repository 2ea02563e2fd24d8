use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::Body;
use crate::auth::Caller;
use crate::database::{metadata, set_metadata};
use crate::error::{Answer, Refusal};
use crate::server::App;
use crate::version::ImmichVersion;

/// The defaults of a new server.
fn defaults(version: ImmichVersion) -> Value {
    // Files of this repository; a test reads them.
    let read = |text| serde_json::from_str(text).unwrap_or_default();
    let mut defaults: Value = read(include_str!("../system-config.json"));
    if version.is_3() {
        add(&mut defaults, read(include_str!("../system-config-3.json")));
    }
    defaults
}

/// Puts `more` into `config`, object by object.
fn add(config: &mut Value, more: Value) {
    match (config, more) {
        (Value::Object(config), Value::Object(more)) => {
            for (name, value) in more {
                add(config.entry(name).or_insert(Value::Null), value);
            }
        }
        (config, more) => *config = more,
    }
}

/// The configuration in force: what the database holds of it, and the defaults for what came with
/// a later version than the one that wrote it.
pub(crate) fn effective(app: &App, stored: Option<Value>) -> Value {
    let mut config = defaults(app.settings.version);
    if let Some(stored) = stored {
        add(&mut config, stored);
    }
    config
}

pub(super) async fn read(caller: Caller, State(app): State<Arc<App>>) -> Answer<Json<Value>> {
    caller.needs_admin("systemConfig.read")?;
    let client = app.pool.get().await?;
    let stored = metadata(&client, "system-config").await?;
    Ok(Json(effective(&app, stored)))
}

pub(super) async fn write(
    caller: Caller,
    State(app): State<Arc<App>>,
    Body(config): Body<Value>,
) -> Answer<Json<Value>> {
    caller.needs_admin("systemConfig.update")?;
    if app.settings.config_file {
        return Err(Refusal::bad_request(
            "Cannot update configuration while IMMICH_CONFIG_FILE is in use",
        ));
    }
    if let Some(field) = missing(&defaults(app.settings.version), &config, String::new()) {
        return Err(Refusal::bad_request(format!(
            "{field} must be set, and of its kind"
        )));
    }
    let client = app.pool.get().await?;
    set_metadata(&client, "system-config", &config).await?;
    Ok(Json(config))
}

/// A field of `model` that `given` lacks, or has of another kind.
fn missing(model: &Value, given: &Value, path: String) -> Option<String> {
    match (model, given) {
        (Value::Object(model), Value::Object(given)) => model.iter().find_map(|(name, model)| {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match given.get(name) {
                Some(given) => missing(model, given, path),
                None => Some(path),
            }
        }),
        (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_))
        | (Value::Array(_), Value::Array(_))
        | (Value::Null, Value::Null | Value::Number(_)) => None,
        _ => Some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_configuration_is_taken() {
        let whole = defaults(ImmichVersion::V3_2_2);
        assert_ne!(whole, defaults(ImmichVersion::V2_7_5));
        assert_eq!(missing(&whole, &whole, String::new()), None);
        let mut lacking = whole.clone();
        lacking["backup"]["database"]
            .as_object_mut()
            .unwrap()
            .remove("enabled");
        assert_eq!(
            missing(&whole, &lacking, String::new()).as_deref(),
            Some("backup.database.enabled")
        );
        let mut wrong = whole.clone();
        wrong["trash"]["days"] = "30".into();
        assert_eq!(
            missing(&whole, &wrong, String::new()).as_deref(),
            Some("trash.days")
        );
    }
}
