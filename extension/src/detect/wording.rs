//! How pages word a pause and a lost connection, and whether words name something. Pure. The words are stems, met
//! at the beginning of a word, in lower case; what a page says is never more than a hint, which the relay's own
//! knowledge must confirm.

/// Whether words say that sending is paused, or that a mail connection is lost, now and on this page: not that it
/// might be, was, or can be.
pub fn speaks_of_pause(words: &str) -> bool {
    let said = Said::new(words);
    if said.any(OTHER_REASON) || said.is_advice() {
        return false;
    }
    let is_lost = said.any(LOST) && (said.any(MAIL) || said.any(PAUSED));
    is_lost || said.any(PLAINLY)
}

/// Whether words name an address or a campaign: whole, in any case. A name of fewer than three letters is too
/// common to mean anything.
pub fn names(words: &str, name: &str) -> bool {
    let (words, name) = (words.to_lowercase(), name.trim().to_lowercase());
    if name.chars().count() < 3 {
        return false;
    }
    let continues = |c: char| c.is_alphanumeric() || matches!(c, '@' | '_' | '-' | '+');
    words.match_indices(&name).any(|(at, _)| {
        let before = words.get(..at).and_then(|text| text.chars().next_back());
        let mut after = words.get(at + name.len()..).unwrap_or_default().chars();
        let ends = match after.next() {
            // A full stop ends a sentence, unless the domain goes on behind it.
            Some('.') => !after.next().is_some_and(char::is_alphanumeric),
            next => !next.is_some_and(continues),
        };
        ends && !before.is_some_and(|c| continues(c) || c == '.')
    })
}

/// The connection is lost. English, German, French, Spanish, Portuguese.
const LOST: &[&str] = &[
    "disconnect",
    "reconnect",
    "needs reconnect",
    "not connected",
    "cannot connect",
    "connection lost",
    "lost connection",
    "sync lost",
    "was lost",
    "lost its",
    "interrupted",
    "revoked",
    "expired",
    "reauth",
    "re-auth",
    "needs attention",
    "invalid_grant",
    "refresh token",
    "cannot authenticate",
    "rejected your credentials",
    "no longer valid",
    "no longer available",
    "authentication failed",
    "authentication required",
    "auth required",
    "missing required permissions",
    "additional permissions required",
    "connection status: failed",
    "sign in again",
    "connect it again",
    "email again",
    "not set with",
    "not enabled for",
    "not properly connected",
    "getrennt",
    "nicht verbunden",
    "keine verbindung",
    "unterbrochen",
    "erneut verbinden",
    "neu verbinden",
    "abgelaufen",
    "widerrufen",
    "hat die anmeldung verweigert",
    "deconnect",
    "ne peut pas se connecter",
    "expire",
    "revoque",
    "refuse l'authentification",
    "desconect",
    "reconect",
    "no puede conectar",
    "nao pode conectar",
    "caduc",
    "expirad",
    "expirou",
    "revocad",
    "revogad",
    "negou a autenticacao",
];

/// It is about mail.
const MAIL: &[&str] = &[
    "inbox",
    "mailbox",
    "email",
    "e-mail",
    "mail",
    "gmail",
    "outlook",
    "google",
    "microsoft",
    "smtp",
    "imap",
    "sender",
    "sending",
    "account",
    "connection",
    "access",
    "token",
    "auth",
    "channel",
    "cannot authenticate",
    "konto",
    "postfach",
    "compte",
    "boite",
    "messagerie",
    "cuenta",
    "correo",
    "buzon",
    "bandeja",
    "conta",
    "caixa",
];

/// Something does not go on.
const PAUSED: &[&str] = &[
    "paus",
    "stopped",
    "on hold",
    "resume",
    "angehalten",
    "gestoppt",
    "arret",
    "suspend",
    "interromp",
    "deten",
];

/// Words that need no other beside them.
const PLAINLY: &[&str] = &[
    "campaign is paused",
    "campaign paused",
    "sending is paused",
    "sending paused",
    "campaigns are paused",
    "inbox disconnected",
    "kampagne pausiert",
    "kampagne ist pausiert",
    "campagne est en pause",
    "campana pausada",
    "campana en pausa",
    "campanha esta pausada",
];

