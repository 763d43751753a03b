//! A port in front of a server that somebody may stop listening on: then connections are refused, as by a
//! machine on which the service is down. Connections that are open already go on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections that the system may hold before they are accepted.
const BACKLOG: u32 = 1024;

/// A port that passes everything on.
#[derive(Debug)]
pub(super) struct Front {
    address: SocketAddr,
    closings: watch::Sender<usize>,
    is_open: watch::Receiver<bool>,
    /// Ended with this value.
    _tasks: JoinSet<()>,
}

/// Nobody listens while this lives.
#[derive(Debug)]
pub(super) struct Closing(watch::Sender<usize>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n = n.saturating_sub(1));
    }
}

impl Front {
    /// Takes a port. It is closed until [`Self::lead_to`] says what stands behind it.
    pub(super) fn reserve() -> io::Result<Reserved> {
        let socket = bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = socket.local_addr()?;
        Ok(Reserved { socket, address })
    }

    /// The port.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Nobody listens from when this returns until the value is dropped.
    pub(super) async fn close(&self) -> Closing {
        self.closings.send_modify(|n| *n += 1);
        let closing = Closing(self.closings.clone());
        let mut is_open = self.is_open.clone();
        // The task that listens lives as long as this value.
        let _ = is_open.wait_for(|is_open| !*is_open).await;
        closing
    }
}

/// A port that is taken and on which nobody listens yet.
#[derive(Debug)]
pub(super) struct Reserved {
    socket: TcpSocket,
    address: SocketAddr,
}

impl Reserved {
    /// The port.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens, and passes everything on to `target`.
    pub(super) fn lead_to(self, target: SocketAddr) -> io::Result<Front> {
        let closings = watch::Sender::new(0);
        let (opened, is_open) = watch::channel(true);
        let listener = self.socket.listen(BACKLOG)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, target, closings.subscribe(), opened));
        Ok(Front {
            address: self.address,
            closings,
            is_open,
            _tasks: tasks,
        })
    }
}

async fn serve(
    mut listener: TcpListener,
    target: SocketAddr,
    mut closings: watch::Receiver<usize>,
    opened: watch::Sender<bool>,
) {
    let mut connections = JoinSet::new();
    let address = listener.local_addr();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(pass_on(stream, target));
                continue;
            }
            Some(_) = connections.join_next() => continue,
            _ = closings.wait_for(|n| *n > 0) => {}
        }
        // The port stays ours while nobody listens on it.
        let Ok(kept) = address
            .as_ref()
            .map_err(|_| ())
            .and_then(|at| bind(*at).map_err(|_| ()))
        else {
            return;
        };
        drop(listener);
        opened.send_replace(false);
        if closings.wait_for(|n| *n == 0).await.is_err() {
            return;
        }
        let Ok(again) = kept.listen(BACKLOG) else {
            return;
        };
        listener = again;
        opened.send_replace(true);
    }
}

/// A second socket may take the port while the first still has it.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn pass_on(mut stream: TcpStream, target: SocketAddr) {
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    // Without it the conversation is only slower.
    let _ = stream.set_nodelay(true);
    let _ = server.set_nodelay(true);
    // Both ends are closed with it, however it ends.
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_closed_port_refuses_and_its_open_connections_go_on() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let front = Front::reserve().unwrap();
        assert!(TcpStream::connect(front.address()).await.is_err());
        let front = front.lead_to(server.local_addr().unwrap()).unwrap();
        let mut early = TcpStream::connect(front.address()).await.unwrap();
        let (mut behind, _) = server.accept().await.unwrap();
        let closing = front.close().await;
        let refused = TcpStream::connect(front.address()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        early.write_all(b"x").await.unwrap();
        assert_eq!(behind.read_u8().await.unwrap(), b'x');
        drop(closing);
        let opened = async || TcpStream::connect(front.address()).await.ok();
        crate::wait::wait_for(
            "the port to be open again",
            opened,
            std::time::Duration::from_secs(5),
        )
        .await
        .unwrap();
    }
}
