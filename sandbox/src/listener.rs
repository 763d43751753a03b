//! Accepts connections of SMTP and IMAP, and none while the provider is down.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::connection::{Connection, Gone};
use crate::control::{Gate, Trouble};
use crate::imap;
use crate::locked;
use crate::provider::Provider;
use crate::smtp;

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Submission with implicit TLS (RFC 8314 §3.3).
    Smtps,
    /// Submission with STARTTLS (RFC 6409, RFC 3207).
    Submission,
    /// IMAP with implicit TLS (RFC 8314 §3.2).
    Imaps,
}

/// Serves until it is dropped; its connections end with it.
pub(crate) async fn serve(
    service: Service,
    listener: TcpListener,
    provider: Arc<Provider>,
    acceptor: TlsAcceptor,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                if locked(&provider.faults).down {
                    continue;
                }
                connections.spawn(converse(
                    service, stream, Arc::clone(&provider), acceptor.clone(),
                ));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(
    service: Service,
    mut stream: TcpStream,
    provider: Arc<Provider>,
    acceptor: TlsAcceptor,
) {
    // Small answers must not wait for more; without it the conversation is only slower.
    let _ = stream.set_nodelay(true);
    let gate = match service {
        Service::Imaps => Gate::ImapConnect,
        Service::Smtps | Service::Submission => Gate::SmtpConnect,
    };
    let trouble = locked(&provider.faults).troubles.take(gate, None);
    if let Some(trouble) = trouble
        && suffer(&mut stream, trouble).await.is_err()
    {
        return;
    }
    if service == Service::Submission {
        smtp::converse(Connection::new(Box::new(stream), provider), Some(acceptor)).await;
        return;
    }
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let connection = Connection::new(Box::new(stream), provider);
    match service {
        Service::Imaps => imap::converse(connection).await,
        Service::Smtps | Service::Submission => smtp::converse(connection, None).await,
    }
}

/// Trouble before anything was said. The client speaks first, so that what happens meets it in its handshake.
async fn suffer(stream: &mut TcpStream, trouble: Trouble) -> Result<(), Gone> {
    if let Trouble::Wait(late) = trouble {
        tokio::time::sleep(late).await;
        return Ok(());
    }
    // Whatever comes of these, the connection ends here.
    let mut heard = vec![0; 1];
    let _ = stream.peek(&mut heard).await;
    match trouble {
        Trouble::Say(said) => {
            let _ = stream.write_all(&said).await;
        }
        Trouble::Silence => {
            let _ = stream.read_to_end(&mut heard).await;
        }
        _ => {}
    }
    Err(Gone)
}
