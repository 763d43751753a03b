//! Whether the words of a server's notice speak of a failure, a delay or a success: a small grammar, of words that
//! stand together in one sentence. It is asked only where no field of a report says it, and never alone.

use super::status::{find_code, find_enhanced};

/// What a notice says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was given up.
    Failed,
    /// It may still arrive.
    Delayed,
    /// It arrived.
    Delivered,
    /// Nothing that is known here.
    Silent,
}

/// How much of the words is weighed. What was returned stands behind them.
const WEIGHED_BYTES_MAX: usize = 16 * 1024;

/// Words of one sentence, all of which it must have, in any order: `=word` is a whole word, `word` the beginning of
/// one; what holds a space, or is written without any, stands anywhere.
type Sentence = &'static [&'static str];

/// It may still arrive. By language: en, de, fr, es, it, pt, nl, pl, sv, da and no, fi, cs, hu, ro, tr, ru, uk, el,
/// ja, zh, ko.
const DELAYS: &[Sentence] = &[
    &["delay"],
    &["postpone"],
    &["=not", "=yet"],
    &["=still", "try"],
    &["will", "retr"],
    &["will", "=try"],
    &["will", "=tried"],
    &["will", "attempt"],
    &["will", "continue"],
    &["=keep", "trying"],
    &["continu", "deliver"],
    &["=no", "action", "required"],
    &["=not", "=need", "resend"],
    &["verzöger"],
    &["noch nicht"],
    &["weiter", "versuch"],
    &["erneut", "versuch"],
    &["retardé"],
    &["retard"],
    &["pas encore"],
    &["nouvelle", "tentative"],
    &["retras"],
    &["todavía no"],
    &["aún no"],
    &["reintent"],
    &["ritard"],
    &["non", "ancora"],
    &["nuovi", "tentativ"],
    &["atrasad"],
    &["ainda não"],
    &["novas", "tentativ"],
    &["vertraag"],
    &["nog niet"],
    &["opóźni"],
    &["jeszcze nie"],
    &["försen"],
    &["ännu inte"],
    &["forsink"],
    &["endnu ikke"],
    &["ennå ikke"],
    &["viiväst"],
    &["vielä"],
    &["zpožd"],
    &["zatím"],
    &["késle"],
    &["întârz"],
    &["gecik"],
    &["henüz"],
    &["задерж"],
    &["отложен"],
    &["повтор", "попыт"],
    &["ещё не"],
    &["еще не"],
    &["затрим"],
    &["ще не"],
    &["καθυστ"],
    &["遅延"],
    &["遅れ"],
    &["再送"],
    &["延迟"],
    &["延遲"],
    &["尚未"],
    &["重试"],
    &["稍后"],
    &["지연"],
];

/// Nobody tries any more.
const GIVES_UP: &[Sentence] = &[
    &["given up"],
    &["giving up"],
    &["gave up"],
    &["give up"],
    &["=not", "=try", "=again"],
    &["=no", "further", "attempt"],
    &["=no", "=more", "attempt"],
    &["=not", "retr"],
    &["retr", "exceed"],
    &["too long", "queue"],
    &["expired"],
    &["permanent"],
    &["endgültig"],
    &["aufgegeben"],
    &["dauerhaft"],
    &["définiti"],
    &["definiti"],
    &["попытк", "прекращ"],
];

/// Where one of these begins a part of the sentence, giving up is only announced.
const CONDITIONS: &[&str] = &[
    "if", "until", "unless", "when", "after", "wenn", "falls", "bis", "si", "jusqu", "hasta", "se",
    "fino", "até", "als", "tot", "если", "пока", "до",
];

