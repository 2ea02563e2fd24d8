//! The virtual appliance: a QEMU machine with real dm-crypt, systemd and PostgreSQL, and its scenarios.
