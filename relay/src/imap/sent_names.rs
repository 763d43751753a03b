//! What mail programs and servers call the folder of sent messages, in the languages that they speak. Which folder
//! counts is decided in `folder`.
//!
//! The names are those of the folder lists and localisations of Outlook and Exchange, Apple Mail, Thunderbird, Gmail,
//! Yahoo, Roundcube, Zimbra, GMX, Seznam, WP, Onet, Yandex, `Mail.ru`, `NetEase`, QQ, Naver and Daum.

/// The names of one language: its code (ISO 639-1), and the names in small letters, the commonest first.
type Names = (&'static str, &'static [&'static str]);

const fn of(language: &'static str, names: &'static [&'static str]) -> Names {
    (language, names)
}

/// All of them, English first: servers that do not say what a folder is for mostly speak it.
pub(super) const SENT_NAMES: &[Names] = &[
    of(
        "en",
        &[
            "sent",
            "sent items",
            "sent mail",
            "sent messages",
            "sent-mail",
            "sent_mail",
            "sent-items",
            "sent_items",
            "sentmail",
            "sentitems",
            "sentbox",
            "sent objects",
            "sent folder",
        ],
    ),
    of("af", &["gestuur", "gestuurde items", "gestuurde pos"]),
    of(
        "ar",
        &[
            "المرسل",
            "مرسل",
            "المرسلة",
            "العناصر المرسلة",
            "الرسائل المرسلة",
            "البريد المرسل",
        ],
    ),
    of(
        "bg",
        &[
            "изпратени",
            "изпратени елементи",
            "изпратена поща",
            "изпратени съобщения",
            "изпратено",
        ],
    ),
    of(
        "ca",
        &[
            "enviats",
            "elements enviats",
            "missatges enviats",
            "correu enviat",
            "enviat",
        ],
    ),
    of(
        "cs",
        &[
            "odeslané",
            "odeslaná pošta",
            "odeslané položky",
            "odeslané zprávy",
            "odesláno",
        ],
    ),
    of(
        "da",
        &[
            "sendt",
            "sendt post",
            "sendte elementer",
            "sendte mails",
            "sendt mail",
            "sendte beskeder",
            "sendte",
        ],
    ),
    of(
        "de",
        &[
            "gesendet",
            "gesendete elemente",
            "gesendete objekte",
            "gesendete nachrichten",
            "gesendete mails",
            "gesendete e-mails",
            "gesendete",
            "versendet",
            "verschickt",
            "gesendete post",
        ],
    ),
    of(
        "el",
        &[
            "απεσταλμένα",
            "σταλμένα",
            "απεσταλμένα μηνύματα",
            "απεσταλμένα στοιχεία",
            "απεσταλμένη αλληλογραφία",
            "στοιχεία που έχουν σταλεί",
        ],
    ),
    of(
        "es",
        &[
            "enviados",
            "elementos enviados",
            "mensajes enviados",
            "correo enviado",
            "correos enviados",
            "enviado",
        ],
    ),
    of(
        "et",
        &[
            "saadetud",
            "saadetud kirjad",
            "saadetud üksused",
            "saadetud sõnumid",
        ],
    ),
    of("eu", &["bidalitakoak", "bidalia", "bidaliak"]),
    of(
        "fa",
        &[
            "ارسال‌شده",
            "ارسال شده",
            "فرستاده شده",
            "ارسالی",
            "نامه‌های ارسال شده",
        ],
    ),
    of(
        "fi",
        &[
            "lähetetyt",
            "lähetetyt viestit",
            "lähetetty",
            "lähetetyt kohteet",
        ],
    ),
    of(
        "fr",
        &[
            "envoyés",
            "éléments envoyés",
            "messages envoyés",
            "courrier envoyé",
            "courriers envoyés",
            "envoyé",
            "objets envoyés",
            "mails envoyés",
            "e-mails envoyés",
        ],
    ),
    of("gl", &["enviados", "correo enviado", "mensaxes enviadas"]),
    of(
        "he",
        &["נשלחו", "פריטים שנשלחו", "דואר שנשלח", "הודעות שנשלחו"],
    ),
    of("hi", &["भेजे गए", "भेजा गया", "भेजे गए आइटम", "प्रेषित"]),
    of(
        "hr",
        &[
            "poslano",
            "poslane stavke",
            "poslane poruke",
            "poslana pošta",
            "poslani",
        ],
    ),
    of(
        "hu",
        &[
            "elküldött",
            "elküldött elemek",
            "elküldött üzenetek",
            "elküldött levelek",
            "elküldve",
        ],
    ),
    of(
        "id",
        &[
            "terkirim",
            "item terkirim",
            "pesan terkirim",
            "kotak terkirim",
        ],
    ),
    of("is", &["sent atriði", "sendur póstur", "sendir hlutir"]),
    of(
        "it",
        &[
            "inviati",
            "posta inviata",
            "elementi inviati",
            "messaggi inviati",
            "inviata",
            "inviate",
        ],
    ),
    of(
        "ja",
        &[
            "送信済み",
            "送信済みメール",
            "送信済みアイテム",
            "送信済みトレイ",
            "送信済みメッセージ",
            "送信メール",
            "送信控え",
        ],
    ),
    of(
        "ko",
        &[
            "보낸 편지함",
            "보낸편지함",
            "보낸 메일함",
            "보낸메일함",
            "보낸 메일",
            "보낸 항목",
            "보낸 메시지",
        ],
    ),
    of(
        "lt",
        &[
            "išsiųsta",
            "išsiųsti",
            "išsiųsti laiškai",
            "išsiųsti elementai",
            "išsiųstieji",
        ],
    ),
    of(
        "lv",
        &[
            "nosūtītie",
            "nosūtītās",
            "nosūtītie vienumi",
            "nosūtītās vēstules",
            "nosūtīts",
        ],
    ),
    of("mk", &["испратени", "испратени пораки", "пратени"]),
    of(
        "ms",
        &[
            "dihantar",
            "item dihantar",
            "mel dihantar",
            "item yang dihantar",
        ],
    ),
    of(
        "nb",
        &[
            "sendt",
            "sendte elementer",
            "sendt e-post",
            "sendte meldinger",
            "sendte element",
        ],
    ),
    of(
        "nl",
        &[
            "verzonden",
            "verzonden items",
            "verzonden berichten",
            "verzonden e-mail",
            "verzonden mail",
            "verstuurd",
            "verzonden post",
        ],
    ),
    of(
        "pl",
        &[
            "wysłane",
            "elementy wysłane",
            "wysłane wiadomości",
            "wiadomości wysłane",
            "poczta wysłana",
            "wysłana",
            "wysłano",
        ],
    ),
    of(
        "pt",
        &[
            "enviados",
            "itens enviados",
            "mensagens enviadas",
            "enviadas",
            "e-mails enviados",
            "e-mail enviado",
            "correio enviado",
            "enviado",
            "caixa de enviados",
        ],
    ),
    of(
        "ro",
        &[
            "trimise",
            "elemente trimise",
            "mesaje trimise",
            "mesagerie trimisă",
            "trimis",
            "poștă trimisă",
            "e-mailuri trimise",
        ],
    ),
    of(
        "ru",
        &[
            "отправленные",
            "отправленное",
            "отправленные письма",
            "отправленные сообщения",
            "отправлено",
        ],
    ),
    of(
        "sk",
        &[
            "odoslané",
            "odoslaná pošta",
            "odoslané položky",
            "odoslané správy",
        ],
    ),
    of(
        "sl",
        &[
            "poslano",
            "poslani elementi",
            "poslana pošta",
            "poslana sporočila",
        ],
    ),
    of(
        "sr",
        &[
            "послато",
            "послате ставке",
            "послате поруке",
            "послата пошта",
            "poslato",
            "poslate stavke",
            "poslate poruke",
        ],
    ),
    of(
        "sv",
        &[
            "skickat",
            "skickade objekt",
            "skickade meddelanden",
            "skickade",
            "skickad e-post",
            "skickade brev",
        ],
    ),
    of(
        "th",
        &[
            "ส่งแล้ว",
            "รายการที่ส่ง",
            "จดหมายที่ส่งแล้ว",
            "ข้อความที่ส่ง",
            "จดหมายที่ถูกส่ง",
            "รายการที่ถูกส่ง",
        ],
    ),
    of(
        "tr",
        &[
            "gönderilmiş öğeler",
            "gönderilenler",
            "gönderilmiş postalar",
            "gönderilmiş",
            "gönderilen",
            "gönderilen iletiler",
            "gönderilmiş iletiler",
            "gönderilen postalar",
            "gönderilen kutusu",
        ],
    ),
    of(
        "uk",
        &[
            "надіслані",
            "відправлені",
            "надіслані елементи",
            "надіслані листи",
            "відправлено",
            "надіслано",
        ],
    ),
    of(
        "vi",
        &[
            "đã gửi",
            "thư đã gửi",
            "mục đã gửi",
            "tin nhắn đã gửi",
            "các mục đã gửi",
        ],
    ),
    of(
        "zh",
        &[
            "已发送",
            "已发送邮件",
            "已发邮件",
            "已发送的邮件",
            "已傳送",
            "寄件備份",
            "寄件匣備份",
            "已寄出",
            "已傳送的郵件",
            "已寄出郵件",
            "已发送消息",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_they_are_compared() {
        for (language, names) in SENT_NAMES {
            assert!(language.len() == 2 && !names.is_empty(), "{language}");
            for name in *names {
                assert_eq!(*name, name.to_lowercase().trim(), "{language}");
            }
        }
    }
}
