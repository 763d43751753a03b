//! A DNS server at the wire (RFC 1035 §4): what it knows is told over UDP and TCP, with the faults that servers have.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const A: u16 = 1;
const MX: u16 = 15;
const TXT: u16 = 16;

/// What there is under a name.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// A TXT record.
    Text(String),
    /// A mail server.
    Mail(&'static str),
    /// An address.
    Address(Ipv4Addr),
    /// A TXT record that is told whole over TCP alone: over UDP the answer is cut (RFC 1035 §4.2.1).
    Long(String),
    /// It never answers.
    Never,
    /// It says that it failed (SERVFAIL).
    Fails,
}

/// The server; it ends with the process.
pub(crate) struct DnsServer {
    address: SocketAddr,
    names: Names,
    by_tcp: Arc<AtomicU64>,
}

type Names = Arc<Mutex<HashMap<String, Vec<Says>>>>;

impl DnsServer {
    pub(crate) fn start() -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            // The same port for both, which somebody else may have.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let names = Names::default();
        let by_tcp = Arc::new(AtomicU64::new(0));
        let known = Arc::clone(&names);
        std::thread::spawn(move || {
            let mut asked = [0; 1_500];
            while let Ok((n, from)) = udp.recv_from(&mut asked) {
                if let Some(answer) = answer(&asked[..n], &known, false) {
                    let _ = udp.send_to(&answer, from);
                }
            }
        });
        let (known, counted) = (Arc::clone(&names), Arc::clone(&by_tcp));
        std::thread::spawn(move || {
            for stream in tcp.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut length = [0; 2];
                while stream.read_exact(&mut length).is_ok() {
                    let mut asked = vec![0; usize::from(u16::from_be_bytes(length))];
                    if stream.read_exact(&mut asked).is_err() {
                        break;
                    }
                    counted.fetch_add(1, Ordering::SeqCst);
                    if let Some(answer) = answer(&asked, &known, true) {
                        let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                        if stream.write_all(&[&length[..], &answer].concat()).is_err() {
                            break;
                        }
                    }
                }
            }
        });
        Self {
            address,
            names,
            by_tcp,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Questions that came over TCP.
    pub(crate) fn n_by_tcp(&self) -> u64 {
        self.by_tcp.load(Ordering::SeqCst)
    }

    /// Replaces all that is under a name.
    pub(crate) fn set(&self, name: &str, says: &[Says]) {
        let mut names = self.names.lock().unwrap();
        names.insert(name.to_lowercase(), says.to_vec());
    }

    /// There is no such name any more.
    pub(crate) fn unset(&self, name: &str) {
        self.names.lock().unwrap().remove(&name.to_lowercase());
    }
}

/// `None` where nothing is to be said.
fn answer(asked: &[u8], names: &Names, by_tcp: bool) -> Option<Vec<u8>> {
    let id = asked.get(..2)?;
    let (name, end) = read_name(asked, 12)?;
    let kind = u16::from_be_bytes([*asked.get(end)?, *asked.get(end + 1)?]);
    let question = asked.get(12..end + 4)?;
    let names = names.lock().unwrap();
    // A name above one that is there is there too (RFC 8020).
    let is_above = names
        .keys()
        .any(|known| known.ends_with(&format!(".{name}")));
    let says = names.get(&name);
    let (mut code, mut cut, mut records) = (0_u16, 0_u16, Vec::new());
    if says.is_none() && !is_above {
        code = 3;
    }
    for one in says.into_iter().flatten() {
        match one {
            Says::Never => return None,
            Says::Fails => code = 2,
            Says::Text(text) if kind == TXT => records.push(text_of(text)),
            Says::Long(text) if kind == TXT && by_tcp => records.push(text_of(text)),
            Says::Long(_) if kind == TXT => cut = 0x0200,
            Says::Mail(host) if kind == MX => {
                records.push([&10_u16.to_be_bytes()[..], &write_name(host)].concat());
            }
            Says::Address(address) if kind == A => records.push(address.octets().to_vec()),
            _ => {}
        }
    }
    // A response that recursed for us.
    let flags = 0x8180 | code | cut;
    let n = u16::try_from(records.len()).unwrap();
    let mut told = [
        id,
        &flags.to_be_bytes(),
        &[0, 1],
        &n.to_be_bytes(),
        &[0; 4],
        question,
    ]
    .concat();
    for record in records {
        told.extend([0xc0, 12]);
        told.extend(kind.to_be_bytes());
        told.extend([0, 1, 0, 0, 0, 60]);
        told.extend(u16::try_from(record.len()).unwrap().to_be_bytes());
        told.extend(record);
    }
    Some(told)
}

fn read_name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join(".").to_lowercase(), at));
        }
        labels.push(String::from_utf8_lossy(bytes.get(at..at + length)?).into_owned());
        at += length;
    }
}

fn write_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn text_of(text: &str) -> Vec<u8> {
    let parts = text.as_bytes().chunks(255);
    parts
        .flat_map(|part| [&[u8::try_from(part.len()).unwrap()], part].concat())
        .collect()
}
