//! QEMU's control protocol: one JSON document per line over a Unix socket.
//!
//! A client of our own: the driver needs a dozen commands and events with a
//! time limit, where the `qapi` crate brings the types of QEMU's whole schema.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::error::{Doing, Error, Result};

/// How long QEMU may take to answer a command: it answers at once, or is busy
/// with the disk.
const ANSWER: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Qmp {
    machine: String,
    reader: BufReader<UnixStream>,
    line: Vec<u8>,
    events: VecDeque<Value>,
}

impl Qmp {
    /// Connects and leaves QEMU's negotiation mode.
    pub(crate) fn connect(machine: &str, socket: &Path) -> Result<Self> {
        let stream =
            UnixStream::connect(socket).doing(|| format!("connecting to {}", socket.display()))?;
        let mut qmp = Self {
            machine: machine.to_owned(),
            reader: BufReader::new(stream),
            line: Vec::new(),
            events: VecDeque::new(),
        };
        qmp.receive(Instant::now() + ANSWER)?; // the greeting
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and returns its answer.
    pub(crate) fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let mut request = json!({ "execute": command, "arguments": arguments }).to_string();
        request.push('\n');
        self.reader
            .get_mut()
            .write_all(request.as_bytes())
            .doing(|| format!("asking QEMU of {} for {command}", self.machine))?;
        let deadline = Instant::now() + ANSWER;
        loop {
            let Some(mut answer) = self.receive(deadline)? else {
                return Err(self.refused(command, "no answer"));
            };
            if answer.get("event").is_some() {
                self.events.push_back(answer);
            } else if let Some(error) = answer.get("error") {
                let reason = error["desc"].as_str().unwrap_or("no reason given");
                return Err(self.refused(command, reason));
            } else {
                return Ok(answer["return"].take());
            }
        }
    }

    /// Runs a command of the human monitor, for what QMP itself does not offer.
    pub(crate) fn monitor(&mut self, line: &str) -> Result<String> {
        let answer = self.execute("human-monitor-command", json!({ "command-line": line }))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// Waits for an event that `wanted` accepts; false when none came in time.
    pub(crate) fn wait(
        &mut self,
        limit: Duration,
        wanted: impl Fn(&str, &Value) -> bool,
    ) -> Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            let event = match self.events.pop_front() {
                Some(event) => event,
                None => match self.receive(deadline)? {
                    Some(event) => event,
                    None => return Ok(false),
                },
            };
            if wanted(event["event"].as_str().unwrap_or_default(), &event["data"]) {
                return Ok(true);
            }
        }
    }

    /// The next document, or none before the deadline.
    fn receive(&mut self, deadline: Instant) -> Result<Option<Value>> {
        let listening = || format!("listening to QEMU of {}", self.machine);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        self.reader
            .get_ref()
            .set_read_timeout(Some(left))
            .doing(listening)?;
        // What came before a time-out stays in the line and is completed later.
        match self.reader.read_until(b'\n', &mut self.line) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)).doing(listening),
            Ok(_) => {
                let document = serde_json::from_slice(&self.line);
                self.line.clear();
                document
                    .map(Some)
                    .map_err(io::Error::other)
                    .doing(listening)
            }
            Err(error) if is_timeout(&error) => Ok(None),
            Err(error) => Err(error).doing(listening),
        }
    }

    fn refused(&self, command: &str, reason: &str) -> Error {
        Error::Qmp {
            machine: self.machine.clone(),
            command: command.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// The host's port that `info usernet` lists for a port of the guest.
pub(crate) fn forwarded_port(usernet: &str, guest: u16) -> Option<u16> {
    usernet.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields.as_slice() {
            ["TCP[HOST_FORWARD]", _, _, host, _, to, ..] if to.parse() == Ok(guest) => {
                host.parse().ok()
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::net::UnixListener, thread};

    /// A QEMU that says what it is told to, one line for every line it hears.
    fn scripted(lines: &'static [&'static str]) -> (tempfile::TempDir, Qmp) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("qmp");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = BufReader::new(stream.try_clone().unwrap());
            stream.write_all(b"{\"QMP\":{}}\n").unwrap();
            for line in [&"{\"return\":{}}"].into_iter().chain(lines) {
                heard.read_line(&mut String::new()).unwrap();
                stream.write_all(line.as_bytes()).unwrap();
                stream.write_all(b"\n").unwrap();
            }
            heard.read_line(&mut String::new()).unwrap();
        });
        let qmp = Qmp::connect("test", &socket).unwrap();
        (folder, qmp)
    }

    #[test]
    fn an_event_before_the_answer_is_kept_for_later() {
        let (_folder, mut qmp) = scripted(&[
            "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"a\"}}\n{\"return\":7}",
        ]);
        assert_eq!(qmp.execute("x", json!({})).unwrap(), json!(7));
        let deleted = |name: &str, data: &Value| name == "DEVICE_DELETED" && data["device"] == "a";
        assert!(qmp.wait(Duration::from_secs(5), deleted).unwrap());
    }

    #[test]
    fn a_refusal_carries_the_reason() {
        let (_folder, mut qmp) =
            scripted(&["{\"error\":{\"class\":\"GenericError\",\"desc\":\"no such bus\"}}"]);
        let error = qmp.execute("device_add", json!({})).unwrap_err();
        assert!(error.to_string().contains("no such bus"), "{error}");
    }

    #[test]
    fn an_event_that_never_comes_is_not_waited_for_forever() {
        let (_folder, mut qmp) = scripted(&[]);
        assert!(!qmp.wait(Duration::from_millis(50), |_, _| true).unwrap());
    }

    #[test]
    fn the_forwarded_port_is_the_one_of_the_guests_port() {
        let usernet = "Hub -1 (net):\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\n  TCP[SYN_SENT]      16       127.0.0.1 38391       10.0.2.15    22     0     0\n  TCP[HOST_FORWARD]  11       127.0.0.1 34309       10.0.2.15    22     0     0\n  TCP[HOST_FORWARD]  12       127.0.0.1 40001       10.0.2.15  2283     0     0\n";
        assert_eq!(forwarded_port(usernet, 22), Some(34309));
        assert_eq!(forwarded_port(usernet, 2283), Some(40001));
        assert_eq!(forwarded_port(usernet, 80), None);
    }
}