/// It is about something else that pauses or comes apart.
const OTHER_REASON: &[&str] = &[
    // Another channel.
    "linkedin",
    "whatsapp",
    "facebook",
    "instagram",
    "tiktok",
    "youtube",
    "telegram",
    "slack",
    "shopify",
    "notion",
    "supabase",
    "crm",
    "pipedrive",
    "teams meeting",
    "calendar",
    "kalender",
    "calendrier",
    "calendario",
    "your drive",
    "x account",
    "calling",
    "wi-fi",
    "qr",
    "api key",
    "ads ",
    // No network.
    "offline",
    "hors ligne",
    "internet",
    // Money.
    "subscription is",
    "subscription period",
    "subscription inactive",
    "billing",
    "payment",
    "invoice",
    "wallet",
    "balance",
    "your plan",
    "upgrade",
    "license",
    "rechnung",
    "abonnement",
    "facture",
    "pago",
    "pagamento",
    // Limits, hours and reputation.
    "limit",
    "weekend",
    "holiday",
    "business hours",
    "window",
    "bounce hold",
    "bounced",
    "threshold",
    "monday",
    "tomorrow",
    "spam",
    "warmup paused",
    "server restarted",
    "send error",
    "suppressed",
    "kontingent",
    // Done by the person, or well.
    "successfully",
    "connected as",
    "is connected",
    "all set",
    "erfolgreich",
    "avec succes",
    "correctamente",
    "com sucesso",
];

/// Words that advise or ask instead of reporting.
const ADVICE: &[&str] = &[
    "how to",
    "troubleshoot",
    "reasons why",
    "are you sure",
    "will permanently",
    "to avoid",
    "we notify",
    "will pause",
];

/// The same, where words begin so.
const ADVICE_FIRST: &[&str] = &[
    "if ",
    "when ",
    "why ",
    "until you ",
    "wenn ",
    "si ",
    "quand ",
    "cuando ",
    "quando ",
    "ask me",
];

/// Words in lower case, without accents, with single spaces.
struct Said(String);

impl Said {
    fn new(words: &str) -> Self {
        let plain: String = words.to_lowercase().chars().map(without_accent).collect();
        Self(plain.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn any(&self, stems: &[&str]) -> bool {
        stems.iter().any(|stem| self.has(stem))
    }

    /// Whether a word, or several in a row, begin so.
    fn has(&self, stem: &str) -> bool {
        self.0.match_indices(stem).any(|(at, _)| {
            let before = self.0.get(..at).and_then(|text| text.chars().next_back());
            !before.is_some_and(char::is_alphanumeric)
        })
    }

    fn is_advice(&self) -> bool {
        self.any(ADVICE)
            || self.0.contains('?')
            || ADVICE_FIRST.iter().any(|stem| self.0.starts_with(stem))
    }
}

/// The letter below an accent; people and pages leave accents out.
fn without_accent(letter: char) -> char {
    match letter {
        '\u{2018}' | '\u{2019}' => '\'',
        'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_told_from_everything_else_that_pauses() {
        for (words, expected) in [
            (
                "Paused since 09:12. The connection to the provider was interrupted.",
                true,
            ),
            ("This inbox is disconnected. Reconnect it to resume.", true),
            ("Authentication failed: sign in to your mailbox again", true),
            ("Campaign paused", true),
            ("DISCONNECTED\n\nReconnect   your\tmailbox", true),
            ("Das Postfach ist getrennt. Jetzt neu verbinden.", true),
            ("Votre boîte a été déconnectée.", true),
            ("Su buzón está desconectado.", true),
            ("Paused: the daily limit of this inbox is reached.", false),
            (
                "Paused because your subscription is unpaid. Update billing to resume.",
                false,
            ),
            (
                "Your LinkedIn session expired. Reconnect your account.",
                false,
            ),
            (
                "You are offline. Sending resumes once you reconnect.",
                false,
            ),
            ("Disconnect this inbox? Its campaigns stop sending.", false),
            ("How to reconnect a mailbox", false),
            ("If your inbox is disconnected, reconnect it here.", false),
            ("The inbox was disconnected successfully.", false),
            ("Every lead has been written to.", false),
            ("", false),
        ] {
            assert_eq!(speaks_of_pause(words), expected, "{words}");
        }
    }

    #[test]
    fn a_name_counts_only_whole() {
        for (words, name, expected) in [
            (
                "jane@acme.example is disconnected.",
                "jane@acme.example",
                true,
            ),
            ("Reconnect Jane@ACME.example.", "jane@acme.example", true),
            ("(jane@acme.example)", "jane@acme.example", true),
            ("xjane@acme.example", "jane@acme.example", false),
            ("mary.jane@acme.example", "jane@acme.example", false),
            ("jane@acme.example.evil.example", "jane@acme.example", false),
            ("Autumn outreach: paused", "Autumn outreach", true),
            ("Autumn outreaches", "Autumn outreach", false),
            ("Q1 is paused", "Q1", false),
            ("anything", "", false),
        ] {
            assert_eq!(names(words, name), expected, "{words} / {name}");
        }
    }
}
