use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::version::ImmichVersion;

/// A description of Immich's API: its own, or what the types of `@immich/sdk` say of the calls that
/// the appliance's client makes (see `schema/distil-sdk`).
pub struct Schema {
    document: Value,
}

/// One call, as the description names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// In capitals.
    pub method: String,
    /// With its parameters in braces, without `/api`.
    pub path: String,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A body with its kind.
pub struct Message<'a> {
    /// The content type, with its parameters.
    pub kind: &'a str,
    /// The content.
    pub body: &'a [u8],
}

impl Schema {
    /// The most that is known of a version: its own description of 2.7.5, which also tells formats
    /// and statuses, and the package's types of 3.2.2. A strict one takes no field that is not
    /// described.
    ///
    /// # Errors
    /// When the file in this repository is broken.
    pub fn immich(version: ImmichVersion, strict: bool) -> Result<Self, String> {
        match version {
            ImmichVersion::V2_7_5 => Self::read(
                include_str!("../../schema/immich-openapi-2.7.5.json"),
                strict,
            ),
            ImmichVersion::V3_2_2 => Self::sdk(version, strict),
        }
    }

    /// What the package's types say.
    ///
    /// # Errors
    /// When the file in this repository is broken.
    pub fn sdk(version: ImmichVersion, strict: bool) -> Result<Self, String> {
        let text = match version {
            ImmichVersion::V2_7_5 => include_str!("../../schema/immich-sdk-2.7.5.json"),
            ImmichVersion::V3_2_2 => include_str!("../../schema/immich-sdk-3.2.2.json"),
        };
        Self::read(text, strict)
    }

    fn read(text: &str, strict: bool) -> Result<Self, String> {
        let mut document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        to_json_schema(&mut document["components"]["schemas"], strict);
        to_json_schema(&mut document["paths"], strict);
        Ok(Self { document })
    }

    /// Which call a path is, `/api/…` without its query; the one with the fewest parameters.
    #[must_use]
    pub fn operation(&self, method: &str, path: &str) -> Option<Operation> {
        let path = path.strip_prefix("/api")?;
        let parts: Vec<_> = path.split('/').collect();
        let fits = |template: &&String| {
            let template: Vec<_> = template.split('/').collect();
            template.len() == parts.len()
                && template
                    .iter()
                    .zip(&parts)
                    .all(|(one, part)| one.starts_with('{') || one == part)
        };
        let paths = self.document["paths"].as_object()?;
        let path = paths
            .iter()
            .filter(|(_, methods)| methods.get(method.to_lowercase()).is_some())
            .map(|(path, _)| path)
            .filter(fits)
            .min_by_key(|path| path.matches('{').count())?;
        Some(Operation {
            method: method.to_uppercase(),
            path: path.clone(),
        })
    }

    fn described(&self, operation: &Operation) -> &Value {
        &self.document["paths"][&operation.path][operation.method.to_lowercase()]
    }

    /// The type of a call's answer, where it is JSON.
    pub(super) fn answer_of(&self, operation: &Operation) -> Option<&Value> {
        let answers = self.described(operation)["responses"].as_object()?;
        let answer = answers.iter().find(|(status, _)| status.starts_with('2'));
        answer?.1["content"]["application/json"].get("schema")
    }

    /// A type by its name.
    pub(super) fn referred(&self, reference: &str) -> &Value {
        let name = reference.rsplit('/').next().unwrap_or_default();
        &self.document["components"]["schemas"][name]
    }

    /// Whether each of a call's query parameters is described.
    ///
    /// # Errors
    /// Says which is not.
    pub fn check_query(&self, operation: &Operation, query: Option<&str>) -> Result<(), String> {
        let described = self.described(operation)["parameters"].as_array();
        let known = |name: &str| {
            described.is_some_and(|all| {
                all.iter()
                    .any(|one| one["in"] == "query" && one["name"] == name)
            })
        };
        let names = query.into_iter().flat_map(|query| query.split('&'));
        for name in names.filter_map(|pair| pair.split('=').next()) {
            if !known(name) {
                return Err(format!("a parameter {name:?} that is not asked for"));
            }
        }
        Ok(())
    }

    /// Whether a call's body is as described.
    ///
    /// # Errors
    /// Says what is not.
    pub fn check_request(&self, operation: &Operation, message: &Message) -> Result<(), String> {
        let content = &self.described(operation)["requestBody"]["content"];
        if content.is_null() {
            return if message.body.is_empty() {
                Ok(())
            } else {
                Err("a body that is not asked for".to_owned())
            };
        }
        if message.kind.starts_with("multipart/form-data") {
            let fields = form_fields(message.body);
            return self.check(&content["multipart/form-data"]["schema"], &fields);
        }
        let value = serde_json::from_slice(message.body).map_err(|error| error.to_string())?;
        self.check(&content["application/json"]["schema"], &value)
    }

