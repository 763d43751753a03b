//! The habits of an authorization server, as data.

/// What tells one authorization server from another.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a habit of its own, not a state"
)]
pub struct OAuth {
    /// What stands after the origin in the issuer; empty, or with a slash in front.
    pub issuer_path: &'static str,
    /// The scopes that may be asked for.
    pub scopes: &'static [Scope],
    /// When a refresh token is given.
    pub offline: Offline,
    /// What a refresh does to the refresh token.
    pub rotation: Rotation,
    /// The token endpoint wants a client secret although the client proves itself by PKCE.
    pub demands_secret_with_pkce: bool,
    /// The token endpoint refuses requests of web pages (with an `Origin`).
    pub refuses_origin: bool,
    /// `prompt=none` may succeed where the browser is signed in and consent was given before.
    pub silent_sign_in: bool,
    /// A changed password ends the grants that were given before it.
    pub password_change_ends_grants: bool,
    /// Whether the answer at the redirect address names the issuer (RFC 9207).
    pub issuer_in_answer: IssuerInAnswer,
    /// The consent page lets a person leave out a scope of mail.
    pub granular_consent: bool,
    /// A page of warning comes before the consent of a client that the provider has not verified.
    pub warns_of_unverified: bool,
    /// `prompt=consent` shows "Need admin approval" to everybody but administrators.
    pub consent_prompt_wants_admin: bool,
    /// What the revocation endpoint ends.
    pub revocation: Revocation,
    /// Who the `id_token` says it is.
    pub id_token: IdToken,
    /// The userinfo endpoint takes tokens that are good for mail.
    pub userinfo_takes_mail_tokens: bool,
    /// What its errors say.
    pub words: Words,
}

/// A scope.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Its name in requests.
    pub name: &'static str,
    /// What the consent page says.
    pub words: &'static str,
    /// SMTP takes a token with it.
    pub sends: bool,
    /// IMAP takes a token with it.
    pub reads: bool,
    /// Its name in the answer of the token endpoint; `None` where it is not repeated there.
    pub answered_as: Option<&'static str>,
}

/// What a token is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Over SMTP.
    Send,
    /// Over IMAP.
    Read,
}

/// When a refresh token is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offline {
    /// With this scope (OpenID Connect Core §11).
    WithScope(&'static str),
    /// With `access_type=offline`, and only where the consent page was shown.
    WithParameterAndConsent,
}

/// What a refresh does to the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It stays the same, and the answer does not repeat it.
    Kept,
    /// A new one is given; whoever uses the old one again ends the grant (RFC 9700 §4.14.2).
    ReuseEndsGrant,
    /// A new one is given, and the old ones stay good.
    OldStaysGood,
}

/// Whether the answer at the redirect address names the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerInAnswer {
    /// It does, and the metadata promises it (RFC 9207 §3).
    Promised,
    /// It does, and the metadata does not say so.
    NotPromised,
    /// It does not.
    Absent,
}

/// What the revocation endpoint ends (RFC 7009 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// There is none.
    None,
    /// The grant of the token.
    OneGrant,
    /// Every grant that the person gave this client.
    EveryGrantOfClient,
}

/// Who the `id_token` says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdToken {
    /// None is given.
    None,
    /// `sub`, and the address as a verified one.
    VerifiedAddress,
    /// `sub`, `oid`, the tenant, the sign-in name, and an address that nobody vouches for.
    OfTenant {
        /// The tenant's id.
        tenant: &'static str,
    },
}

/// An error of RFC 6749 §4.1.2.1 or §5.2.
#[derive(Debug, Clone, Copy)]
pub struct OAuthError {
    /// Its code.
    pub error: &'static str,
    /// `error_description`.
    pub description: &'static str,
    /// `error_subcode`, which is Microsoft's alone.
    pub subcode: Option<&'static str>,
}

impl OAuthError {
    pub(crate) const fn new(error: &'static str, description: &'static str) -> Self {
        Self {
            error,
            description,
            subcode: None,
        }
    }
}

/// What errors say.
#[derive(Debug)]
pub struct Words {
    /// `prompt=none`, and nobody is signed in.
    pub nobody_signed_in: OAuthError,
    /// `prompt=none`, and consent would have to be asked for.
    pub not_consented: OAuthError,
    /// The person said no on the consent page.
    pub declined: OAuthError,
    /// The person went back from "Need admin approval".
    pub not_approved: OAuthError,
    /// A client without a secret, where one is demanded.
    pub secret_missing: OAuthError,
    /// Another secret than the client's.
    pub secret_wrong: OAuthError,
    /// The client's secret, and it has expired.
    pub secret_expired: OAuthError,
    /// Why a refresh token is not good; `None` says it in the sandbox's own words.
    pub dead_refresh_token: Option<&'static str>,
    /// Why a code is not good; `None` as above.
    pub dead_code: Option<&'static str>,
}

impl OAuth {
    /// The scope of that name.
    pub fn scope(&self, name: &str) -> Option<&'static Scope> {
        self.scopes.iter().find(|scope| scope.name == name)
    }

    /// The name of the scope that this access needs.
    pub fn scope_for(&self, access: Access) -> &'static str {
        self.scopes
            .iter()
            .find(|scope| scope.allows(access))
            .map_or("", |scope| scope.name)
    }

    /// Whether these scopes allow this access.
    pub fn allows(&self, scopes: &[String], access: Access) -> bool {
        scopes
            .iter()
            .filter_map(|name| self.scope(name))
            .any(|scope| scope.allows(access))
    }

    /// The scopes as the token endpoint answers them.
    pub fn answered(&self, scopes: &[String]) -> Vec<&'static str> {
        scopes
            .iter()
            .filter_map(|name| self.scope(name)?.answered_as)
            .collect()
    }
}

impl Scope {
    /// For the identity alone.
    pub(super) const fn identity(name: &'static str, words: &'static str) -> Self {
        Self {
            name,
            words,
            sends: false,
            reads: false,
            answered_as: Some(name),
        }
    }

    pub(super) const fn sending(mut self) -> Self {
        self.sends = true;
        self
    }

    pub(super) const fn reading(mut self) -> Self {
        self.reads = true;
        self
    }

    pub(super) const fn answered_as(mut self, name: Option<&'static str>) -> Self {
        self.answered_as = name;
        self
    }

    /// Whether it is good for mail at all.
    pub fn is_mail(&self) -> bool {
        self.sends || self.reads
    }

    fn allows(&self, access: Access) -> bool {
        match access {
            Access::Send => self.sends,
            Access::Read => self.reads,
        }
    }
}
