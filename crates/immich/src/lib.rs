//! Immich: its HTTP API, its media folder and its database.
