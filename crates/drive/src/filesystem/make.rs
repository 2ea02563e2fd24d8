//! Making the file system: mkfs.ext4.

use std::ffi::OsString;

use appliance_blockdev::Consented;
use uuid::Uuid;

use super::{FilesystemError, refuse_in_use, tool};

/// All features by name, so that every box makes the same file system, whatever its distribution
/// prefers, and one made on a new PC opens on an older box: `orphan_file` and
/// `metadata_csum_seed`, newer defaults, would not.
const FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,\
flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

/// Everything is laid out now: else the kernel goes on writing for hours in the background, just
/// when the photos come in. No discard: USB bridges are known to hang over it.
const EXTENDED: &str = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";

/// Makes an ext4 file system labelled [`crate::LABEL`]. Destroys what was there. Takes minutes on
/// a large drive, as everything is laid out now instead of later in the background.
///
/// # Errors
/// [`FilesystemError::InUse`] when anybody uses the device; [`FilesystemError::Consent`] when it is
/// no longer the one consented to, nor a mapping on it.
pub fn make(consented: &Consented) -> Result<Uuid, FilesystemError> {
    const TOOL: &str = "mkfs.ext4";
    let device = consented.path();
    refuse_in_use(device)?;
    consented.check()?;
    let uuid = Uuid::new_v4();
    let text = uuid.to_string();
    #[rustfmt::skip]
    let mut arguments: Vec<OsString> = [
        // Does not ask before overwriting; the caller has.
        "-q", "-F",
        // As large as the encryption's sectors, also on a drive that mkfs thinks small.
        "-b", "4096",
        "-I", "256",
        // One file per 64 KiB: a photo of 3 MB has two or three thumbnails. A quarter of the
        // default, and so of the time that laying the tables out takes.
        "-i", "65536",
        // Root keeps 1 % instead of 5 %: nothing here fragments, and a photo drive is large.
        "-m", "1",
        "-e", "remount-ro",
        "-L", crate::LABEL,
        "-U", &text,
        "-O", FEATURES,
        "-E", EXTENDED,
    ]
    .iter()
    .map(OsString::from)
    .collect();
    arguments.push(device.into());
    let output = tool::run(TOOL, arguments.iter().map(OsString::as_os_str))?;
    if output.status.success() {
        Ok(uuid)
    } else {
        Err(tool::failed(TOOL, device, &output))
    }
}
