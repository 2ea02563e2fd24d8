use std::fs;
use std::path::Path;

use appliance_blockdev::Kind;

use crate::customise;

/// What is on a disk, as far as a person wants to know before it is gone.
pub(super) fn content(path: &Path, kind: &Kind) -> String {
    use std::io::Read;
    let mut start = vec![0; 1 << 17];
    let read = fs::File::open(path).and_then(|mut file| {
        let mut filled = 0;
        while filled < start.len() {
            match file.read(&mut start[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    });
    match read {
        Ok(count) => start.truncate(count),
        Err(error) => return format!("cannot be read ({error})"),
    }
    // A file system's first block may look like a table.
    if let Kind::Partition { .. } = kind {
        return without_table(&start).to_owned();
    }
    match crate::table::read(&start) {
        Ok(table) => {
            let count = table.partitions.len();
            let mut text = format!("{count} partition{}", if count == 1 { "" } else { "s" });
            if let Ok(found) = customise::look_at_device(path) {
                text += &format!(", {}", found.fat);
                if found.settings.is_some() || found.applied.is_some() {
                    text += ", a card of immich-appliance";
                }
            }
            text
        }
        Err(crate::table::TableError::Damaged(why)) => {
            format!("a damaged partition table ({why})")
        }
        Err(crate::table::TableError::None) => without_table(&start).to_owned(),
    }
}

fn without_table(start: &[u8]) -> &'static str {
    let at = |place: usize, magic: &[u8]| start.get(place..place + magic.len()) == Some(magic);
    if at(0, b"LUKS\xba\xbe") || at(16384, b"SKUL\xba\xbe") {
        "an encrypted drive (LUKS)"
    } else if at(1080, &[0x53, 0xef]) {
        "a file system (ext)"
    } else if at(0, b"XFSB") {
        "a file system (xfs)"
    } else if at(65600, b"_BHRfS_M") {
        "a file system (btrfs)"
    } else if at(512, b"LABELONE") {
        "a physical volume of LVM"
    } else if at(3, b"EXFAT   ") {
        "a file system (exFAT)"
    } else if at(3, b"NTFS    ") {
        "a file system (NTFS)"
    } else if crate::fat::geometry(start).is_some() {
        "a file system (FAT)"
    } else if start.iter().all(|byte| *byte == 0) {
        "nothing at its start"
    } else {
        "something unknown"
    }
}
