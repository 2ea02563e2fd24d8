//! From rustic_core's errors, which are letters of many lines, to one cause a person can use.

use std::error::Error as StdError;

use rustic_core::RusticError;

use crate::error::Error;
use crate::storage::{Fault, FaultKind, Store};

/// What an error of rustic_core means if the storage is not at fault.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Else {
    /// What was read is not what it should be.
    Damaged,
    /// Something else failed; what was being done, as a verb phrase.
    Other(&'static str),
}

/// Translates an error of rustic_core. The storage's own record goes first: rustic_core may report
/// a consequence ("cannot send to a thread") instead of what happened.
pub(crate) fn explain(store: &Store, error: &RusticError, otherwise: Else) -> Error {
    let repository = store.location().to_owned();
    if error.is_incorrect_password() {
        return Error::WrongPassword { repository };
    }
    if let Some(fault) = store.fault() {
        return from_fault(&repository, fault);
    }
    let cause = brief(&error.to_string());
    let file = find::<Fault>(error);
    if let Some(fault) = file.filter(|fault| fault.kind == FaultKind::Archived) {
        return from_fault(&repository, fault.clone());
    }
    let is_file = file.is_some();
    match otherwise {
        Else::Other(doing) if !is_file => Error::Other {
            doing,
            repository,
            cause,
        },
        _ => Error::Damaged { repository, cause },
    }
}

/// Translates a fault of the storage.
pub(crate) fn from_fault(repository: &str, fault: Fault) -> Error {
    let repository = repository.to_owned();
    let cause = fault.cause;
    match fault.kind {
        FaultKind::Unreachable => Error::Unreachable { repository, cause },
        FaultKind::Denied => Error::Denied { repository, cause },
        FaultKind::NoBucket => Error::NoBucket { repository },
        FaultKind::NoSpace => Error::NoSpace { repository, cause },
        FaultKind::File => Error::Damaged { repository, cause },
        FaultKind::Archived => Error::Archived { repository, cause },
        FaultKind::WrongRegion(right) => Error::WrongRegion {
            repository,
            right,
            cause,
        },
        FaultKind::ClockSkewed(ahead_seconds) => Error::ClockSkewed {
            repository,
            ahead_seconds,
            cause,
        },
        FaultKind::SpendingCap => Error::SpendingCap { repository, cause },
        FaultKind::MayNotList => Error::MayNotList { repository, cause },
        FaultKind::ChecksumMissing => Error::ChecksumMissing { repository, cause },
        FaultKind::Certificate => Error::Certificate { repository, cause },
        FaultKind::Busy => Error::Busy { repository, cause },
    }
}

fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// The essence of a text that holds an error of rustic_core as it displays itself:
/// what precedes it, its message and its cause, on one line.
pub(crate) fn brief(text: &str) -> String {
    let (before, letter) = match text.find("`rustic_core` experienced") {
        Some(at) => text.split_at(at),
        None => return without_tools(&one_line(text)),
    };
    let mut parts = vec![one_line(before.trim_end_matches([' ', ':']))];
    let mut lines = letter.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if matches!(line, "Message:" | "Caused by:") {
            let next = lines.next().unwrap_or_default();
            parts.push(one_line(without_advice(next)));
        }
    }
    parts.retain(|part| !part.is_empty());
    without_tools(&parts.join(": "))
}

/// Cuts what sends to commands of rustic, which is not here.
fn without_tools(text: &str) -> String {
    let sentences = text.split_inclusive(". ").filter(|sentence| {
        !sentence.contains("rustic ") && !sentence.trim_start().starts_with("To repair")
    });
    let kept: String = sentences.collect();
    let kept = kept.trim_end();
    if kept.is_empty() {
        return text.replace("rustic ", "");
    }
    kept.to_owned()
}

/// Cuts rustic_core's standing advice, which does not fit here.
fn without_advice(message: &str) -> &str {
    let end = ["Please ", "Do you ", "Was the file", "Did you "]
        .iter()
        .filter_map(|advice| message.find(advice))
        .min()
        .unwrap_or(message.len());
    let message = message.get(..end).unwrap_or(message).trim_end();
    message.strip_suffix('.').unwrap_or(message)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use rustic_core::ErrorKind;

    use super::*;

    #[test]
    fn a_letter_becomes_one_line_with_message_and_cause() {
        let error = RusticError::with_source(
            ErrorKind::Backend,
            "Failed to read the file `{path}`. Please check the file and try again.",
            std::io::Error::other("disk on fire"),
        )
        .attach_context("path", "/repo/config")
        .attach_context("id", "1234")
        .ask_report();
        assert_eq!(
            brief(&format!("error reading pack 12 : {error}")),
            "error reading pack 12: Failed to read the file `/repo/config`: disk on fire"
        );
    }

    #[test]
    fn nobody_is_sent_to_a_tool_that_is_not_there() {
        let text = "pack 12: not referenced in index. Can be a parallel backup job. To repair: 'rustic repair index'.";
        assert_eq!(
            brief(text),
            "pack 12: not referenced in index. Can be a parallel backup job."
        );
        assert!(!brief("To repair: 'rustic repair index'.").contains("rustic"));
    }

    #[test]
    fn other_text_is_only_put_on_one_line() {
        assert_eq!(brief("pack 12:\n  Hash mismatch"), "pack 12: Hash mismatch");
    }
}
