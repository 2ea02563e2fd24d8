//! Speed of a cipher in the kernel.
//!
//! libcryptsetup's own benchmark, through the bare bindings: the safe crate does not offer it.

use std::ffi::CString;
use std::io;

use libcryptsetup_rs::LibcryptErr;

use super::{Cipher, Speed};
use crate::cryptsetup::locked;

/// What libcryptsetup measures with, in bytes; larger on a machine too fast for the first.
const BUFFERS: [usize; 3] = [1 << 20, 16 << 20, 64 << 20];

pub(super) fn speed(cipher: Cipher) -> Speed {
    let mut why = String::new();
    for buffer in BUFFERS {
        match once(cipher, buffer) {
            Ok((encrypt, decrypt)) => return Speed::Measured { encrypt, decrypt },
            Err(failure) => {
                match failure.errno.map(nix::errno::Errno::from_raw) {
                    // The kernel's crypto interface is there and knows no such cipher.
                    Some(nix::errno::Errno::ENOENT) => return Speed::Lacking,
                    // Over before the clock ticked.
                    Some(nix::errno::Errno::ERANGE) => why = failure.why,
                    _ => {
                        return Speed::NotMeasurable { why: failure.why };
                    }
                }
            }
        }
    }
    Speed::NotMeasurable { why }
}

fn once(cipher: Cipher, buffer: usize) -> Result<(f64, f64), crate::cryptsetup::Failure> {
    let (name, mode) = cipher.parts();
    // The kernel's ciphers know nothing of how dm-crypt numbers its sectors.
    let mode = mode.split('-').next().unwrap_or(mode);
    let iv = match cipher {
        Cipher::AesXts => 16,
        Cipher::Adiantum => 32,
    };
    locked(|| {
        let name = CString::new(name).map_err(LibcryptErr::NullError)?;
        let mode = CString::new(mode).map_err(LibcryptErr::NullError)?;
        let (mut encrypt, mut decrypt) = (0.0, 0.0);
        // SAFETY: no device is needed for a benchmark (NULL is allowed), the strings end in NUL
        // and outlive the call, and the two results are written into live variables.
        let code = unsafe {
            libcryptsetup_rs_sys::crypt_benchmark(
                std::ptr::null_mut(),
                name.as_ptr(),
                mode.as_ptr(),
                cipher.key_bits() as usize / 8,
                iv,
                buffer,
                &raw mut encrypt,
                &raw mut decrypt,
            )
        };
        if code < 0 {
            return Err(LibcryptErr::IOError(io::Error::from_raw_os_error(-code)));
        }
        Ok((encrypt, decrypt))
    })
}
