//! Hashing the passwords of accounts, and comparing with what was kept. Which passwords are taken is
//! [`protocol::account`]'s; who may try how often is `http::slowing`'s.

use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use protocol::secret::Secret;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::random_bytes;

/// OWASP, "Password Storage Cheat Sheet": 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// RFC 9106 §3.1: 16 bytes for passwords.
const SALT_BYTES: usize = 16;
/// How many are made at once: 38 MiB, and a machine of two cores still does something else between two passes.
const AT_ONCE: usize = 2;

/// What a password is compared with where there is none, so that it takes as long.
static NOBODYS: LazyLock<Option<String>> =
    LazyLock::new(|| hash_now(&Secret::new("of no account"), &[7; SALT_BYTES]).ok());

/// Hashes passwords, a few at a time and off the threads that serve.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Argon2 failed; without memory, as a rule.
    #[error("a password could not be hashed: {words}")]
    Hash {
        /// Its words, which know nothing of the password.
        words: String,
    },
    /// The thread that did it is gone.
    #[error("hashing a password was broken off")]
    Broken(#[from] tokio::task::JoinError),
}

impl Passwords {
    /// What is kept of a password: a PHC string (`$argon2id$v=19$…`) with a salt of its own.
    pub async fn hash(&self, password: &Secret) -> Result<String, PasswordError> {
        let password = password.clone();
        self.run(move || hash_now(&password, &random_bytes::<SALT_BYTES>()))
            .await?
    }

    /// Whether it is the password of which this was kept. Where nothing was, it takes as long, and it is not.
    pub async fn is_right(
        &self,
        password: &Secret,
        kept: Option<&str>,
    ) -> Result<bool, PasswordError> {
        let (password, is_known) = (password.clone(), kept.is_some());
        let kept = kept.map(str::to_owned);
        let fits = self
            .run(move || kept_or_nobodys(kept.as_deref()).is_some_and(|kept| fits(&password, kept)))
            .await?;
        Ok(fits && is_known)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        // Nobody closes it.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            // With the work and not with who asked: one who goes away makes no room for another beside it.
            drop(turn);
            done
        });
        Ok(done.await?)
    }
}

fn hash_now(password: &Secret, salt: &[u8]) -> Result<String, PasswordError> {
    let failed = |error: &dyn std::fmt::Display| PasswordError::Hash {
        words: error.to_string(),
    };
    let parameters =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| failed(&error))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    let hashed = argon2
        .hash_password_with_salt(normalize(password).as_bytes(), salt)
        .map_err(|error| failed(&error))?;
    Ok(hashed.to_string())
}

/// What a password is compared with: what was kept, or else a hash that costs the same.
fn kept_or_nobodys(kept: Option<&str>) -> Option<&str> {
    kept.or(NOBODYS.as_deref())
}

fn fits(password: &Secret, kept: &str) -> bool {
    let normal = normalize(password);
    PasswordHash::new(kept).is_ok_and(|kept| {
        Argon2::default()
            .verify_password(normal.as_bytes(), &kept)
            .is_ok()
    })
}

/// NFKC, as NIST SP 800-63B-4 §3.1.1.2 asks for.
fn normalize(password: &Secret) -> Zeroizing<String> {
    // In one piece, so that no smaller copy is left behind when it grows: a letter becomes 18 at the most.
    let mut normal = Zeroizing::new(String::with_capacity(password.expose().len() * 18));
    normal.extend(password.expose().nfkc());
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_what_was_kept_of_it_whatever_keyboard_typed_it() {
        let passwords = Passwords::default();
        // U+00E9, and U+0065 with U+0301.
        let kept = passwords
            .hash(&Secret::new("caf\u{e9} au lait, please"))
            .await
            .unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        let again = passwords
            .hash(&Secret::new("caf\u{e9} au lait, please"))
            .await
            .unwrap();
        assert_ne!(kept, again, "each has a salt of its own");
        for (typed, expected) in [
            ("caf\u{e9} au lait, please", true),
            ("cafe\u{301} au lait, please", true),
            ("cafe au lait, please", false),
            ("", false),
        ] {
            let is_right = passwords.is_right(&Secret::new(typed), Some(&kept)).await;
            assert_eq!(is_right.unwrap(), expected, "{typed}");
        }
        let damaged = passwords
            .is_right(&Secret::new("x"), Some("$argon2id$"))
            .await;
        assert!(!damaged.unwrap());
    }

    #[tokio::test]
    async fn whether_there_is_a_password_shows_in_no_time() {
        let passwords = Passwords::default();
        let typed = Secret::new("of no account");
        assert!(
            !passwords.is_right(&typed, None).await.unwrap(),
            "nobody's is nobody's"
        );
        let kept = passwords
            .hash(&Secret::new("tall ships sail at noon"))
            .await
            .unwrap();
        // `$argon2id$v=19$m=…,t=…,p=…$salt$hash`: what it costs stands before the salt.
        let cost = |phc: &str| phc.rsplitn(3, '$').last().map(str::to_owned);
        let compared = kept_or_nobodys(None).expect("a hash to compare with");
        assert_eq!(cost(compared), cost(&kept));
        assert!(fits(&typed, compared), "it is worked out to its end");
        assert_eq!(kept_or_nobodys(Some(&kept)), Some(kept.as_str()));
    }
}
