//! A stand-in for the Immich server, for the virtual appliance only: the real API, real PostgreSQL, real files.
