//! A client at Microsoft: an app registration of one tenant, platform "Web".

use protocol::inbox::TlsMode;

use super::{Expected, Field, Form, Server, is_visible};

/// Lengths of the groups of a GUID, as Microsoft's pages show it.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

pub(super) static FORM: Form = Form {
    id: "microsoft",
    guide: "docs/providers/microsoft.md",
    // Its metadata names this issuer for a tenant's GUID alone: that of `common` has a placeholder in it, that of a
    // domain the GUID.
    issuer: "https://login.microsoftonline.com/{tenant}/v2.0",
    tenant: Some(Field {
        name: "Directory (tenant) ID",
        check: check_tenant,
    }),
    client_id: Field {
        name: "Application (client) ID",
        check: check_client_id,
    },
    client_secret: Field {
        name: "Client secret value",
        check: check_client_secret,
    },
    // "POP, IMAP, and SMTP settings for Outlook.com" and "Authenticate an IMAP, POP or SMTP connection using OAuth".
    smtp: Server {
        host: "smtp.office365.com",
        port: 587,
        tls: TlsMode::StartTls,
    },
    imap: Server {
        host: "outlook.office365.com",
        port: 993,
        tls: TlsMode::Implicit,
    },
    // "Redirect URI (reply URL) restrictions and limitations", section "Prefer 127.0.0.1 over localhost".
    own_address: Some(
        "Microsoft's form does not take the last one, because it is http: add it in the manifest, as the guide shows.",
    ),
    missing: Some(
        "Microsoft vouches for no address: at the first connection of an inbox you confirm which account signed in. SMTP AUTH must be on for its mailbox, also with this sign-in. Password sign-ins to SMTP go off by default at the end of December 2026 in tenants that are there already; an administrator may switch them on again.",
    ),
};

fn check_tenant(text: &str) -> Result<(), Expected> {
    if is_guid(text) {
        return Ok(());
    }
    Err(Expected(
        "the Directory (tenant) ID, a GUID as in aaaabbbb-0000-cccc-1111-dddd2222eeee; a domain name or \"common\" will not do",
    ))
}

fn check_client_id(text: &str) -> Result<(), Expected> {
    if is_guid(text) {
        return Ok(());
    }
    Err(Expected(
        "the Application (client) ID, a GUID as in 11112222-bbbb-3333-cccc-4444dddd5555",
    ))
}

fn check_client_secret(text: &str) -> Result<(), Expected> {
    if is_guid(text) {
        return Err(Expected(
            "the secret's Value, which is shown once; this looks like its Secret ID or the client id",
        ));
    }
    if is_visible(text) {
        return Ok(());
    }
    Err(Expected("the secret's Value without spaces"))
}

fn is_guid(text: &str) -> bool {
    text.split('-').map(str::len).eq(GROUPS)
        && text
            .chars()
            .all(|letter| letter == '-' || letter.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_guids_and_the_secret_is_none() {
        for (text, is_id, is_secret) in [
            ("aaaabbbb-0000-cccc-1111-dddd2222eeee", true, false),
            ("AAAABBBB-0000-CCCC-1111-DDDD2222EEEE", true, false),
            ("aaaabbbb0000cccc1111dddd2222eeee", false, true),
            ("aaaabbbb-0000-cccc-1111-dddd2222eeeg", false, true),
            ("-aaaabbbb-0000-cccc-1111dddd2222eeee", false, true),
            ("abc8Q~x.y_z", false, true),
            ("common", false, true),
            ("two words", false, false),
            ("", false, false),
        ] {
            assert_eq!(check_tenant(text).is_ok(), is_id, "{text:?}");
            assert_eq!(check_client_id(text).is_ok(), is_id, "{text:?}");
            assert_eq!(check_client_secret(text).is_ok(), is_secret, "{text:?}");
        }
    }
}
