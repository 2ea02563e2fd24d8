//! What a snapshot has to hold: every original that the database knows, by the dump of the run.

use std::path::PathBuf;

use appliance_backup::snapshot::Expected;
use appliance_immich::dump::{OriginalPlace, VerifiedDump, originals};

use crate::error::Context as _;
use crate::{Appliance, Result};

/// The list. Files of external libraries outside of the media folder are told of: they are not
/// Immich's, and not backed up.
pub(super) fn expected(appliance: &Appliance, dump: &VerifiedDump) -> Result<Vec<Expected>> {
    let mut expected = Vec::new();
    let mut external = 0_u64;
    let list = originals(dump, &appliance.paths.media)
        .context("cannot read the dump again for its originals")?;
    for original in list {
        let original = original.context("cannot read the dump again for its originals")?;
        // Its owner deleted it for good, and the file may be gone at any moment.
        if original.deleted {
            continue;
        }
        let path = match original.place {
            OriginalPlace::Inside(path) => path,
            OriginalPlace::Outside if original.external => {
                external += 1;
                continue;
            }
            OriginalPlace::Outside => original.recorded,
            OriginalPlace::Nonsense(why) =>
            // A name for the list: no slash may make folders of it.
            {
                PathBuf::from(format!("asset {}: {why}", original.id).replace('/', "a slash"))
            }
        };
        expected.push(Expected {
            path,
            size: original.size,
            sha1: original.sha1,
        });
    }
    if external > 0 {
        appliance.warn(format!(
            "{external} files of external libraries lie outside of Immich's media folder, and are \
             not in this backup"
        ));
    }
    Ok(expected)
}
