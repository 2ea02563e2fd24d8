//! systemd over D-Bus: units started, stopped and looked at.
