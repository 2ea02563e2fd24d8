//! What an S3 server's answer means.

use std::error::Error as _;

use jiff::Timestamp;

use super::super::{Fault, FaultKind};

/// By how much two clocks may differ for a server to accept a signature, in seconds.
const TOLERATED_SKEW: i64 = 15 * 60;

/// The meaning of an error of opendal, which holds the server's answer.
pub(super) fn fault(error: &opendal::Error, region: &str) -> Fault {
    // The server's own words: `S3Error { code: "NoSuchBucket", message: "…", … }`.
    let code = field(error.message(), "code: \"");
    let message = field(error.message(), "message: \"");
    let words = match (code, message) {
        (Some(code), None | Some("")) => code.to_owned(),
        (Some(code), Some(message)) => format!("{message} ({code})"),
        _ if error.source().is_some() => deepest(error),
        _ if error.message().is_empty() => error.kind().to_string(),
        _ => first_line(error.message()),
    };
    let answer = Answer {
        code: code.unwrap_or_default(),
        words: words.to_lowercase(),
        whole: error.to_string(),
        kind: error.kind(),
    };
    Fault::new(answer.meaning(region, Timestamp::now()), words)
}

/// Whether the server answered and gave no reason, as to a request for one file's head.
pub(super) fn is_wordless(fault: &Fault) -> bool {
    fault.kind == FaultKind::Unreachable
        && fault.cause == opendal::ErrorKind::Unexpected.to_string()
}

struct Answer<'a> {
    code: &'a str,
    /// What it says, in lower case.
    words: String,
    /// The error with its context, in which the answer's headers are.
    whole: String,
    kind: opendal::ErrorKind,
}

impl Answer<'_> {
    fn meaning(&self, region: &str, now: Timestamp) -> FaultKind {
        use opendal::ErrorKind as Kind;
        if let Some(kind) = self.by_code(region, now) {
            return kind;
        }
        let moved = self.header("x-amz-bucket-region");
        if let Some(right) = moved.filter(|right| *right != region)
            && self.kind != Kind::NotFound
        {
            return FaultKind::WrongRegion(Some(right.to_owned()));
        }
        if self.words.contains("certificate") || self.words.contains("unknownissuer") {
            return FaultKind::Certificate;
        }
        match self.kind {
            Kind::PermissionDenied => match self.skew(now) {
                Some(ahead) if ahead.abs() > TOLERATED_SKEW => FaultKind::ClockSkewed(Some(ahead)),
                _ => FaultKind::Denied,
            },
            Kind::NotFound | Kind::RangeNotSatisfied => FaultKind::File,
            Kind::RateLimited => FaultKind::Busy,
            _ => FaultKind::Unreachable,
        }
    }

    fn by_code(&self, region: &str, now: Timestamp) -> Option<FaultKind> {
        let says = |words: &[&str]| words.iter().any(|word| self.words.contains(word));
        Some(match self.code {
            "NoSuchBucket" => FaultKind::NoBucket,
            "InvalidObjectState" => FaultKind::Archived,
            "RequestTimeTooSkewed" | "RequestExpired" => FaultKind::ClockSkewed(self.skew(now)),
            "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException" => {
                FaultKind::WrongRegion(self.region(region))
            }
            "AuthorizationHeaderMalformed" | "InvalidRegion"
                if says(&["region", "expected", "scope"]) =>
            {
                FaultKind::WrongRegion(self.region(region))
            }
            "AccountProblem" | "PaymentRequired" | "AllAccessDisabled" | "AccountSuspended" => {
                FaultKind::SpendingCap
            }
            code if code.contains("Quota")
                || matches!(code, "InsufficientStorage" | "XMinioStorageFull") =>
            {
                FaultKind::NoSpace
            }
            "MissingContentMD5" => FaultKind::ChecksumMissing,
            "InvalidRequest" if says(&["checksum", "content-md5"]) => FaultKind::ChecksumMissing,
            "SlowDown" | "ServiceUnavailable" | "TooManyRequests" | "OperationAborted" => {
                FaultKind::Busy
            }
            "AccessDenied" | "Forbidden"
                if says(&[
                    "cap exceeded",
                    "spending",
                    "billing",
                    "payment",
                    "suspended",
                ]) =>
            {
                FaultKind::SpendingCap
            }
            "AccessDenied" if says(&["quota"]) => FaultKind::NoSpace,
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AccessDenied" => {
                match self.skew(now) {
                    Some(ahead) if ahead.abs() > TOLERATED_SKEW => {
                        FaultKind::ClockSkewed(Some(ahead))
                    }
                    _ => FaultKind::Denied,
                }
            }
            _ => return None,
        })
    }

    /// The region that the answer names.
    fn region(&self, ours: &str) -> Option<String> {
        let told = self
            .header("x-amz-bucket-region")
            .or_else(|| self.quoted("expecting '", '\''))
            .or_else(|| {
                // `expected: 20260101/garage/s3/aws4_request`
                let scopes = self.words.split("/s3/aws4_request");
                let regions = scopes.filter_map(|scope| scope.rsplit_once('/').map(|(_, r)| r));
                regions.filter(|region| *region != ours).last()
            });
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        told.filter(|told| !told.is_empty() && told.bytes().all(plain))
            .map(str::to_owned)
    }

    fn quoted(&self, begin: &str, end: char) -> Option<&str> {
        let (_, rest) = self.words.split_once(begin)?;
        rest.split_once(end).map(|(value, _)| value)
    }

    /// By how many seconds our clock is ahead of the server's, by the date of its answer.
    fn skew(&self, now: Timestamp) -> Option<i64> {
        let date = jiff::fmt::rfc2822::parse(self.header("date")?).ok()?;
        Some(now.as_second() - date.timestamp().as_second())
    }

    /// A header of the answer. opendal gives the answer's head only as text.
    fn header(&self, name: &str) -> Option<&str> {
        field(&self.whole, &format!("\"{name}\": \""))
    }
}