    /// Whether an answer is as described; an error's is the one that all calls share.
    ///
    /// # Errors
    /// Says what is not.
    pub fn check_answer(
        &self,
        operation: &Operation,
        status: u16,
        message: &Message,
    ) -> Result<(), String> {
        let parse = || -> Result<Value, String> {
            serde_json::from_slice(message.body).map_err(|error| error.to_string())
        };
        if status >= 400 {
            return error_document(&parse()?, status);
        }
        let answers = &self.described(operation)["responses"];
        // The package's types tell no statuses.
        let answer = answers.get(status.to_string()).or(answers.get("2XX"));
        let Some(answer) = answer else {
            return Err(format!("status {status} is not described"));
        };
        match answer.get("content") {
            None if message.body.is_empty() => Ok(()),
            None => Err("a body that is not described".to_owned()),
            Some(content) => match content.get("application/json") {
                None => Ok(()),
                Some(_) if !message.kind.starts_with("application/json") => {
                    Err(format!("{:?} instead of JSON", message.kind))
                }
                Some(content) => self.check(&content["schema"], &parse()?),
            },
        }
    }

    fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let whole = json!({
            "allOf": [schema],
            "components": { "schemas": self.document["components"]["schemas"] },
        });
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            // Immich's own defaults leave addresses empty.
            .with_format("uri", |_: &str| true)
            .build(&whole)
            .map_err(|error| error.to_string())?;
        let problems: Vec<_> = validator
            .iter_errors(value)
            .take(5)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems.join("; "))
        }
    }
}

fn error_document(value: &Value, status: u16) -> Result<(), String> {
    let fits = (value["message"].is_string() || value["message"].is_array())
        && value["error"].is_string()
        && value["statusCode"] == status
        && value["correlationId"].is_string();
    if fits {
        Ok(())
    } else {
        Err(format!("not an error document: {value}"))
    }
}

/// OpenAPI 3.0 says `nullable`, JSON Schema does not.
fn to_json_schema(value: &mut Value, strict: bool) {
    match value {
        Value::Array(values) => {
            for value in values {
                to_json_schema(value, strict);
            }
        }
        Value::Object(object) => {
            for value in object.values_mut() {
                to_json_schema(value, strict);
            }
            let describes_object = object.get("type").and_then(Value::as_str) == Some("object");
            if strict && describes_object && object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            if object.remove("nullable") == Some(Value::Bool(true)) {
                let inner = Value::Object(std::mem::take(object));
                *object =
                    Map::from_iter([("anyOf".to_owned(), json!([inner, { "type": "null" }]))]);
            }
        }
        _ => {}
    }
}

/// A form's fields by name; a file's content counts as empty text.
fn form_fields(body: &[u8]) -> Value {
    let mut fields = BTreeMap::new();
    let text = String::from_utf8_lossy(body);
    for part in text
        .split("Content-Disposition: form-data; name=\"")
        .skip(1)
    {
        let Some((name, rest)) = part.split_once('"') else {
            continue;
        };
        let is_file = rest.starts_with("; filename");
        let content = rest
            .split_once("\r\n\r\n")
            .map_or("", |(_, content)| content);
        let content = content
            .split_once("\r\n")
            .map_or(content, |(content, _)| content);
        let content = if is_file { "" } else { content };
        fields.insert(name.to_owned(), content.to_owned());
    }
    json!(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping() -> Operation {
        Operation {
            method: "GET".into(),
            path: "/server/ping".into(),
        }
    }

    fn answer(schema: &Schema, body: &str) -> Result<(), String> {
        let message = Message {
            kind: "application/json",
            body: body.as_bytes(),
        };
        schema.check_answer(&ping(), 200, &message)
    }

    #[test]
    fn a_wrong_answer_is_seen() {
        let schema = Schema::immich(ImmichVersion::V2_7_5, true).unwrap();
        assert_eq!(answer(&schema, r#"{"res":"pong"}"#), Ok(()));
        assert!(answer(&schema, r#"{"res":1}"#).is_err());
        assert!(answer(&schema, "{}").is_err());
        assert!(answer(&schema, r#"{"res":"pong","more":1}"#).is_err());
        let lenient = Schema::immich(ImmichVersion::V2_7_5, false).unwrap();
        assert_eq!(answer(&lenient, r#"{"res":"pong","more":1}"#), Ok(()));
    }

    #[test]
    fn paths_are_told_apart() {
        let schema = Schema::immich(ImmichVersion::V2_7_5, true).unwrap();
        let path = |method, path| schema.operation(method, path).map(|one| one.path);
        assert_eq!(
            path("GET", "/api/server/ping").as_deref(),
            Some("/server/ping")
        );
        assert_eq!(
            path("GET", "/api/assets/x/original").as_deref(),
            Some("/assets/{id}/original")
        );
        assert_eq!(
            path("GET", "/api/assets/statistics").as_deref(),
            Some("/assets/statistics")
        );
        assert_eq!(path("GET", "/api/none"), None);
    }

    #[test]
    fn a_nullable_field_may_be_null_and_another_may_not() {
        let schema = Schema::immich(ImmichVersion::V2_7_5, true).unwrap();
        let usage = |quota: Value| {
            json!({ "photos": 1, "videos": 0, "usage": 1, "usagePhotos": 1, "usageVideos": 0,
                "userId": "x", "userName": "x", "quotaSizeInBytes": quota })
        };
        let reference = json!({ "$ref": "#/components/schemas/UsageByUserDto" });
        assert_eq!(schema.check(&reference, &usage(Value::Null)), Ok(()));
        assert!(schema.check(&reference, &usage("1".into())).is_err());
    }
}
