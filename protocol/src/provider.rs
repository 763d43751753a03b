//! Mail providers as data: only what cannot be discovered. Each provider is a file and a line here;
//! nothing outside a provider's file asks which provider it is.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::budget::Usual;

macro_rules! providers {
    ($($file:ident,)*) => {
        $(mod $file;)*

        /// Every provider the relay knows.
        pub static PROVIDERS: &[&Provider] = &[$(&$file::PROVIDER,)*];
    };
}

// One line for each provider; the file's name is its name in the configuration.
providers! {
    google,
    imap,
    microsoft,
    openid,
    sandbox,
}

/// The short name of a provider, as it stands in the configuration and in rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ProviderId(String);

impl ProviderId {
    /// The id with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of a provider beforehand.
#[derive(Debug)]
pub struct Provider {
    /// The name in the configuration, lower case.
    pub id: &'static str,
    /// The name a person knows.
    pub name: &'static str,
    /// The origin of its webmail, where the extension may be shown; `None` where it is the issuer's own.
    pub webmail: Option<&'static str>,
    /// How its OAuth sign-in is done; `None` where only passwords are taken.
    pub oauth: Option<OAuth>,
    /// Its page where a person makes an app password; `None` where there is none, or it is not known.
    pub app_passwords: Option<&'static str>,
    /// What its submission server does with a message it has accepted.
    pub submission: Submission,
    /// How fast its inboxes send where nobody asked for anything else.
    pub usual: Usual,
}

impl Provider {
    /// The provider of that name.
    pub fn find(id: &ProviderId) -> Option<&'static Self> {
        PROVIDERS
            .iter()
            .copied()
            .find(|provider| provider.id == id.as_str())
    }
}

/// How a provider's OAuth sign-in is done. Endpoints are discovered from the issuer.
#[derive(Debug)]
pub struct OAuth {
    /// Scopes to ask for, in this order.
    pub scopes: &'static [&'static str],
    /// Those of them without which an inbox cannot work. Some providers do not repeat the rest.
    pub needed_scopes: &'static [&'static str],
    /// Whether revoking a token (RFC 7009 §2.1) ends only the grant that it came with. Where it may end other
    /// grants of the same person too, what a refused reconnect obtained is deleted and not revoked.
    pub revokes_alone: bool,
    /// Its token endpoint refuses web pages, and the extension is one to it: the relay exchanges the code even
    /// where the client has no secret.
    pub refuses_web_pages: bool,
    /// What a person who is signed in there already is asked, in one sentence, said before the click. `{host}` stands
    /// for the issuer's.
    pub expects: &'static str,
    /// The same where the operator's registration is not verified by the provider; `None` where it makes no
    /// difference.
    pub expects_unverified: Option<&'static str>,
    /// Where it tells who signed in.
    pub identity: IdentitySource,
    /// Below the issuer, the page where an administrator allows the client for everybody; `None` where there is
    /// none.
    pub admin_consent: Option<&'static str>,
    /// The origins where it signs people in and exchanges codes, by its own documents; empty where the issuer of the
    /// operator's configuration decides.
    pub origins: &'static [&'static str],
    /// How each of its client ids ends; empty where that is not known.
    pub client_ids_end: &'static str,
    /// Where Firefox lets the answer go.
    pub firefox_redirect: FirefoxRedirect,
    /// The visits to make at the authorization endpoint, first to last, until one succeeds.
    pub visits: &'static [VisitPlan],
}

/// Where a provider tells who signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// The userinfo endpoint (OpenID Connect Core §5.3): `sub`, `email`, `email_verified`.
    UserInfo,
    /// The ID token of the token endpoint's answer: `tid` and `oid` name the person, `preferred_username` is
    /// shown. It vouches for no address ("ID token claims reference", Microsoft's documents: `email` and
    /// `preferred_username` may change and must not decide).
    IdToken,
}

/// Which of the two addresses that Firefox allows `identity.launchWebAuthFlow` a provider takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirefoxRedirect {
    /// `https://<hash>.extensions.allizom.org/…`, as `identity.getRedirectURL` gives it.
    Allizom,
    /// `http://127.0.0.1/mozoauth2/<hash>`, for providers that want the owner of a domain to prove it (MDN,
    /// `identity.getRedirectURL`).
    Loopback,
}

/// One visit at the authorization endpoint.
#[derive(Debug)]
pub struct VisitPlan {
    /// Whether the person sees it. A silent one fails instead of asking.
    pub interactive: bool,
    /// Parameters beyond those of RFC 6749 §4.1.1 and RFC 7636 §4.3.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// What a submission server does with a message it has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Who puts the copy into the sent folder.
    pub sent_copy: SentCopy,
    /// Whether a well-formed `Message-ID` stays as it was written. Where not, what became of it is read from the
    /// reply, or else from the sent copy.
    pub keeps_ids: bool,
    /// How long the server itself may go on with a message after the connection ended.
    /// RFC 5321 §4.5.3.2.6 gives a client 10 minutes of patience at this point.
    pub settles_within: Duration,
}

/// RFC 5321 §4.5.3.2.6: the time a client waits for the reply to the final dot.
pub const DATA_TERMINATION: Duration = Duration::from_mins(10);

/// Who puts the copy of a sent message into the sent folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentCopy {
    /// The server, at the latest this long after it accepted the message.
    Server {
        /// How long.
        within: Duration,
    },
    /// Nobody but the client, or it is not known: a missing copy proves nothing.
    Client,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_found_by_its_own_name_and_no_other() {
        for provider in PROVIDERS {
            let found = Provider::find(&ProviderId::new(provider.id)).map(|found| found.name);
            assert_eq!(found, Some(provider.name));
        }
    }

    #[test]
    fn every_real_provider_begins_with_a_distance_and_a_cap() {
        for provider in PROVIDERS {
            let Usual {
                budget,
                least_distance,
            } = provider.usual;
            assert!(budget.distance >= least_distance, "{}", provider.id);
            // The sandbox is nobody's account.
            if provider.id != "sandbox" {
                assert!(budget.distance >= Duration::from_mins(1), "{}", provider.id);
                assert!(
                    budget.daily_cap.is_some_and(|cap| (1..=100).contains(&cap)),
                    "{}",
                    provider.id
                );
            }
        }
    }

    #[test]
    fn what_is_needed_is_asked_for_and_somebody_is_asked() {
        for provider in PROVIDERS {
            let Some(oauth) = &provider.oauth else {
                continue;
            };
            for scope in oauth.needed_scopes {
                assert!(oauth.scopes.contains(scope), "{}: {scope}", provider.id);
            }
            let last = oauth.visits.last().map(|visit| visit.interactive);
            assert_eq!(
                last,
                Some(true),
                "{}: the last visit asks the person",
                provider.id
            );
        }
    }
}
