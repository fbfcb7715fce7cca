//! The API without our own client: bytes in, status and document out. And a site that is not ours.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// Longest wait for an answer's next bytes.
const READ_TIME_MAX: Duration = Duration::from_secs(30);

/// Sends these bytes and understands the document that comes.
pub fn talk(socket: &Path, bytes: &[u8]) -> (u16, Value) {
    understood(&answer(socket, bytes))
}

/// Sends these bytes and reads until the server hangs up.
pub fn answer(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(READ_TIME_MAX)).unwrap();
    // A server that refuses early may hang up before it has read everything.
    let _refused_early = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _hung_up = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status and the document of a whole answer.
pub fn understood(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}

/// A request that wants its connection closed after the answer.
pub fn request(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A site at a port of loopback for as long as this process lives: each request's head is answered with a status, which
/// may bring headers, and a body.
pub fn site(answers: impl Fn(&str) -> (&'static str, &'static str) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut head, mut len) = (String::new(), 0);
            let mut lines = BufReader::new(&mut stream);
            while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).is_ok_and(|read| read > 0) {}
            for line in head.lines() {
                len = line.to_lowercase().strip_prefix("content-length: ").map_or(len, |text| text.parse().unwrap());
            }
            let _cut_short = lines.read_exact(&mut vec![0; len]);
            let (status, body) = answers(&head);
            let length = body.len();
            let _gone =
                write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        }
    });
    port
}
