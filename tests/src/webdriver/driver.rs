//! chromedriver or geckodriver as a child process on a free port of loopback.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::WebDriverError;
use super::session::Session;
use crate::child::Child;
use crate::free_port::free_address;

/// Either is ready in well under a second; the rest is for a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Firefox takes eight seconds to start on two processors; the rest is for a busy machine.
const ANSWER_WITHIN: Duration = Duration::from_mins(2);

/// How long a browser may take to close when nobody has closed it.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// A running driver. It ends, and its browser with it, when the value is dropped.
#[derive(Debug)]
pub struct Driver {
    child: Child,
    address: SocketAddr,
    base: String,
    http: reqwest::Client,
    /// What it opened.
    sessions: Mutex<Vec<String>>,
}

impl Driver {
    /// Starts `program` with `arguments` and a free port; its output goes to `folder`.
    pub async fn start(
        program: &Path,
        arguments: &[&str],
        folder: &Path,
    ) -> Result<Self, WebDriverError> {
        let address = free_address()?;
        let mut command = Command::new(program);
        command
            .arg(format!("--port={}", address.port()))
            .args(arguments);
        // A driver must not speak to its browser by way of a proxy.
        command.env("NO_PROXY", "127.0.0.1,localhost");
        let name = program
            .file_name()
            .map_or_else(|| "driver".into(), |name| name.to_string_lossy());
        let mut child = Child::start(&name, command, folder)?;
        let http = crate::http_client::http_client_within(ANSWER_WITHIN, None)?;
        let base = format!("http://{address}");
        let status = format!("{base}/status");
        let look = async || {
            let answer = http.get(&status).send().await.ok()?;
            let body: Value = answer.json().await.ok()?;
            body.pointer("/value/ready")?.as_bool()?.then_some(())
        };
        child
            .wait_until("the driver to be ready", look, READY_WITHIN)
            .await?;
        Ok(Self {
            child,
            address,
            base,
            http,
            sessions: Mutex::default(),
        })
    }

    /// Starts a browser with these capabilities (W3C `WebDriver` §8.1).
    pub async fn open(&self, capabilities: Value) -> Result<Session, WebDriverError> {
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let value = super::session::post(
            &self.http,
            &format!("{}/session", self.base),
            "New Session",
            &body,
        )
        .await?;
        let id = value
            .get("sessionId")
            .and_then(Value::as_str)
            .ok_or_else(|| WebDriverError::Strange {
                command: "New Session".to_owned(),
            })?;
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(id.to_owned());
        let capabilities = value.get("capabilities").cloned().unwrap_or_default();
        Ok(Session::new(
            self.http.clone(),
            format!("{}/session/{id}", self.base),
            capabilities,
        ))
    }

    /// Closes what it opened, and ends it.
    pub fn end(&mut self) -> Result<(), WebDriverError> {
        self.close_all();
        self.child.end()?;
        Ok(())
    }

    /// A driver that is ended leaves its browser running, so the browser is closed first; that it is closed already
    /// is answered with an error that says so. In `Drop` nothing can be awaited: this is plain HTTP on a socket.
    fn close_all(&self) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for id in sessions.drain(..) {
            // A driver that does not answer any more has no browser to close.
            let _closed = close(self.address, &id);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.close_all();
    }
}

fn close(address: SocketAddr, id: &str) -> io::Result<()> {
    let mut socket = TcpStream::connect_timeout(&address, CLOSED_WITHIN)?;
    socket.set_read_timeout(Some(CLOSED_WITHIN))?;
    write!(
        socket,
        "DELETE /session/{id} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    // The first byte of the answer comes when the browser is gone.
    socket.read_exact(&mut [0])
}
