//! What the relay listens on: sockets that were held for it, each where the configuration says, else its own.
//!
//! Whoever holds them may open ports that the relay's user may not, so that the relay needs no capability for them.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener as Held};

use tokio::net::TcpListener;

use super::StartError;

/// The sockets that were held and are not taken yet, and where each listens.
pub(super) struct Sockets(Vec<(SocketAddr, Held)>);

impl Sockets {
    pub(super) fn new(held: Vec<(SocketAddr, Held)>) -> Self {
        Self(held)
    }

    /// The socket of the API. Where any is held, so must this one be: what else follows from the address (who may
    /// reach it, which names are ours) was judged by the configuration.
    pub(super) async fn listen(&mut self, address: SocketAddr) -> Result<TcpListener, StartError> {
        if self.0.is_empty() {
            return bind("listen", address).await;
        }
        match self.take(address) {
            Some(held) => adopt("listen", address, held),
            None => Err(StartError::OtherSockets {
                found: self.addresses(),
                wanted: address,
            }),
        }
    }

    /// The socket of those who come without TLS.
    pub(super) async fn redirect(
        &mut self,
        address: SocketAddr,
    ) -> Result<TcpListener, StartError> {
        match self.take(address) {
            Some(held) => adopt("http_listen", address, held),
            None => bind("http_listen", address).await,
        }
    }

    /// Refuses what is held and was not taken.
    pub(super) fn refuse_idle(self) -> Result<(), StartError> {
        match self.0.first() {
            Some((found, _)) => Err(StartError::IdleSocket { found: *found }),
            None => Ok(()),
        }
    }

    fn take(&mut self, address: SocketAddr) -> Option<Held> {
        let idx = self.0.iter().position(|(found, _)| *found == address)?;
        Some(self.0.swap_remove(idx).1)
    }

    fn addresses(&self) -> String {
        let addresses: Vec<String> = self.0.iter().map(|(found, _)| found.to_string()).collect();
        addresses.join(" and ")
    }
}

async fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| refusal(setting, address, source))
}

fn adopt(
    setting: &'static str,
    address: SocketAddr,
    held: Held,
) -> Result<TcpListener, StartError> {
    held.set_nonblocking(true)
        .and_then(|()| TcpListener::from_std(held))
        .map_err(|source| refusal(setting, address, source))
}

fn refusal(setting: &'static str, address: SocketAddr, source: io::Error) -> StartError {
    match source.kind() {
        ErrorKind::AddrInUse => StartError::PortInUse { setting, address },
        ErrorKind::PermissionDenied => StartError::Forbidden { setting, address },
        _ => StartError::Listen {
            setting,
            address,
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(n: usize) -> Vec<(SocketAddr, Held)> {
        let sockets = (0..n).map(|_| Held::bind("127.0.0.1:0").unwrap());
        sockets
            .map(|socket| (socket.local_addr().unwrap(), socket))
            .collect()
    }

    #[tokio::test]
    async fn each_held_socket_is_taken_for_what_the_configuration_says_of_its_address() {
        let held = held(2);
        let (first, second) = (held[0].0, held[1].0);
        let mut sockets = Sockets::new(held);
        // In another order than they were handed over.
        let api = sockets.listen(second).await.unwrap();
        let plain = sockets.redirect(first).await.unwrap();
        sockets.refuse_idle().unwrap();
        for (taken, wanted) in [(api, second), (plain, first)] {
            let (came, _) = tokio::join!(tokio::net::TcpStream::connect(wanted), taken.accept());
            assert_eq!(came.unwrap().peer_addr().unwrap(), wanted);
        }
    }

    #[tokio::test]
    async fn what_is_held_for_another_address_is_refused_and_told() {
        let two = held(2);
        let (first, second) = (two[0].0, two[1].0);
        let elsewhere = "127.0.0.1:7411".parse().unwrap();
        let refused = Sockets::new(two).listen(elsewhere).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "systemd holds {first} and {second} for the relay, and `listen` says 127.0.0.1:7411: write one address \
                 into both, ListenStream= in unpause.socket and `listen` in the configuration"
            )
        );
        let two = held(2);
        let (first, second) = (two[0].0, two[1].0);
        let mut sockets = Sockets::new(two);
        sockets.listen(first).await.unwrap();
        let idle = sockets.refuse_idle().unwrap_err().to_string();
        assert!(
            idle.starts_with(&format!("systemd holds {second} for the relay")),
            "{idle}"
        );
    }

    #[tokio::test]
    async fn where_nothing_is_held_the_relay_listens_itself() {
        let mut sockets = Sockets::new(Vec::new());
        let own = sockets
            .listen("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let taken = own.local_addr().unwrap();
        let refused = sockets.redirect(taken).await.unwrap_err().to_string();
        assert!(
            refused.ends_with("set `http_listen` to another port"),
            "{refused}"
        );
        sockets.refuse_idle().unwrap();
    }

    #[test]
    fn who_may_not_open_a_port_is_told_who_may() {
        let address = "0.0.0.0:443".parse().unwrap();
        let refused = refusal("listen", address, ErrorKind::PermissionDenied.into());
        assert_eq!(
            refused.to_string(),
            "this user may not listen on 0.0.0.0:443 (listen): let systemd hold the port, by ListenStream=0.0.0.0:443 in \
             unpause.socket, or give the relay the capability CAP_NET_BIND_SERVICE"
        );
    }
}
