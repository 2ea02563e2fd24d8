use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Call, Client, Result, ServerVersion, Why};

/// The first version that has a report on the integrity of its files. In which version of Immich 3
/// it came is not known: an earlier one answers that there is no such call, which is told alike.
const SINCE: ServerVersion = ServerVersion::new(3, 0, 0);

/// What Immich found wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegrityFlaw {
    /// The database knows it, the disk does not.
    MissingFile,
    /// The disk has it, the database does not know it.
    UntrackedFile,
    /// Its contents are not those that were uploaded.
    ChecksumMismatch,
    /// Anything that a later version looks for.
    #[serde(other)]
    Other,
}

impl IntegrityFlaw {
    const fn name(self) -> &'static str {
        match self {
            Self::MissingFile => "missing_file",
            Self::UntrackedFile => "untracked_file",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::Other => "other",
        }
    }
}

/// How many files of each kind Immich found, when it last looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegritySummary {
    /// Files that the database knows and the disk does not have.
    #[serde(rename = "missing_file")]
    pub missing: u64,
    /// Files that the disk has and the database does not know.
    #[serde(rename = "untracked_file")]
    pub untracked: u64,
    /// Files whose contents are not those that were uploaded.
    #[serde(rename = "checksum_mismatch")]
    pub mismatched: u64,
}

/// One file of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrityItem {
    /// The item, by Immich's own name.
    pub id: String,
    /// The file, as the server sees it.
    pub path: String,
    /// What is wrong with it.
    #[serde(rename = "type")]
    pub flaw: IntegrityFlaw,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<IntegrityItem>,
    next_cursor: Option<String>,
}

impl Client {
    /// How many files of each kind Immich found wrong when its integrity jobs last ran; see
    /// [`Job::IntegrityMissingFiles`](super::Job::IntegrityMissingFiles). Needs an admin's
    /// credential.
    ///
    /// # Errors
    /// As every call; [`Why::NotOffered`] on Immich 2.
    pub fn integrity_summary(&self) -> Result<IntegritySummary> {
        let call = Call::get(
            "read Immich's integrity report",
            "/api/admin/integrity/summary",
        );
        self.offered(&call, SINCE)?;
        self.fetch(&call)
            .map_err(|error| self.or_not_offered(error))
    }

    /// The files of one kind that Immich found wrong, page by page, at most `at_most` of them.
    /// Needs an admin's credential.
    ///
    /// # Errors
    /// As every call; [`Why::NotOffered`] on Immich 2; also when the pages go in a circle.
    pub fn integrity_report(
        &self,
        flaw: IntegrityFlaw,
        at_most: usize,
    ) -> Result<Vec<IntegrityItem>> {
        const PAGE: usize = 500;
        let mut items = Vec::new();
        let mut cursors = BTreeSet::new();
        let mut cursor: Option<String> = None;
        while items.len() < at_most {
            let limit = PAGE.min(at_most - items.len());
            let mut path = format!(
                "/api/admin/integrity/report?type={}&limit={limit}",
                flaw.name()
            );
            if let Some(cursor) = &cursor {
                path.push_str("&cursor=");
                path.push_str(&query_safe(cursor));
            }
            let call = Call::get("read Immich's integrity report", path);
            self.offered(&call, SINCE)?;
            let page: Page = self
                .fetch(&call)
                .map_err(|error| self.or_not_offered(error))?;
            items.extend(page.items);
            match page.next_cursor {
                None => break,
                Some(next) if cursors.insert(next.clone()) => cursor = Some(next),
                Some(next) => {
                    let circle = format!("the page {next:?} follows itself");
                    return Err(call.failed(Why::Answer(circle)));
                }
            }
        }
        items.truncate(at_most);
        Ok(items)
    }
}

/// A value of a query, where only these characters stand for themselves.
fn query_safe(value: &str) -> String {
    use std::fmt::Write as _;
    value.bytes().fold(String::new(), |mut safe, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            let _ = write!(safe, "%{byte:02X}");
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_cannot_end_its_query() {
        assert_eq!(query_safe("a/b+c=&d ä"), "a%2Fb%2Bc%3D%26d%20%C3%A4");
    }

    #[test]
    fn a_flaw_that_a_later_version_looks_for_breaks_nothing() {
        let item = r#"{"id":"1","path":"/data/a","type":"wrong_owner","since":"today"}"#;
        let item: IntegrityItem = serde_json::from_str(item).unwrap();
        assert_eq!(item.flaw, IntegrityFlaw::Other);
    }
}
