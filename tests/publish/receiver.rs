//! A loopback receiver of webhooks that answers by plan and keeps what it got.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was posted.
#[derive(Debug, Clone)]
pub(super) struct Posted {
    pub(super) method: String,
    pub(super) path: String,
    /// By name in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// What the receiver says: a status, and headers besides.
pub(super) struct Reply(pub(super) u16, pub(super) Vec<(&'static str, String)>);

/// The receiver.
pub(super) struct Receiver {
    address: String,
    posted: Arc<Mutex<Vec<Posted>>>,
}

type Plan = dyn Fn(usize) -> Reply + Send + Sync;

impl Receiver {
    /// A receiver that takes everything.
    pub(super) fn start() -> Self {
        Self::with(|_| Reply(200, Vec::new()))
    }

    /// A receiver that answers the first request, counted from 0, the second and so on by plan.
    pub(super) fn with(plan: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let posted = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&posted);
        let plan: Box<Plan> = Box::new(plan);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away in the middle is no concern of the receiver.
                answer(&stream, &*plan, &log).ok();
            }
        });
        Self { address, posted }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }
}

fn answer(stream: &TcpStream, plan: &Plan, log: &Mutex<Vec<Posted>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(':') {
            Some((name, value)) => {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            None => break,
        }
    }
    let length = headers.get("content-length");
    let mut body = vec![0; length.map_or(0, |text| text.parse().unwrap())];
    reader.read_exact(&mut body)?;
    let mut words = first.split(' ').map(str::to_owned);
    let number = {
        let mut log = log.lock().unwrap();
        log.push(Posted {
            method: words.next().unwrap(),
            path: words.next().unwrap(),
            headers,
            body: String::from_utf8(body).unwrap(),
        });
        log.len() - 1
    };
    let Reply(status, headers) = plan(number);
    let mut text = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 2\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", &value, "\r\n"]);
    }
    text.push_str("\r\nno");
    let mut stream = stream;
    stream.write_all(text.as_bytes())
}
