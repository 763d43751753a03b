//! The attempts that this process is at: whatever their leases say, nobody else is given them while it lives.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::id::DeliveryId;

use super::Store;

/// The deliveries that are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Holds(Arc<Mutex<HashSet<DeliveryId>>>);

/// One of them; it ends when this is dropped.
#[derive(Debug)]
pub struct Hold {
    holds: Holds,
    id: DeliveryId,
}

impl Holds {
    /// Whether this process is at this delivery.
    pub(super) fn contains(&self, id: &DeliveryId) -> bool {
        self.with(|ids| ids.contains(id))
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashSet<DeliveryId>) -> T) -> T {
        // A set is whole between two calls, whoever panicked.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holds.with(|ids| ids.remove(&self.id));
    }
}

impl Store {
    /// This process is at this delivery until what is answered is dropped.
    pub fn hold(&self, id: &DeliveryId) -> Hold {
        self.holds.with(|ids| ids.insert(id.clone()));
        Hold {
            holds: self.holds.clone(),
            id: id.clone(),
        }
    }
}
