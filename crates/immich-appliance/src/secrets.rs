//! Where this run's secrets come from: the flags, a systemd credential, or a person.

use std::path::Path;

use anyhow::Context as _;
use appliance_backup::Credentials;
use appliance_secret::{
    ObtainError, Obtained, RecoveryKey, Request, Secret, Source, systemd_credential,
};
use secrecy::SecretString;

use crate::cli::{AuthKey, NewDrive, Passphrase, RepositoryAccess};
use crate::exit::Exit;
use crate::failure::Refused;
use crate::ui::Ui;

/// The systemd credential that holds the drive's passphrase.
const CREDENTIAL: &str = "immich-appliance.passphrase";
/// The systemd credential that holds an auth key of the tailnet.
const AUTH_KEY_CREDENTIAL: &str = "immich-appliance.tailscale-auth-key";
/// How often a new secret may be typed differently the second time.
const NEW_SECRET_TRIES: u32 = 3;

/// Where the drive's passphrase comes from.
pub fn passphrase_source(ui: Ui, flags: &Passphrase) -> anyhow::Result<Source> {
    let request = Request {
        what: "the drive's passphrase",
        flags: "--passphrase-file or --passphrase-fd",
        file: flags.passphrase_file.as_deref(),
        descriptor: flags.passphrase_fd,
        credential: systemd_credential(CREDENTIAL),
        no_input: !ui.may_ask(),
    };
    Ok(Source::choose(&request)?)
}

/// Where a further passphrase for the drive comes from.
pub fn new_passphrase_source(ui: Ui, file: Option<&Path>) -> anyhow::Result<Source> {
    let request = Request {
        what: "the new passphrase",
        flags: "--new-passphrase-file",
        file,
        no_input: !ui.may_ask(),
        ..Request::default()
    };
    Ok(Source::choose(&request)?)
}

/// Reads a passphrase once.
pub fn obtain(ui: Ui, source: &Source, question: &str) -> anyhow::Result<Secret> {
    let secret = warned(ui, source.obtain(question)?);
    Ok(canonical(ui, secret))
}

/// Reads a new passphrase; a person types it twice.
pub fn obtain_new(ui: Ui, source: &Source, what: &str) -> anyhow::Result<Secret> {
    let obtained = source.obtain_new(
        &format!("{what}: "),
        "The same again: ",
        NEW_SECRET_TRIES,
        || ui.say("The two were not the same."),
    );
    match obtained {
        Ok(obtained) => Ok(warned(ui, obtained)),
        Err(error @ (ObtainError::Empty | ObtainError::Unequal { .. })) => Err(Refused::new(
            Exit::Usage,
            error.to_string(),
            "run the command again and type a passphrase of several words",
        )
        .into()),
        Err(error) => Err(error.into()),
    }
}

/// Gives the recovery key to the person: into the file they named, or on the screen, from
/// where it must be typed back.
pub fn hand_over_recovery_key(ui: Ui, key: &RecoveryKey, flags: &NewDrive) -> anyhow::Result<()> {
    let shown = key.to_secret();
    if let Some(path) = &flags.recovery_key_file {
        let mut line = zeroize::Zeroizing::new(shown.expose_bytes().to_vec());
        line.push(b'\n');
        appliance_files::write_durably(path, &line, 0o600)
            .with_context(|| format!("cannot write the recovery key to {}", path.display()))?;
        ui.say(format!("The recovery key is in {}.", path.display()));
        return Ok(());
    }
    if !ui.may_ask() {
        return Err(Refused::missing_answer(
            "The recovery key must be kept",
            "--recovery-key-file",
        )
        .into());
    }
    ui.say("\nThe recovery key opens the drive when the passphrase is forgotten.");
    ui.say("Write it on paper. It is shown this once:\n");
    ui.say(format!("    {}\n", shown.expose_text()?));
    loop {
        let typed = Source::Prompt
            .obtain("Type it back from the paper: ")?
            .secret;
        match key.is_typed_as(typed.expose_text().unwrap_or_default()) {
            Ok(true) => return Ok(()),
            Ok(false) => ui.say("That is a recovery key, but another one."),
            Err(error) => ui.say(format!("Not yet: {error}.")),
        }
    }
}

/// The credentials of an S3 repository, from the flags or a person.
pub fn s3_credentials(ui: Ui, flags: &RepositoryAccess) -> anyhow::Result<Credentials> {
    let access_key_id = match &flags.access_key_id {
        Some(id) => id.clone(),
        None => ui.ask("S3 access key ID", "--access-key-id")?,
    };
    let request = Request {
        what: "the S3 secret access key",
        flags: "--secret-access-key-file",
        file: flags.secret_access_key_file.as_deref(),
        no_input: !ui.may_ask(),
        ..Request::default()
    };
    let secret = warned(
        ui,
        Source::choose(&request)?.obtain("S3 secret access key: ")?,
    );
    Ok(Credentials {
        access_key_id,
        secret_access_key: secret.to_secret_string()?,
    })
}

/// Where the repository's password comes from, unless the drive holds it.
pub fn repository_password_source(ui: Ui, flags: &RepositoryAccess) -> anyhow::Result<Source> {
    let request = Request {
        what: "the repository's password",
        flags: "--repository-password-file or --repository-password-fd",
        file: flags.repository_password_file.as_deref(),
        descriptor: flags.repository_password_fd,
        no_input: !ui.may_ask(),
        ..Request::default()
    };
    Ok(Source::choose(&request)?)
}

/// Whether a flag names the repository's password.
pub fn names_repository_password(flags: &RepositoryAccess) -> bool {
    flags.repository_password_file.is_some() || flags.repository_password_fd.is_some()
}

/// The auth key of the tailnet, if one was given. Without one, a person logs in.
pub fn auth_key(ui: Ui, flags: &AuthKey) -> anyhow::Result<Option<SecretString>> {
    let request = Request {
        what: "the auth key",
        flags: "--auth-key-file or --auth-key-fd",
        file: flags.auth_key_file.as_deref(),
        descriptor: flags.auth_key_fd,
        credential: systemd_credential(AUTH_KEY_CREDENTIAL),
        ..Request::default()
    };
    let source = Source::choose(&request)?;
    if source.is_interactive() {
        return Ok(None);
    }
    let secret = warned(ui, source.obtain("")?);
    Ok(Some(SecretString::from(secret.expose_text()?.trim())))
}

fn warned(ui: Ui, obtained: Obtained) -> Secret {
    for warning in obtained.warnings {
        ui.warn(warning.to_string());
    }
    obtained.secret
}

/// A recovery key opens its keyslot only in the form it was shown in, however it is typed.
fn canonical(ui: Ui, secret: Secret) -> Secret {
    let Ok(text) = secret.expose_text() else {
        return secret;
    };
    if !RecoveryKey::looks_like_one(text) {
        return secret;
    }
    match RecoveryKey::parse(text) {
        Ok(key) => key.to_secret(),
        Err(error) => {
            ui.say(format!("If this was meant as the recovery key: {error}."));
            secret
        }
    }
}
