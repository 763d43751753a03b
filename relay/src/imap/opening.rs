//! From nothing to a signed-in connection: TLS, the greeting, what the server offers, and the proof of
//! the credentials. How a mechanism works is in `authentication`.

use std::time::Duration;

use protocol::evidence::{Party, Said, Stage};
use protocol::inbox::{MailServer, TlsMode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::authentication::{list_ways, refuses_the_way};
use super::capabilities::Capabilities;
use super::command::Command;
use super::reading::{Code, StatusKind};
use super::wire::{Told, Wire, garbage};
use crate::failure::Failure;
use crate::sign_in::SignIn;
use crate::tls::Dialer;

/// Time for the greeting. Ours: RFC 9051 §5.4 speaks of idle connections only, and servers that are
/// busy greet late rather than not.
const GREETING_WITHIN: Duration = Duration::from_mins(1);

/// Time to sign in. Ours: servers delay refusals on purpose (Dovecot by 2 s and more, doubling), and
/// a person may be waiting.
const SIGN_IN_WITHIN: Duration = Duration::from_mins(1);

/// Connects and signs in; the connection, and what the server offers from then on.
pub(super) async fn open(
    dialer: &Dialer,
    server: &MailServer,
    sign_in: &SignIn,
) -> Result<(Wire<TlsStream<TcpStream>>, Capabilities), Failure> {
    let (mut wire, offered) = begin(dialer, server).await?;
    let mut told_now = None;
    let code = prove(&mut wire, &offered, sign_in, &mut told_now).await?;
    let capabilities = match Capabilities::find_in_code(code.as_ref()).or(told_now) {
        Some(capabilities) => capabilities,
        None => ask_capabilities(&mut wire, Stage::Auth).await?,
    };
    if offered.has("ID") || capabilities.has("ID") {
        introduce(&mut wire).await?;
    }
    Ok((wire, capabilities))
}

/// Connects; the connection with TLS, and what the server offers before anybody is signed in.
pub(super) async fn begin(
    dialer: &Dialer,
    server: &MailServer,
) -> Result<(Wire<TlsStream<TcpStream>>, Capabilities), Failure> {
    let tcp = dialer.tcp(Party::Imap, server).await?;
    let ending = dialer.ending();
    let (mut wire, greeted) = match server.tls {
        TlsMode::Implicit => {
            let mut wire = Wire::new(dialer.tls(Party::Imap, server, tcp).await?, ending.clone());
            let greeted = greet(&mut wire).await?;
            (wire, greeted)
        }
        TlsMode::StartTls => {
            let tcp = start_tls(dialer, server, Wire::new(tcp, ending.clone())).await?;
            // What was said before TLS is forgotten (RFC 9051 §6.2.1).
            let stream = dialer.tls(Party::Imap, server, tcp).await?;
            (Wire::new(stream, ending.clone()), None)
        }
    };
    let offered = match greeted {
        Some(offered) => offered,
        None => ask_capabilities(&mut wire, Stage::Greeting).await?,
    };
    Ok((wire, offered))
}

/// Signs in by the first way that the server takes. A refusal of a way that it offered, and not of who signs in, is
/// followed by the next one; where none is taken, the first refusal is told.
async fn prove<S>(
    wire: &mut Wire<S>,
    offered: &Capabilities,
    sign_in: &SignIn,
    told_now: &mut Option<Capabilities>,
) -> Result<Option<Code>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ways = list_ways(offered, sign_in)?;
    let mut refused = None;
    while let Some(command) = ways.pop_front() {
        let tell = |told: Told| {
            *told_now = Capabilities::find_in(&told).or(told_now.take());
            Ok(())
        };
        match wire.run(Stage::Auth, SIGN_IN_WITHIN, command, tell).await {
            Ok(code) => return Ok(code),
            Err(failure) if refuses_the_way(&failure) => {
                refused.get_or_insert(failure);
            }
            // What ends the connection after a refusal tells less than the refusal.
            Err(failure) if !wire.is_ready() => return Err(refused.unwrap_or(failure)),
            Err(failure) => return Err(failure),
        }
    }
    Err(refused.unwrap_or_else(|| {
        let detail = "the server takes no way to sign in that it offers";
        Failure::new(Party::Imap, Stage::Auth, garbage(detail))
    }))
}

/// Says which program reads (RFC 2971 §3.1), and nothing else of it. Observed with 163.com, in reports of 2026: it
/// closes the connection of who does not, at the first folder. A server that does not take it is read all the same.
async fn introduce<S>(wire: &mut Wire<S>) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let command = Command::new("ID (\"name\" \"Unpause\")");
    let said = wire
        .run(Stage::Folder, GREETING_WITHIN, command, |_| Ok(()))
        .await;
    match said {
        Err(failure) if !wire.is_ready() => Err(failure),
        _ => Ok(()),
    }
}

/// Reads the greeting; the capabilities it names.
async fn greet<S>(wire: &mut Wire<S>) -> Result<Option<Capabilities>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let greeting = wire.greet(GREETING_WITHIN).await?;
    // A server that takes us for somebody already (RFC 9051 §7.1.4) cannot prove the credentials, and
    // before TLS it would keep us from STARTTLS.
    if greeting.kind == StatusKind::PreAuth {
        let detail = "the server signed us in before it asked who we are (PREAUTH)";
        return Err(Failure::new(Party::Imap, Stage::Greeting, garbage(detail)));
    }
    Ok(Capabilities::find_in_code(greeting.code.as_ref()))
}

/// Goes up to the point where TLS begins (RFC 9051 §6.2.1).
async fn start_tls(
    dialer: &Dialer,
    server: &MailServer,
    mut wire: Wire<TcpStream>,
) -> Result<TcpStream, Failure> {
    let fail = |said| Failure::new(Party::Imap, Stage::Tls, said);
    let greeted = dialer.unless_tls(Party::Imap, server, Box::pin(greet(&mut wire)));
    let offered = match greeted.await? {
        Some(offered) => offered,
        None => ask_capabilities(&mut wire, Stage::Greeting).await?,
    };
    if !offered.has("STARTTLS") {
        return Err(fail(Said::Tls {
            detail: "the server does not offer STARTTLS".to_owned(),
        }));
    }
    wire.run(
        Stage::Tls,
        GREETING_WITHIN,
        Command::new("STARTTLS"),
        |_| Ok(()),
    )
    .await?;
    // Whatever already stands there came without TLS, from whomever.
    wire.into_stream().ok_or_else(|| {
        fail(garbage(
            "the server went on without TLS after it had agreed to STARTTLS",
        ))
    })
}

async fn ask_capabilities<S>(wire: &mut Wire<S>, stage: Stage) -> Result<Capabilities, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut capabilities = None;
    let tell = |told: Told| {
        capabilities = Capabilities::find_in(&told).or(capabilities.take());
        Ok(())
    };
    wire.run(stage, GREETING_WITHIN, Command::new("CAPABILITY"), tell)
        .await?;
    capabilities.ok_or_else(|| {
        Failure::new(
            Party::Imap,
            stage,
            garbage("the server names no CAPABILITY when asked"),
        )
    })
}
