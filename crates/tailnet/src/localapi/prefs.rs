use serde::{Deserialize, Serialize};

use super::null_as_default;

/// `GET prefs`: the preferences, as far as they are of interest here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Prefs {
    /// The control server; empty for Tailscale's own.
    #[serde(rename = "ControlURL")]
    pub control_url: String,
    /// Whether it is to be connected.
    pub want_running: bool,
    /// Whether it was taken out of its tailnet, or was never in one.
    pub logged_out: bool,
    /// The name it asks for; empty for the machine's own.
    pub hostname: String,
    /// The tags it asks for.
    #[serde(deserialize_with = "null_as_default")]
    pub advertise_tags: Vec<String>,
    /// Whether connections from the tailnet are refused.
    pub shields_up: bool,
}

/// A change of some preferences; the others stay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrefsEdit {
    /// [`Prefs::control_url`]
    pub control_url: Option<String>,
    /// [`Prefs::want_running`]
    pub want_running: Option<bool>,
    /// [`Prefs::hostname`]
    pub hostname: Option<String>,
    /// [`Prefs::advertise_tags`]
    pub advertise_tags: Option<Vec<String>>,
}

/// On the wire, each value has a flag beside it that says whether it counts.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Masked<'a> {
    #[serde(rename = "ControlURL", skip_serializing_if = "Option::is_none")]
    control_url: Option<&'a str>,
    #[serde(rename = "ControlURLSet")]
    control_url_set: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    want_running: Option<bool>,
    want_running_set: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    hostname_set: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    advertise_tags: Option<&'a [String]>,
    advertise_tags_set: bool,
}

impl PrefsEdit {
    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn masked(&self) -> Masked<'_> {
        Masked {
            control_url: self.control_url.as_deref(),
            control_url_set: self.control_url.is_some(),
            want_running: self.want_running,
            want_running_set: self.want_running.is_some(),
            hostname: self.hostname.as_deref(),
            hostname_set: self.hostname.is_some(),
            advertise_tags: self.advertise_tags.as_deref(),
            advertise_tags_set: self.advertise_tags.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_set() {
        let edit = PrefsEdit {
            hostname: Some("immich".into()),
            ..PrefsEdit::default()
        };
        assert_eq!(
            serde_json::to_value(edit.masked()).unwrap(),
            serde_json::json!({
                "Hostname": "immich",
                "HostnameSet": true,
                "ControlURLSet": false,
                "WantRunningSet": false,
                "AdvertiseTagsSet": false,
            })
        );
    }

    #[test]
    fn a_value_can_be_taken_away() {
        let edit = PrefsEdit {
            advertise_tags: Some(vec![]),
            ..PrefsEdit::default()
        };
        assert!(!edit.is_empty());
        let masked = serde_json::to_value(edit.masked()).unwrap();
        assert_eq!(masked["AdvertiseTags"], serde_json::json!([]));
        assert_eq!(masked["AdvertiseTagsSet"], true);
    }
}
