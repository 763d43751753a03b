//! Messages as servers, programs and people send them; the wording is ours, the forms are theirs.

mod bounces;
mod others;

use super::*;

/// The head of our message as it comes back.
const OURS: &str = "Message-ID: <one@acme.example>\nFrom: jane@acme.example\nTo: ann@a.example\nSubject: Hello\n\
    Date: Mon, 23 Nov 2026 09:00:00 +0000\n";

/// A message to Jane with these further fields.
fn message(fields: &str, body: &str) -> String {
    format!(
        "To: jane@acme.example\nDate: Mon, 23 Nov 2026 09:05:00 +0000\nMessage-ID: <n-1@mail.example>\n\
         MIME-Version: 1.0\n{fields}\n\n{body}"
    )
}

/// One of several parts, each a type and a body.
fn mixed(kind: &str, parts: &[(&str, &str)]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|(kind, body)| format!("--b\nContent-Type: {kind}\n\n{body}\n"))
        .collect();
    let content = format!("Content-Type: {kind}; boundary=\"b\"");
    let from = "From: Mail Delivery System <mailer-daemon@mail.example>\nSubject: Undelivered mail";
    message(
        &format!("{from}\n{content}"),
        &format!("{}--b--\n", parts.concat()),
    )
}

/// A notice in words from a server's sender.
fn notice(fields: &str, words: &str) -> String {
    let fields = format!("From: MAILER-DAEMON@mail.example\n{fields}");
    message(&fields, words)
}

fn read(text: &str) -> Arrival {
    // As it stands, and with the line ends of the wire.
    let wire = text.replace('\n', "\r\n");
    let arrival = parse(wire.as_bytes());
    assert_eq!(parse(text.as_bytes()), arrival, "{text}");
    let headers = wire
        .split_once("\r\n\r\n")
        .map_or(wire.as_str(), |(headers, _)| headers);
    let is_told_by_its_parts = matches!(arrival, Arrival::Bounce(_) | Arrival::Complaint(_));
    assert!(
        !is_told_by_its_parts || may_be_bounce(headers.as_bytes()),
        "its parts would not be fetched: {text}"
    );
    arrival
}
