//! What is registered at a provider, as data: what is asked, in which form it comes, and what the configuration
//! then says. One file and one line for each provider. How its sign-in is done stands in `protocol`.

use std::fmt;

use protocol::inbox::TlsMode;

macro_rules! forms {
    ($($file:ident,)*) => {
        $(mod $file;)*

        /// Every provider that can be set up.
        pub(super) static FORMS: &[&Form] = &[$(&$file::FORM,)*];
    };
}

// One line for each; the file's name is the provider's id.
forms! {
    google,
    microsoft,
}

/// What a registration at one provider consists of.
#[derive(Debug)]
pub(super) struct Form {
    /// The provider's id.
    pub(super) id: &'static str,
    /// The page that goes through the registration, in the project's folder.
    pub(super) guide: &'static str,
    /// The issuer; `{tenant}` stands for the tenant.
    pub(super) issuer: &'static str,
    /// The tenant, where clients belong to one.
    pub(super) tenant: Option<Field>,
    /// The client id.
    pub(super) client_id: Field,
    /// The client's secret.
    pub(super) client_secret: Field,
    /// Where its inboxes send.
    pub(super) smtp: Server,
    /// Where its inboxes read.
    pub(super) imap: Server,
    /// What to mind with the relay's own redirect address.
    pub(super) own_address: Option<&'static str>,
    /// What does not work there yet.
    pub(super) missing: Option<&'static str>,
}

impl Form {
    /// The form of the provider with that id.
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        FORMS.iter().copied().find(|form| form.id == id)
    }

    /// The issuer of a registration.
    pub(super) fn issuer(&self, tenant: Option<&str>) -> String {
        self.issuer.replace("{tenant}", tenant.unwrap_or_default())
    }
}

/// Something that the person copies from the provider's console.
#[derive(Debug)]
pub(super) struct Field {
    /// What it is called there.
    pub(super) name: &'static str,
    /// Whether a text can be it.
    pub(super) check: fn(&str) -> Result<(), Expected>,
}

/// What was expected in place of a text that cannot be right. It never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Expected(pub(super) &'static str);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A mail server of the provider.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) host: &'static str,
    pub(super) port: u16,
    pub(super) tls: TlsMode,
}

/// Whether it is printable ASCII without a space, as ids and secrets are (RFC 6749 Appendix A).
fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use protocol::provider::{Provider, ProviderId};
    use url::Url;

    use super::*;

    #[test]
    fn every_form_is_of_a_provider_and_gives_an_issuer() {
        for form in FORMS {
            assert!(
                Provider::find(&ProviderId::new(form.id)).is_some(),
                "{}",
                form.id
            );
            let issuer = form.issuer(Some("tenant"));
            assert_eq!(Url::parse(&issuer).unwrap().scheme(), "https", "{issuer}");
            assert_eq!(form.tenant.is_some(), form.issuer.contains("{tenant}"));
        }
    }
}
