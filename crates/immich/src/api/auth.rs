use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Call, Client, Credential, Result};

/// Who becomes the admin of a new Immich.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// The mail address, which is the login name.
    pub email: String,
    /// The password.
    pub password: SecretString,
    /// The name shown.
    pub name: String,
}

/// A user, as an admin sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The user.
    pub id: Uuid,
    /// The login name.
    pub email: String,
    /// The name shown.
    pub name: String,
    /// Whether it may do everything.
    pub is_admin: bool,
}

/// A login.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The token for [`Credential::Bearer`].
    pub access_token: SecretString,
    /// The user.
    pub user_id: Uuid,
    /// Whether it may do everything.
    pub is_admin: bool,
}

impl Session {
    /// The session as a credential.
    #[must_use]
    pub fn credential(&self) -> Credential {
        Credential::Bearer(self.access_token.clone())
    }
}

/// A new API key. Its secret is only ever told here.
#[derive(Debug, Clone, Deserialize)]
pub struct ApiKey {
    /// The key for [`Credential::ApiKey`].
    pub secret: SecretString,
}

impl ApiKey {
    /// The key as a credential.
    #[must_use]
    pub fn credential(&self) -> Credential {
        Credential::ApiKey(self.secret.clone())
    }
}

#[derive(Serialize)]
struct Login<'a> {
    email: &'a str,
    password: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl Client {
    /// Makes the first user, the admin.
    ///
    /// # Errors
    /// As every call; status 400 when an admin exists.
    pub fn admin_sign_up(&self, who: &SignUp) -> Result<Account> {
        self.send(
            &Call::post("create the admin", "/api/auth/admin-sign-up"),
            &Login {
                email: &who.email,
                password: who.password.expose_secret(),
                name: Some(&who.name),
            },
        )
    }

    /// Logs in.
    ///
    /// # Errors
    /// As every call; status 401 when mail or password are wrong.
    pub fn login(&self, email: &str, password: &SecretString) -> Result<Session> {
        self.send(
            &Call::post("log in", "/api/auth/login"),
            &Login {
                email,
                password: password.expose_secret(),
                name: None,
            },
        )
    }

    /// Makes an API key with these permissions (`all`, or names such as `asset.read`).
    ///
    /// # Errors
    /// As every call; status 400 when a permission is unknown or the caller lacks it.
    pub fn create_api_key(&self, name: &str, permissions: &[&str]) -> Result<ApiKey> {
        #[derive(Serialize)]
        struct Wanted<'a> {
            name: &'a str,
            permissions: &'a [&'a str],
        }
        self.send(
            &Call::post("create an API key", "/api/api-keys"),
            &Wanted { name, permissions },
        )
    }
}
