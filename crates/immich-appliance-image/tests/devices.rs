//! `devices list`: every disk with what a person needs to choose, and which may be written.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{done, run};

#[test]
fn every_disk_is_listed_with_its_size_and_this_systems_own_is_refused() {
    let listed = done(&["devices", "list"]);
    let devices = listed["devices"].as_array().unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    for device in devices {
        assert!(device["size"].as_u64().unwrap() > 0, "{device}");
        assert!(!device["content"].as_str().unwrap().is_empty(), "{device}");
        let path = device["path"].as_str().unwrap();
        assert!(!path.contains("loop"), "{device}");
        if mounts
            .lines()
            .any(|line| line.contains(" / / ") && line.contains(path))
        {
            assert_eq!(device["refused"]["type"], "running-system", "{device}");
        }
    }
    let text = run(&["devices", "list"]);
    let text = String::from_utf8(text.stdout).unwrap();
    for device in devices {
        assert!(text.contains(device["path"].as_str().unwrap()), "{text}");
    }
    assert!(!text.is_empty());
}
