//! What an S3 server answers is told as what it is: each cause with its facts, from the server's
//! own words. The answers are written down here as the providers document them.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use appliance_backup::{Address, Credentials, Error, Repository, Target};
use common::{PASSWORD, options};
use jiff::{Span, Zoned};

/// A server that answers each request, by its head, with what `answer` gives.
fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("s3:http://{}/photos", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut part = [0; 4096];
            let head = loop {
                let count = socket.read(&mut part).unwrap_or(0);
                request.extend_from_slice(&part[..count]);
                let text = String::from_utf8_lossy(&request).into_owned();
                if let Some((head, _)) = text.split_once("\r\n\r\n") {
                    let length = head
                        .to_lowercase()
                        .lines()
                        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                        .unwrap_or(0);
                    if request.len() >= head.len() + 4 + length {
                        break head.to_lowercase();
                    }
                }
                if count == 0 {
                    break String::new();
                }
            };
            let _ = socket.write_all(answer(&head).as_bytes());
        }
    });
    Target {
        address: Address {
            location: address.parse().unwrap(),
            credentials: Some(Credentials {
                access_key_id: "AKID".into(),
                secret_access_key: "hunter2hunter2".into(),
            }),
        },
        password: PASSWORD.into(),
    }
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// An error as S3 writes it; a HEAD gets none.
fn refusal(head: &str, status: &str, headers: &str, code: &str, message: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let body = if head.starts_with("head ") { "" } else { &body };
    response(status, headers, body)
}

/// Opens a repository in a bucket that answers everything with the same error.
fn refused(status: &'static str, headers: &str, code: &'static str, message: &str) -> Error {
    let (headers, message) = (headers.to_owned(), message.to_owned());
    let target = serve(move |head| refusal(head, status, &headers, code, &message));
    let error = Repository::init_or_join(&target, &options()).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(!text.contains("hunter2") && !text.contains('\n'), "{text}");
    error
}

#[test]
fn a_bucket_in_another_region_is_told_with_the_right_one() {
    let message =
        "The bucket you are attempting to access must be addressed using the specified endpoint.";
    let header = "x-amz-bucket-region: eu-central-1\r\n";
    let moved = refused(
        "301 Moved Permanently",
        header,
        "PermanentRedirect",
        message,
    );
    let message = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'";
    let malformed = refused(
        "400 Bad Request",
        "",
        "AuthorizationHeaderMalformed",
        message,
    );
    for error in [moved, malformed] {
        assert!(
            matches!(&error, Error::WrongRegion { right: Some(right), .. } if right == "eu-central-1"),
            "{error:?}"
        );
        assert!(error.to_string().contains("eu-central-1"), "{error}");
    }
}

#[test]
fn a_wrong_clock_is_told_with_the_difference() {
    let server = &Zoned::now() - Span::new().hours(3);
    let date = jiff::fmt::rfc2822::to_string(&server).unwrap();
    let message = "The difference between the request time and the current time is too large.";
    for code in ["RequestTimeTooSkewed", "AccessDenied"] {
        let error = refused("403 Forbidden", &format!("Date: {date}\r\n"), code, message);
        let Error::ClockSkewed {
            ahead_seconds: Some(ahead),
            ..
        } = error
        else {
            panic!("{code}: {error:?}")
        };
        assert!((10_790..10_900).contains(&ahead), "{ahead}");
        assert!(error.to_string().contains("ahead"), "{error}");
    }
}

#[test]
fn a_limit_of_the_account_is_told_from_a_wrong_key() {
    let cap = "Cannot upload files, storage cap exceeded. See the Caps &amp; Alerts page.";
    let error = refused("403 Forbidden", "", "AccessDenied", cap);
    assert!(
        matches!(&error, Error::SpendingCap { cause, .. } if cause.contains("storage cap exceeded")),
        "{error:?}"
    );
    let error = refused("403 Forbidden", "", "QuotaExceeded", "The quota is used up");
    assert!(
        matches!(&error, Error::NoSpace { cause, .. } if cause.contains("quota")),
        "{error:?}"
    );
    let error = refused("403 Forbidden", "", "InvalidAccessKeyId", "No such key");
    assert!(matches!(&error, Error::Denied { .. }), "{error:?}");
}

#[test]
fn a_key_that_may_not_list_is_told() {
    let error = refused("403 Forbidden", "", "AccessDenied", "Access Denied");
    assert!(matches!(&error, Error::MayNotList { .. }), "{error:?}");
}

#[test]
fn a_server_with_too_much_to_do_is_not_taken_for_the_network() {
    let error = refused(
        "503 Slow Down",
        "",
        "SlowDown",
        "Please reduce your request rate.",
    );
    assert!(matches!(&error, Error::Busy { .. }), "{error:?}");
}

#[test]
fn archived_files_are_told_with_where_they_are() {
    let target = serve(|head| {
        if head.starts_with("head ") {
            return response("200 OK", "", "");
        }
        if head.contains("list-type=2") && head.contains("keys") {
            let id = "0".repeat(64);
            let body = format!(
                "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>keys/{id}</Key>\
                 <Size>400</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>\"x\"</ETag></Contents></ListBucketResult>"
            );
            return response("200 OK", "", &body);
        }
        let message = "The operation is not valid for the object's storage class";
        refusal(head, "403 Forbidden", "", "InvalidObjectState", message)
    });
    let error = Repository::open(&target, &options()).unwrap_err();
    assert!(matches!(&error, Error::Archived { .. }), "{error:?}");
}

/// A server with nothing in its bucket, which takes a file only as `takes` says.
fn empty_bucket(takes: impl Fn(&str) -> bool + Send + 'static) -> (Target, Arc<Mutex<u32>>) {
    let taken = Arc::new(Mutex::new(0));
    let count = Arc::clone(&taken);
    let target = serve(move |head| {
        if head.starts_with("head ") {
            return response("404 Not Found", "", "");
        }
        if head.starts_with("get ") && head.contains("list-type=2") {
            let body = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
            return response("200 OK", "", body);
        }
        if head.starts_with("put ") && takes(head) {
            *count.lock().unwrap() += 1;
            return response("200 OK", "ETag: \"x\"\r\n", "");
        }
        let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object \
                       requests with Object Lock parameters";
        refusal(head, "400 Bad Request", "", "InvalidRequest", message)
    });
    (target, taken)
}

#[test]
fn a_bucket_with_object_lock_takes_what_is_sent() {
    let (target, taken) = empty_bucket(|head| head.contains("\r\ncontent-md5: "));
    // It keeps nothing, so that creating ends there; but it has taken what was sent.
    let _ = Repository::init_or_join(&target, &options()).unwrap_err();
    assert!(*taken.lock().unwrap() >= 1);
}

#[test]
fn a_bucket_that_wants_another_checksum_says_so() {
    let (target, _) = empty_bucket(|_| false);
    let error = Repository::init_or_join(&target, &options()).unwrap_err();
    assert!(matches!(&error, Error::ChecksumMissing { .. }), "{error:?}");
}
