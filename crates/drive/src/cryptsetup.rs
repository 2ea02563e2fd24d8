//! One door to libcryptsetup: calls one at a time, its talk kept off stderr.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::{Mutex, Once, PoisonError};

use libcryptsetup_rs::{CryptDevice, CryptInit, LibcryptErr, set_log_callback};

/// libcryptsetup keeps state of its own (its log, the crypto backend's start), so calls made
/// through the safe crate and through the bare bindings share this lock.
static DOOR: Mutex<()> = Mutex::new(());
static LOGGING: Once = Once::new();

thread_local! {
    /// What libcryptsetup called an error during the call under way.
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A failed call.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The kernel's error number, positive, if there was one.
    pub(crate) errno: Option<i32>,
    /// What libcryptsetup said, else what the number means.
    pub(crate) why: String,
}

/// Runs `work` alone, with whatever libcryptsetup says going to the log of this program.
pub(crate) fn locked<T>(work: impl FnOnce() -> Result<T, LibcryptErr>) -> Result<T, Failure> {
    // The lock guards no data, so a panic elsewhere leaves nothing half done behind it.
    let _alone = DOOR.lock().unwrap_or_else(PoisonError::into_inner);
    LOGGING.call_once(|| set_log_callback::<()>(Some(log), None));
    SAID.with_borrow_mut(Vec::clear);
    let outcome = work();
    let said = SAID.with_borrow_mut(std::mem::take);
    outcome.map_err(|error| Failure {
        errno: match &error {
            LibcryptErr::IOError(io) => io.raw_os_error(),
            _ => None,
        },
        why: if said.is_empty() {
            match error {
                LibcryptErr::IOError(io) => io.to_string(),
                other => other.to_string(),
            }
        } else {
            said.join(" ")
        },
    })
}

/// A handle on `device`, with nothing loaded yet.
pub(crate) fn handle(device: &Path) -> Result<CryptDevice, LibcryptErr> {
    let mut handle = CryptInit::init(device)?;
    handle.set_confirm_callback::<()>(Some(confirm), None);
    Ok(handle)
}

/// Takes libcryptsetup's messages. Must not panic: the caller is C.
extern "C" fn log(level: c_int, message: *const c_char, _: *mut c_void) {
    if message.is_null() {
        return;
    }
    // SAFETY: libcryptsetup passes a NUL-terminated string that lives during this call.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    let message = message.trim();
    if message.is_empty() {
        return;
    }
    tracing::debug!(target: "libcryptsetup", level, "{message}");
    if level == libcryptsetup_rs_sys::CRYPT_LOG_ERROR as c_int {
        let _ = SAID.try_with(|said| {
            if let Ok(mut said) = said.try_borrow_mut() {
                said.push(message.to_owned());
            }
        });
    }
}

/// Answers libcryptsetup's "are you sure": callers have asked the person before they come here.
extern "C" fn confirm(message: *const c_char, _: *mut c_void) -> c_int {
    if !message.is_null() {
        // SAFETY: libcryptsetup passes a NUL-terminated string that lives during this call.
        let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
        tracing::debug!(target: "libcryptsetup", "confirmed: {}", message.trim());
    }
    1
}
