//! The memory that lists take while they come: so much in all, and of one account no more than the largest list. Bodies of
//! fields need none of it: each is small, and there are no more of them than connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::id::AccountId;
use protocol::problem::{Code, Problem};
use protocol::request::campaign::LEADS_AT_MOST_BYTES;

use super::ServeError;

/// Two of the largest lists.
const IN_ALL_BYTES: u64 = 2 * LEADS_AT_MOST_BYTES;
/// After which time a list is sent again for which there was no room.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What is taken now.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    in_all: u64,
    /// `None` is the operator.
    by_account: BTreeMap<Option<AccountId>, u64>,
}

/// What one list takes; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    of: Budget,
    account: Option<AccountId>,
    n_bytes: u64,
}

impl Budget {
    /// A share of nothing yet.
    pub(super) fn share(&self, account: Option<AccountId>) -> Share {
        Share {
            of: self.clone(),
            account,
            n_bytes: 0,
        }
    }
}

impl Share {
    /// Takes so much altogether, if there is room for it.
    pub(super) fn cover(&mut self, n_bytes: u64) -> Result<(), ServeError> {
        let more = n_bytes.saturating_sub(self.n_bytes);
        let mut taken = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = &mut *taken;
        let his = taken.by_account.entry(self.account.clone()).or_default();
        if *his + more > LEADS_AT_MOST_BYTES || taken.in_all + more > IN_ALL_BYTES {
            let whose = if *his + more > LEADS_AT_MOST_BYTES {
                "of this account"
            } else {
                "of others"
            };
            let detail = format!(
                "lists {whose} are on their way and take the room that there is for lists: nothing of this one was taken, \
                 send it again in {} seconds",
                AGAIN_AFTER.as_secs()
            );
            return Err(ServeError::later(
                Problem::new(Code::Unavailable, detail),
                AGAIN_AFTER,
            ));
        }
        *his += more;
        taken.in_all += more;
        self.n_bytes += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all = taken.in_all.saturating_sub(self.n_bytes);
        if let Some(his) = taken.by_account.get_mut(&self.account) {
            *his = his.saturating_sub(self.n_bytes);
            if *his == 0 {
                taken.by_account.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_take_so_much_in_all_and_of_one_account_and_give_it_back() {
        let (budget, mib) = (Budget::default(), 1024 * 1024);
        let of = |id: &str| budget.share(Some(AccountId::new(id)));
        let (mut first, mut second) = (of("acc_1"), of("acc_1"));
        first.cover(31 * mib).unwrap();
        first.cover(31 * mib).unwrap();
        second.cover(mib).unwrap();
        assert!(second.cover(mib + 1).is_err(), "32 MiB of an account");
        let mut third = of("acc_2");
        third.cover(32 * mib).unwrap();
        let mut operator = budget.share(None);
        let ServeError::Later { problem, after } = operator.cover(1).unwrap_err() else {
            panic!("told to come again")
        };
        assert_eq!((problem.status, after.as_secs()), (503, 30));
        drop(first);
        operator.cover(31 * mib).unwrap();
        assert!(operator.cover(31 * mib + 1).is_err(), "64 MiB in all");
        drop((second, third, operator));
        let taken = budget.0.lock().unwrap();
        assert_eq!((taken.in_all, taken.by_account.len()), (0, 0));
    }
}