/// What stands between `name` and the next quote.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(name)?;
    rest.split_once('"').map(|(value, _)| value)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// The innermost cause, where "Connection refused" stands.
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    first_line(&cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_says(kind: opendal::ErrorKind, text: &str) -> Fault {
        fault(&opendal::Error::new(kind, text), "us-east-1")
    }

    fn s3_says(code: &str, message: &str) -> FaultKind {
        let text = format!(
            r#"S3Error {{ code: "{code}", message: "{message}", resource: "", request_id: "" }}"#
        );
        server_says(opendal::ErrorKind::PermissionDenied, &text).kind
    }

    #[test]
    fn the_servers_own_words_are_told_without_the_wrapping() {
        let text = r#"S3Error { code: "InvalidAccessKeyId", message: "Your key is not known", resource: "", request_id: "" }"#;
        let denied = server_says(opendal::ErrorKind::PermissionDenied, text);
        assert_eq!(
            denied,
            Fault::new(
                FaultKind::Denied,
                "Your key is not known (InvalidAccessKeyId)"
            )
        );
        let text = r#"S3Error { code: "NoSuchBucket", message: "", resource: "", request_id: "" }"#;
        let missing = server_says(opendal::ErrorKind::ConfigInvalid, text);
        assert_eq!(missing, Fault::new(FaultKind::NoBucket, "NoSuchBucket"));
        let gone = server_says(opendal::ErrorKind::Unexpected, "<html>\nbad gateway");
        assert_eq!(gone, Fault::new(FaultKind::Unreachable, "<html>"));
    }

    #[test]
    fn the_right_region_is_taken_from_the_answer() {
        let aws = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'";
        let garage = "Authorization header malformed, unexpected scope: 20260101/us-east-1/s3/aws4_request, expected: 20260101/garage/s3/aws4_request";
        for (message, right) in [(aws, "eu-central-1"), (garage, "garage")] {
            let kind = s3_says("AuthorizationHeaderMalformed", message);
            assert_eq!(kind, FaultKind::WrongRegion(Some(right.to_owned())));
        }
    }

    #[test]
    fn limits_of_an_account_are_told_from_missing_rights() {
        let cap = s3_says(
            "AccessDenied",
            "Transaction cap exceeded, see the Caps page",
        );
        assert_eq!(cap, FaultKind::SpendingCap);
        assert_eq!(s3_says("QuotaExceeded", "x"), FaultKind::NoSpace);
        assert_eq!(s3_says("AccessDenied", "no"), FaultKind::Denied);
        assert_eq!(s3_says("InvalidObjectState", "x"), FaultKind::Archived);
        let lock = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters";
        assert_eq!(s3_says("InvalidRequest", lock), FaultKind::ChecksumMissing);
    }
}
