//! How inboxes are kept from doing the same thing at the same instant: each one's delays are a little longer or shorter
//! in a way of its own. Nothing is drawn: the same inbox at the same count gets the same, also after a restart, so that
//! what is computed twice comes out once.

use std::time::Duration;

use protocol::id::InboxId;

/// By how much a delay may be longer or shorter.
pub const JITTER: f64 = 0.2;

/// Something from 0 up to 1 that belongs to an inbox, a purpose and a count (FNV-1a, then the finalizer of `MurmurHash3`,
/// without which counts that differ in one digit lie close together).
pub fn share(inbox: &InboxId, purpose: &str, count: u64) -> f64 {
    let bytes = inbox
        .as_str()
        .bytes()
        .chain(purpose.bytes())
        .chain(count.to_le_bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    let high = u32::try_from(hash >> 32).unwrap_or(u32::MAX);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

/// A delay, up to a fifth longer or shorter.
pub fn jittered(delay: Duration, inbox: &InboxId, purpose: &str, count: u64) -> Duration {
    delay.mul_f64(1.0 - JITTER + 2.0 * JITTER * share(inbox, purpose, count))
}

/// How long after the relay's start an inbox is first looked at: a few at once, many spread over 20 ms each and ten
/// seconds in all, so that a restart is no burst of sign-ins.
pub fn start_after(inbox: &InboxId, n_inboxes: usize) -> Duration {
    const AT_ONCE: usize = 10;
    const EACH: Duration = Duration::from_millis(20);
    const AT_MOST: Duration = Duration::from_secs(10);
    if n_inboxes <= AT_ONCE {
        return Duration::ZERO;
    }
    let n = u32::try_from(n_inboxes).unwrap_or(u32::MAX);
    EACH.saturating_mul(n)
        .min(AT_MOST)
        .mul_f64(share(inbox, "start", 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_delay_is_at_most_a_fifth_longer_or_shorter_and_its_own_each_time() {
        let inbox = InboxId::new("inb_jane");
        let delays: Vec<_> = (0..1_000)
            .map(|count| jittered(MINUTE, &inbox, "poll", count))
            .collect();
        for delay in &delays {
            assert!(*delay >= Duration::from_secs(48), "{delay:?}");
            assert!(*delay <= Duration::from_secs(72), "{delay:?}");
        }
        let mean = delays.iter().sum::<Duration>() / 1_000;
        assert!(mean > Duration::from_secs(59), "{mean:?}");
        assert!(mean < Duration::from_secs(61), "{mean:?}");
        assert_eq!(delays[7], jittered(MINUTE, &inbox, "poll", 7));
        assert_ne!(delays[7], delays[8]);
        assert_ne!(delays[7], jittered(MINUTE, &inbox, "probe", 7));
    }

    #[test]
    fn a_few_inboxes_start_at_once_and_many_one_after_another() {
        for (n_inboxes, within, n_together) in [(10, 0, 10), (100, 2_000, 18), (1_000, 10_000, 140)]
        {
            let mut tenths = std::collections::BTreeMap::new();
            for n in 0..n_inboxes {
                let inbox = InboxId::new(format!("inb_{n:04}"));
                let after = start_after(&inbox, n_inboxes).as_millis();
                assert!(after <= within, "{after} ms of {n_inboxes}");
                // 100 share 20 slots of 100 ms, 1,000 share 10 of 1 s.
                let slot = if n_inboxes == 1_000 { 1_000 } else { 100 };
                *tenths.entry(after / slot).or_insert(0) += 1;
            }
            let most = tenths.values().max().copied().unwrap_or(0);
            assert!(most <= n_together, "{tenths:?}");
        }
    }

    #[test]
    fn a_hundred_inboxes_that_begin_together_do_not_go_on_together() {
        for count in [0, 1, 2, 500] {
            let mut seconds = [0; 25];
            for n in 0..100 {
                let inbox = InboxId::new(format!("inb_{n:03}"));
                let delay = jittered(MINUTE, &inbox, "poll", count);
                let second = usize::try_from(delay.as_secs() - 48).unwrap();
                seconds[second] += 1;
            }
            // 24 seconds for 100 of them: four in each, if they were dealt out.
            let most = seconds.iter().max().unwrap();
            assert!(*most <= 12, "{seconds:?}");
            let used = seconds.iter().filter(|n| **n > 0).count();
            assert!(used >= 18, "{seconds:?}");
        }
    }
}