/// It did not arrive.
const FAILURES: &[Sentence] = &[
    &["=not", "deliver"],
    &["=not", "=be", "sent"],
    &["=not", "reach"],
    &["unable", "deliver"],
    &["undeliver"],
    &["deliver", "fail"],
    &["deliver", "error"],
    &["fail", "address"],
    &["fail", "recipient"],
    &["failure notice"],
    &["mail failure"],
    &["return", "to sender"],
    &["returned mail"],
    &["=no", "such", "user"],
    &["=no", "such", "mailbox"],
    &["unknown", "user"],
    &["unrouteable"],
    &["nicht", "zugestellt"],
    &["nicht", "zustell"],
    &["nicht", "übermittelt"],
    &["unzustellbar"],
    &["zustellung", "fehlgeschlagen"],
    &["non remis"],
    &["pas", "remis"],
    &["pas", "distribué"],
    &["pas", "délivré"],
    &["impossible", "remettre"],
    &["impossible", "distribuer"],
    &["échec", "remise"],
    &["échec", "distribution"],
    &["=no", "entreg"],
    &["=no", "enviar"],
    &["error", "entrega"],
    &["non", "consegn"],
    &["non", "recapit"],
    &["mancat", "consegn"],
    &["mancat", "recapit"],
    &["impossibile", "consegn"],
    &["impossibile", "recapit"],
    &["não", "entreg"],
    &["falha", "entrega"],
    &["niet", "bezorg"],
    &["niet", "afgelever"],
    &["onbestelbaar"],
    &["=nie", "dostarcz"],
    &["niedostarcz"],
    &["niedoręcz"],
    &["inte", "levere"],
    &["ikke", "lever"],
    &["olevererbar"],
    &["toimittaminen", "epäonnistui"],
    &["toimitettu", "=ei"],
    &["nelze", "doruč"],
    &["nebyl", "doruč"],
    &["nepodařilo", "doruč"],
    &["nedoruč"],
    &["nem", "kézbesít"],
    &["kézbesíthetetlen"],
    &["=nu", "livra"],
    &["nelivra"],
    &["teslim edilemedi"],
    &["iletilemedi"],
    &["=не", "доставлен"],
    &["=не", "доставить"],
    &["недоставлен"],
    &["невозможно", "достав"],
    &["=не", "доставлено"],
    &["δεν", "παραδ"],
    &["配信", "でき"],
    &["配信", "失敗"],
    &["届け", "ませんでした"],
    &["送信", "でき"],
    &["退信"],
    &["退回"],
    &["无法", "投递"],
    &["无法", "送达"],
    &["无法", "发送"],
    &["無法", "遞送"],
    &["無法", "傳送"],
    &["投递", "失败"],
    &["未能", "送"],
    &["반송"],
    &["전송", "실패"],
    &["전송하지 못"],
    &["배달하지 못"],
];

/// It arrived.
const SUCCESSES: &[Sentence] = &[
    &["success", "deliver"],
    &["=was", "delivered"],
    &["has been delivered"],
    &["erfolgreich", "zugestellt"],
    &["remis", "succès"],
    &["entregado", "correctamente"],
    &["consegnato", "successo"],
    &["entregue", "sucesso"],
    &["успешно", "доставлен"],
];

/// What a notice of this subject and these words says. A delay is stronger than a code: a warning also quotes the
/// refusal that it met.
pub(super) fn judge(subject: &str, words: &str) -> Verdict {
    let all = normalize(&format!("{subject}.\n\n{}", head_of(words)));
    let sentences: Vec<&str> = sentences(&all).collect();
    let gives_up = sentences
        .iter()
        .any(|sentence| !is_conditional(sentence) && has_any(sentence, GIVES_UP));
    let waits = |sentence: &&str| {
        has_any(sentence, DELAYS) && (is_conditional(sentence) || !has_any(sentence, GIVES_UP))
    };
    if !gives_up && sentences.iter().any(waits) {
        return Verdict::Delayed;
    }
    if gives_up || shows_refusal(words) {
        return Verdict::Failed;
    }
    if sentences.iter().any(|sentence| has_any(sentence, FAILURES)) {
        return Verdict::Failed;
    }
    if sentences
        .iter()
        .any(|sentence| has_any(sentence, SUCCESSES))
    {
        return Verdict::Delivered;
    }
    if find_code(head_of(words)).is_some() || find_enhanced(head_of(words)).is_some() {
        return Verdict::Delayed;
    }
    Verdict::Silent
}

/// Whether a subject begins like that of a failure, before any colon.
pub(super) fn heads_failure(subject: &str) -> bool {
    let head = subject.split([':', '：']).next().unwrap_or_default();
    let head = normalize(head_of(head));
    has_any(&head, FAILURES)
}

