//! Who is signed in in which browser, and the sign-ins under way there.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::chance::Chance;
use crate::locked;

const COOKIE: &str = "sandbox_browser";

/// A sign-in under way. Its id is the hidden field of every form: it cannot be guessed and is
/// good only in the browser that began it, so no other page can post the form.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) purpose: Purpose,
    /// Chosen, not yet proved.
    pub(crate) address: Option<String>,
    /// Proved by the password, in this transaction or before.
    pub(crate) signed_in: Option<String>,
    /// The person has gone past the warning of an unverified app.
    pub(crate) is_warned: bool,
}

/// What the sign-in is for.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    /// A client asks for a permission.
    Authorization(AuthorizationRequest),
    /// The person wants to read mail here.
    Webmail,
}

/// A checked authorization request (RFC 6749 §4.1.1).
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: &'static str,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) challenge: String,
    pub(crate) scopes: Vec<String>,
    /// The client asked that consent be asked again.
    pub(crate) ask_consent: bool,
    /// The client wants a refresh token, as far as its parameters say.
    pub(crate) ask_offline: bool,
    /// What the client wants to find in the ID token.
    pub(crate) nonce: Option<String>,
}

/// All browsers by their cookie.
#[derive(Debug, Default)]
pub(crate) struct Browsers(Mutex<HashMap<String, Browser>>);

#[derive(Debug, Default)]
struct Browser {
    signed_in: Vec<String>,
    transactions: HashMap<String, Transaction>,
}

impl Browsers {
    /// Who is signed in in the browser of this cookie, the last one first.
    pub(crate) fn signed_in(&self, cookie: &str) -> Vec<String> {
        locked(&self.0)
            .get(cookie)
            .map(|browser| browser.signed_in.clone())
            .unwrap_or_default()
    }

    pub(crate) fn sign_in(&self, cookie: &str, address: &str) {
        let mut browsers = locked(&self.0);
        let browser = browsers.entry(cookie.to_owned()).or_default();
        browser.signed_in.retain(|other| other != address);
        browser.signed_in.insert(0, address.to_owned());
    }

    pub(crate) fn sign_out(&self, cookie: &str) {
        locked(&self.0).remove(cookie);
    }

    pub(crate) fn begin(&self, cookie: &str, transaction: Transaction, chance: &Chance) -> String {
        let id = chance.token();
        locked(&self.0)
            .entry(cookie.to_owned())
            .or_default()
            .transactions
            .insert(id.clone(), transaction);
        id
    }

    pub(crate) fn find(&self, cookie: &str, id: &str) -> Option<Transaction> {
        locked(&self.0).get(cookie)?.transactions.get(id).cloned()
    }

    pub(crate) fn update(&self, cookie: &str, id: &str, change: impl FnOnce(&mut Transaction)) {
        if let Some(transaction) = locked(&self.0)
            .get_mut(cookie)
            .and_then(|browser| browser.transactions.get_mut(id))
        {
            change(transaction);
        }
    }

    /// Takes the transaction, so that it ends exactly once.
    pub(crate) fn end(&self, cookie: &str, id: &str) -> Option<Transaction> {
        locked(&self.0).get_mut(cookie)?.transactions.remove(id)
    }
}

/// The browser's cookie, if it has one.
pub(crate) fn find_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value.to_owned())
}

/// The header that gives the browser its cookie. `Lax`: sent with top-level navigation only.
pub(crate) fn set_cookie(value: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax")).ok()
}
