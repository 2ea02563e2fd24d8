use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::Refusal;
use crate::server::App;

/// Whoever makes a call.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) id: Uuid,
    pub(crate) is_admin: bool,
    /// An API key's permissions; a session has all.
    pub(crate) permissions: Option<Vec<String>>,
}

impl Caller {
    /// Whether an API key's permissions hold this one.
    pub(crate) fn may(&self, permission: &str) -> bool {
        self.permissions.as_ref().is_none_or(|permissions| {
            permissions
                .iter()
                .any(|one| one == "all" || one == permission)
        })
    }

    /// Refuses an API key without this permission.
    pub(crate) fn needs(&self, permission: &str) -> Result<(), Refusal> {
        if self.may(permission) {
            Ok(())
        } else {
            Err(Refusal::forbidden(format!(
                "Missing required permission: {permission}"
            )))
        }
    }

    /// Refuses anyone but an admin, and an admin's API key without this permission.
    pub(crate) fn needs_admin(&self, permission: &str) -> Result<(), Refusal> {
        if !self.is_admin {
            return Err(Refusal::forbidden("Forbidden"));
        }
        self.needs(permission)
    }
}

/// A new secret, and what of it is stored.
pub(crate) fn new_secret() -> (String, Vec<u8>) {
    let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let hash = hash(&secret);
    (secret, hash)
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let key = parts
            .headers
            .get("x-api-key")
            .and_then(|value| value.to_str().ok());
        let (sql, secret, wrong) = if let Some(key) = key {
            (
                "SELECT u.id, u.\"isAdmin\", k.permissions FROM api_key k
                 JOIN \"user\" u ON u.id = k.\"userId\"
                 WHERE k.key = $1 AND u.\"deletedAt\" IS NULL",
                key,
                "Invalid API key",
            )
        } else if let Some(token) = bearer(&parts.headers) {
            (
                "SELECT u.id, u.\"isAdmin\", NULL::varchar[] FROM session s
                 JOIN \"user\" u ON u.id = s.\"userId\"
                 WHERE s.token = $1 AND u.\"deletedAt\" IS NULL",
                token,
                "Invalid user token",
            )
        } else {
            return Err(Refusal::unauthorized("Authentication required"));
        };
        let client = app.pool.get().await?;
        let row = client.query_opt(sql, &[&hash(secret)]).await?;
        let row = row.ok_or_else(|| Refusal::unauthorized(wrong))?;
        Ok(Self {
            id: row.get(0),
            is_admin: row.get(1),
            permissions: row.get(2),
        })
    }
}