/// Whether there is a code that refuses for good (RFC 5321 §4.2.1, RFC 3463 §2). Behind that of a reply stand words
/// or another code; behind three digits of a telephone number stand others.
pub(super) fn shows_refusal(words: &str) -> bool {
    let words = head_of(words);
    let is_enhanced = |word: &str| {
        protocol::reply::EnhancedCode::parse(word.trim_matches('.'))
            .is_some_and(|code| code.class == 5)
    };
    let mut rest = words;
    while let Some(at) = find_code(rest) {
        let found = rest.get(at..).unwrap_or_default();
        rest = found.get(3..).unwrap_or_default();
        let next = rest.split_whitespace().next().unwrap_or_default();
        let next = next.trim_start_matches(['-', ':', ',', '#', '(']);
        if found.starts_with('5') && !next.starts_with(|c: char| c.is_ascii_digit()) {
            return true;
        }
    }
    words
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .any(is_enhanced)
}

fn head_of(words: &str) -> &str {
    let end = words.floor_char_boundary(WEIGHED_BYTES_MAX.min(words.len()));
    words.get(..end).unwrap_or_default()
}

fn normalize(text: &str) -> String {
    text.to_lowercase()
        .replace("n't", " not")
        .replace("n’t", " not")
        .replace("cannot", "can not")
}

/// A blank line ends one as a full stop does; a line alone does not.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n")
        .flat_map(|paragraph| paragraph.split("\r\n\r\n"))
        .flat_map(|paragraph| paragraph.split(". "))
        .flat_map(|paragraph| paragraph.split(".\n"))
        .flat_map(|paragraph| paragraph.split(".\r\n"))
        .flat_map(|paragraph| paragraph.split(['!', '?', '。', '！', '？']))
}

fn is_conditional(sentence: &str) -> bool {
    words(sentence).any(|word| CONDITIONS.contains(&word))
}

fn words(sentence: &str) -> impl Iterator<Item = &str> {
    sentence
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

fn has_any(sentence: &str, grammar: &[Sentence]) -> bool {
    grammar
        .iter()
        .any(|needed| needed.iter().all(|item| has(sentence, item)))
}

fn has(sentence: &str, item: &str) -> bool {
    if let Some(whole) = item.strip_prefix('=') {
        return words(sentence).any(|word| word == whole);
    }
    // Chinese, Japanese and Korean words stand beside one another, or carry their particles.
    let is_written_together = item.chars().any(|c| c >= '\u{2e80}');
    if is_written_together || item.contains(' ') {
        return sentence.contains(item);
    }
    words(sentence).any(|word| word.starts_with(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_from_a_delay_and_from_a_success() {
        use Verdict::{Delayed, Delivered, Failed, Silent};
        for (subject, words, expected) in [
            (
                "failure notice",
                "I'm not going to try again; too long in the queue.",
                Failed,
            ),
            (
                "",
                "host said 450 4.2.0 later. retry timeout exceeded",
                Failed,
            ),
            (
                "",
                "It couldn't be delivered. Please check the address and try again.",
                Failed,
            ),
            ("", "Reason: 550 5.1.1 unknown", Failed),
            ("Unzustellbar: Hallo", "", Failed),
            ("", "Die Nachricht konnte nicht zugestellt werden.", Failed),
            ("", "Сообщение не доставлено", Failed),
            ("系统退信", "", Failed),
            (
                "",
                "We have not been able to deliver it yet. We will keep trying for 3 days.",
                Delayed,
            ),
            (
                "",
                "If it cannot be delivered until Friday, we will give up. It is delayed.",
                Delayed,
            ),
            ("", "Delivery is delayed: 550 5.1.1 met so far", Delayed),
            (
                "",
                "Die Zustellung verzögert sich. Sie wird weiter versucht.",
                Delayed,
            ),
            ("", "host said: 450 4.2.0 greylisted", Delayed),
            (
                "Delivered",
                "Your message was successfully delivered to ann@a.example",
                Delivered,
            ),
            (
                "Hello",
                "We have got your message and will answer soon.",
                Silent,
            ),
            ("Hello", "A notice: delivery of your parcel", Silent),
        ] {
            assert_eq!(judge(subject, words), expected, "{subject} {words}");
        }
    }
}
