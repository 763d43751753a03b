//! Randomness: what the seed decides (faults), and what nobody may foresee (tokens).

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::{StdRng, SysError, SysRng};
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use crate::locked;

/// The two sources of randomness.
#[derive(Debug)]
pub(crate) struct Chance {
    seeded: Mutex<StdRng>,
    unforeseen: Mutex<StdRng>,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Result<Self, SysError> {
        Ok(Self {
            seeded: Mutex::new(StdRng::seed_from_u64(seed)),
            unforeseen: Mutex::new(StdRng::try_from_rng(&mut SysRng)?),
        })
    }

    /// True with this probability, as the seed decides; below 0 is never, above 1 always.
    pub(crate) fn happens(&self, probability: f64) -> bool {
        locked(&self.seeded).random_bool(probability.clamp(0.0, 1.0))
    }

    /// A share in 0..1, as the seed decides.
    pub(crate) fn share(&self) -> f64 {
        locked(&self.seeded).random()
    }

    /// Bytes that nobody can foresee.
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        locked(&self.unforeseen).fill_bytes(bytes);
    }

    /// 256 bits that nobody can foresee, for codes, tokens and cookies.
    pub(crate) fn token(&self) -> String {
        let mut bytes = [0_u8; 32];
        self.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Sixteen letters that nobody can foresee: what providers give as an app password.
    pub(crate) fn app_password(&self) -> String {
        let mut letters = locked(&self.unforeseen);
        (0..16)
            .map(|_| char::from(letters.random_range(b'a'..=b'z')))
            .collect()
    }

    /// A short id for queues and message ids; unique, not secret.
    pub(crate) fn short_id(&self) -> String {
        format!("{:016X}", locked(&self.unforeseen).next_u64())
    }
}
