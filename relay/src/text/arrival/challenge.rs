//! Challenges: a filter asks the sender to prove to be a person before the message is handed on. Nobody answered.
//! No field marks them, so the words have to say all of it: that our message is held, that something is to be
//! confirmed, and where.

use super::head::Head;
use super::{bounce, notice, wording};

/// Beginnings of the words for proving, in the subject or in the sender's name of a challenge.
const PROVING: &[&str] = &[
    "verif",
    "confirm",
    "challeng",
    "whitelist",
    "approv",
    "authoriz",
    "authoris",
    "captcha",
    "valida",
    "bestätig",
    "verifiz",
    "vérif",
    "conferm",
    "bevestig",
    "potwierd",
    "zatwierd",
    "bekräft",
    "bekræft",
    "bekreft",
    "vahvist",
    "potvr",
    "onayla",
    "подтверд",
    "підтверд",
    "επιβεβαί",
    "確認",
    "認証",
    "验证",
    "驗證",
    "确认",
    "확인",
    "인증",
];

/// Beginnings of the words for our message.
const MESSAGES: &[&str] = &[
    "message",
    "mail",
    "email",
    "nachricht",
    "mensaje",
    "correo",
    "messaggio",
    "mensagem",
    "bericht",
    "wiadomoś",
    "meddeland",
    "viesti",
    "zpráv",
    "ileti",
    "сообщени",
    "письм",
    "повідомлен",
    "μήνυμα",
    "メール",
    "メッセージ",
    "邮件",
    "郵件",
    "메일",
    "메시지",
];

/// Beginnings of the words for being held.
const HELD: &[&str] = &[
    "held",
    "hold",
    "wait",
    "until",
    "pending",
    "quarantin",
    "block",
    "deliver",
    "once",
    "before",
    "wartet",
    "zurückgehalten",
    "zugestellt",
    "zustell",
    "sobald",
    "attente",
    "retenu",
    "bloqu",
    "remis",
    "reteni",
    "espera",
    "entreg",
    "trattenut",
    "attesa",
    "consegn",
    "wacht",
    "tegengehouden",
    "bezorg",
    "wstrzyman",
    "oczekuj",
    "dostarcz",
    "väntar",
    "levere",
    "venter",
    "odota",
    "čeká",
    "bekli",
    "ожида",
    "задерж",
    "доставл",
    "очіку",
    "保留",
    "保留中",
    "届",
    "等待",
    "拦截",
    "보류",
    "대기",
];

/// Whether the head leaves it open that this is one.
pub(super) fn may_be(head: &Head<'_>) -> bool {
    let named = [
        head.subject().to_lowercase(),
        head.sender_name(),
        bounce::sender(head),
    ];
    named.iter().any(|text| has(text, PROVING))
}

/// Whether its words make it one.
pub(super) fn is_one(head: &Head<'_>, texts: &[String]) -> bool {
    if !may_be(head) {
        return false;
    }
    let (words, _) = notice::split(&texts.join("\n"), true);
    let words = words.to_lowercase();
    // A person who waits says so as *I*.
    let is_own = |sentence: &str| {
        sentence.split(|c: char| !c.is_alphanumeric()).any(|word| {
            ["i", "ich", "je", "ik", "jag", "jeg", "я", "yo", "io", "eu"].contains(&word)
        })
    };
    let sentences = || wording::sentences(&words).filter(|sentence| !is_own(sentence));
    (words.contains("https://") || words.contains("http://"))
        && sentences().any(|sentence| has(sentence, MESSAGES) && has(sentence, HELD))
        && sentences().any(|sentence| has(sentence, PROVING))
}

fn has(text: &str, beginnings: &[&str]) -> bool {
    let words = || text.split(|c: char| !c.is_alphanumeric());
    beginnings.iter().any(|beginning| {
        if beginning.chars().any(|c| c >= '\u{2e80}') {
            text.contains(beginning)
        } else {
            words().any(|word| word.starts_with(beginning))
        }
    })
}
