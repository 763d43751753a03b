//! What a person's answer says of the message that it answers: the ids of its thread, and where a mail program left
//! them out, what else marks an answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::choose;
use super::head::Head;

/// A message that may be a person's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The message ids it refers to, without angle brackets.
    pub to: Vec<String>,
    /// Who wrote it, in small letters; `None` where nobody is named, and where a list hands it out.
    pub from: Option<String>,
    /// Where whoever wrote it wants answers (RFC 5322 §3.6.2), in small letters: the same person.
    pub reply_to: Vec<String>,
    /// Its subject and its thread's, as they stand.
    pub subjects: Vec<String>,
    /// Whether its form says that it answers something: its subject, its place in a thread of Outlook's, a calendar.
    pub is_marked: bool,
}

/// What stands before the subject of an answer, in mail programs of many languages.
const PREFIXES: &[&str] = &[
    "re",
    "rе",
    "aw",
    "antw",
    "antwort",
    "ant",
    "sv",
    "svar",
    "vs",
    "vast",
    "vastus",
    "odp",
    "od",
    "ynt",
    "yan",
    "cevap",
    "res",
    "resp",
    "r",
    "rif",
    "rép",
    "rep",
    "réf",
    "ref",
    "bls",
    "balas",
    "bvs",
    "atb",
    "ats",
    "vá",
    "válasz",
    "отв",
    "ответ",
    "відп",
    "на",
    "απ",
    "σχετ",
    "yt",
    "回复",
    "回覆",
    "答复",
    "答覆",
    "返信",
    "답장",
    "회신",
    "ตอบ",
    "ตอบกลับ",
    "השב",
    "תגובה",
    "رد",
    "پاسخ",
    "trả lời",
    "tl",
];

/// Bytes of a thread's own index; each answer adds five ([MS-OXOMSG] §2.2.1.3).
const THREAD_INDEX_BYTES: usize = 22;

/// Reads what a message says of what it answers; `None` where nothing can.
pub(super) fn find(head: &Head<'_>, answers_by_calendar: bool) -> Option<Answer> {
    let named = [head.ids("In-Reply-To"), head.ids("References")].concat();
    let is_listed = head.has("List-Id")
        || head.has("List-Unsubscribe")
        || head
            .value("Precedence")
            .is_some_and(|precedence| precedence.trim().eq_ignore_ascii_case("list"));
    let subject = head.subject().to_owned();
    let is_in_thread = head
        .value("Thread-Index")
        .and_then(|index| {
            STANDARD
                .decode(index.split_whitespace().collect::<String>())
                .ok()
        })
        .is_some_and(|index| index.len() > THREAD_INDEX_BYTES);
    let answer = Answer {
        to: choose(named),
        from: head.from().filter(|_| !is_listed),
        reply_to: if is_listed {
            Vec::new()
        } else {
            head.addresses("Reply-To")
        },
        is_marked: answers_by_calendar
            || is_in_thread
            || strip_prefixes(&subject).len() < subject.len(),
        subjects: [Some(subject), head.value("Thread-Topic")]
            .into_iter()
            .flatten()
            .filter(|subject| !subject.is_empty())
            .collect(),
    };
    (!answer.to.is_empty() || answer.from.is_some()).then_some(answer)
}

/// Whether a subject is that of an answer to, or of the return of, a message with ours: ours stands at its end,
/// behind whatever the answering side put before it, or in it as a whole.
pub fn is_about(found: &str, ours: &str) -> bool {
    let plain = |text: &str| {
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    let ours = plain(ours);
    let ours = strip_prefixes(&ours);
    let found = plain(found);
    if ours.is_empty() {
        return false;
    }
    strip_prefixes(&found) == ours
        || found.match_indices(ours).any(|(at, _)| {
            let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let (before, after) = (found.get(..at), found.get(at + ours.len()..));
            !is_word(before.and_then(|text| text.chars().next_back()))
                && !is_word(after.and_then(|text| text.chars().next()))
                // A word alone may stand in any subject; behind a colon or a bracket it is the subject.
                && (ours.contains(' ')
                    || before.is_some_and(|text| text.trim_end().ends_with([':', '：', ']', ')'])))
        })
}

/// The subject without what answers put before it: `Re:`, also counted, behind tags in brackets and repeated.
fn strip_prefixes(subject: &str) -> &str {
    let mut rest = subject.trim();
    let mut stripped = rest;
    // Each turn takes something away.
    loop {
        if let Some((_, behind)) = rest
            .strip_prefix('[')
            .and_then(|tagged| tagged.split_once(']'))
        {
            rest = behind.trim_start();
            continue;
        }
        let Some((prefix, behind)) = rest.split_once([':', '：']) else {
            return stripped;
        };
        let word = prefix
            .trim_end_matches(|c: char| {
                c.is_ascii_digit()
                    || matches!(c, '[' | ']' | '(' | ')' | '^' | '*' | ' ' | '\u{a0}' | '.')
            })
            .trim()
            .to_lowercase();
        if !PREFIXES.contains(&word.as_str()) {
            return stripped;
        }
        rest = behind.trim_start();
        stripped = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_an_answer_is_known_in_any_language_and_form() {
        for subject in [
            "Re: Hello",
            "RE[2]: Hello",
            "Re(3): Hello",
            "Re^2: Hello",
            "AW: Hello",
            "Antw.: Hello",
            "SV: Hello",
            "VS: Hello",
            "Odp: Hello",
            "YNT: Hello",
            "RES: Hello",
            "R: Hello",
            "RIF: Hello",
            "Отв: Hello",
            "ΑΠ: Hello",
            "回复：Hello",
            "답장: Hello",
            "[EXTERNAL] Re: Hello",
            "Re : Hello",
            "Re: AW: Hello",
        ] {
            assert_eq!(strip_prefixes(subject), "Hello", "{subject}");
        }
        for subject in [
            "Hello",
            "Fwd: Hello",
            "Invoice: Hello",
            "[list] Hello",
            "Re Hello",
        ] {
            assert_eq!(strip_prefixes(subject), subject, "{subject}");
        }
    }

    #[test]
    fn a_subject_is_ours_where_ours_stands_in_it_whole() {
        for (found, ours, expected) in [
            ("Re: Hello", "Hello", true),
            ("re: hello", "Re: Hello", true),
            ("Accepted: Hello", "Hello", true),
            ("[Ticket#1] Hello", "Hello", true),
            (
                "Your request \"A quick question\" [#12]",
                "A quick question",
                true,
            ),
            ("Hello there", "Hello", false),
            ("Say Hello", "Hello", false),
            ("Re: Other", "Hello", false),
            ("Re: ", "", false),
        ] {
            assert_eq!(is_about(found, ours), expected, "{found} | {ours}");
        }
    }

    #[test]
    fn a_thread_index_with_a_child_marks_an_answer() {
        let index = |n: usize| STANDARD.encode(vec![1_u8; n]);
        for (n, expected) in [(22, false), (27, true)] {
            let text = format!(
                "From: a@a.example\r\nSubject: Hi\r\nThread-Index: {}\r\n\r\n",
                index(n)
            );
            let head = Head::parse(text.as_bytes()).unwrap();
            assert_eq!(find(&head, false).unwrap().is_marked, expected);
        }
    }
}
