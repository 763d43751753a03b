//! A campaign's steps, read once and filled for any number of leads: subject, text and HTML, with what stands under
//! them. What MIME makes of it is [`super::message`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::campaign::Step;
use protocol::id::LeadId;
use protocol::sender::Sender;

use super::message::{MessageError, check_subject};
use super::plain;
use super::template::{Filling, Form, Template, TemplateError};

/// A part of a step that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {}, {part}, {error}", .step_idx + 1)]
pub struct StepError {
    /// The step, from 0.
    pub step_idx: usize,
    /// The field of it.
    pub part: &'static str,
    /// What is wrong with it.
    pub error: TemplateError,
}

/// The steps of a campaign as templates.
#[derive(Debug)]
pub struct Sequence {
    steps: Vec<Texts>,
}

#[derive(Debug)]
struct Texts {
    /// `None` where it answers in the thread of the first.
    subject: Option<Template>,
    body: Option<Template>,
    html: Option<Template>,
}

/// A message's texts for a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// On one line.
    pub subject: String,
    /// With its signature.
    pub text: String,
    /// With its signature; `None` where the message is text alone.
    pub html: Option<String>,
}

/// A lead as messages are filled for it.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// Its id: alternatives are chosen by it.
    pub id: &'a LeadId,
    /// Its cells.
    pub fields: &'a Arc<BTreeMap<String, String>>,
}

impl Sequence {
    /// Reads every step; the first part that cannot be read is told.
    pub fn parse(steps: &[Step]) -> Result<Self, StepError> {
        let steps = steps.iter().enumerate();
        let steps = steps.map(|(step_idx, step)| Texts::parse(step_idx, step));
        Ok(Self {
            steps: steps.collect::<Result<_, _>>()?,
        })
    }

    /// The fields that the steps name.
    pub fn names(&self) -> BTreeSet<&str> {
        let templates = self.steps.iter().flat_map(|texts| {
            let parts = [&texts.subject, &texts.body, &texts.html];
            parts.into_iter().flatten()
        });
        templates
            .flat_map(|template| template.names().iter().map(String::as_str))
            .collect()
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The texts of a step, from 0.
    pub fn fill(
        &self,
        step_idx: usize,
        to: Recipient<'_>,
        sender: &Sender,
    ) -> Result<Filled, MessageError> {
        let number = step_idx + 1;
        let texts = self.steps.get(step_idx);
        let texts = texts.ok_or(MessageError::NoStep { number })?;
        let first = self.steps.first();
        texts.fill(first, step_idx, to, sender)
    }

    /// Whether the subject of a step, from 0, is one with a lead's cells as they are: a line break in one is told before
    /// it becomes a space.
    pub fn check_subject(&self, step_idx: usize, to: Recipient<'_>) -> Result<(), MessageError> {
        let own = self
            .steps
            .get(step_idx)
            .and_then(|texts| texts.subject.as_ref());
        own.map_or(Ok(()), |own| {
            check_subject(&own.render(&filling_of(step_idx, to))?)
        })
    }

    /// The subject of a step, from 0.
    pub fn fill_subject(&self, step_idx: usize, to: Recipient<'_>) -> Result<String, MessageError> {
        let number = step_idx + 1;
        let texts = self.steps.get(step_idx);
        let texts = texts.ok_or(MessageError::NoStep { number })?;
        texts.fill_subject(self.steps.first(), step_idx, to)
    }
}

/// The texts of one step of these, from 0.
pub fn fill(
    steps: &[Step],
    step_idx: usize,
    to: Recipient<'_>,
    sender: &Sender,
) -> Result<Filled, MessageError> {
    let (texts, first) = parse_one(steps, step_idx)?;
    texts.fill(first.as_ref(), step_idx, to, sender)
}

/// The subject of a step, from 0, for a lead: its own, or that of the first step as an answer in its thread; empty
/// where there is neither.
pub fn fill_subject(
    steps: &[Step],
    step_idx: usize,
    to: Recipient<'_>,
) -> Result<String, MessageError> {
    let subject_of = |step: &Step| {
        let own = Some(step.subject.as_str()).filter(|subject| !subject.is_empty());
        let form = form_of(step);
        own.map(|own| Template::parse(own, form)).transpose()
    };
    let bare = |subject| Texts {
        subject,
        body: None,
        html: None,
    };
    let own = match steps.get(step_idx) {
        Some(step) => subject_of(step)?,
        None => None,
    };
    let first = match steps.first().filter(|_| step_idx > 0 && own.is_none()) {
        Some(first) => Some(bare(subject_of(first)?)),
        None => None,
    };
    bare(own).fill_subject(first.as_ref(), step_idx, to)
}

/// A step, and the first one where its subject is needed.
fn parse_one(steps: &[Step], step_idx: usize) -> Result<(Texts, Option<Texts>), MessageError> {
    let number = step_idx + 1;
    let step = steps.get(step_idx);
    let step = step.ok_or(MessageError::NoStep { number })?;
    let told = |error: StepError| MessageError::Template(error.error);
    let texts = Texts::parse(step_idx, step).map_err(told)?;
    let is_answer = texts.subject.is_none() && step_idx > 0;
    let first = steps.first().filter(|_| is_answer);
    let first = first.map(|first| Texts::parse(0, first)).transpose();
    Ok((texts, first.map_err(told)?))
}

/// How the subject and the text of a step are read.
fn form_of(step: &Step) -> Form {
    if step.literal {
        Form::Literal
    } else {
        Form::Text
    }
}

impl Texts {
    fn parse(step_idx: usize, step: &Step) -> Result<Self, StepError> {
        let read = |part: &'static str, source: &str, form: Form| {
            let source = Some(source).filter(|source| !source.is_empty());
            let template = source
                .map(|source| Template::parse(source, form))
                .transpose();
            template.map_err(|error| StepError {
                step_idx,
                part,
                error,
            })
        };
        let form = form_of(step);
        Ok(Self {
            subject: read("subject", &step.subject, form)?,
            body: read("body", &step.body, form)?,
            html: read("html", step.html.as_deref().unwrap_or_default(), Form::Html)?,
        })
    }

    fn fill(
        &self,
        first: Option<&Self>,
        step_idx: usize,
        to: Recipient<'_>,
        sender: &Sender,
    ) -> Result<Filled, MessageError> {
        let subject = self.fill_subject(first, step_idx, to)?;
        let filling = filling_of(step_idx, to);
        let html = self.html.as_ref();
        let html = html.map(|html| html.render(&filling)).transpose()?;
        let html = html.map(|html| clean(&html));
        let body = self.body.as_ref().map(|body| body.render(&filling));
        let text = match (body.transpose()?, &html) {
            (Some(body), _) => clean(&body),
            (None, Some(html)) => plain::from_html(html),
            (None, None) => String::new(),
        };
        Ok(Filled {
            subject,
            text: sign(text, sender),
            html: html.map(|html| sign_html(html, sender)),
        })
    }

    fn fill_subject(
        &self,
        first: Option<&Self>,
        step_idx: usize,
        to: Recipient<'_>,
    ) -> Result<String, MessageError> {
        let of_first = first.filter(|_| step_idx > 0);
        let of_first = of_first.and_then(|first| first.subject.as_ref());
        // An answer has the subject that the first message had, so it is filled as that one was.
        let (start, template, filled_as) = match (&self.subject, of_first) {
            (Some(own), _) => ("", own, step_idx),
            (None, Some(first)) => ("Re: ", first, 0),
            (None, None) => return Ok(String::new()),
        };
        let subject = template.render(&filling_of(filled_as, to))?;
        let subject = clean(&subject).replace('\n', " ");
        check_subject(&subject)?;
        Ok(format!("{start}{subject}"))
    }
}

fn filling_of(step_idx: usize, to: Recipient<'_>) -> Filling<'_> {
    Filling {
        fields: to.fields,
        lead: to.id.as_str(),
        step: step_idx + 1,
    }
}

/// The text with line breaks of one kind and, tabs aside, without control characters: a cell may hold anything, and
/// a CR that no LF follows may end a line for one server and not for the next (RFC 5321 §2.3.8).
fn clean(text: &str) -> String {
    let clean = |c: char| match c {
        '\r' => '\n',
        '\n' | '\t' => c,
        c if c.is_control() => ' ',
        c => c,
    };
    text.replace("\r\n", "\n").chars().map(clean).collect()
}

/// The text with the signature under it, behind the line that tells programs where it begins (RFC 3676 §4.3).
fn sign(text: String, sender: &Sender) -> String {
    let made = || sender.signature_html.as_deref().map(plain::from_html);
    let Some(signature) = sender.signature.clone().or_else(made) else {
        return text;
    };
    let text = text.trim_end();
    format!("{text}\n\n-- \n{}\n", clean(signature.trim_end()))
}

/// The HTML with the signature at the end of its body.
fn sign_html(html: String, sender: &Sender) -> String {
    let made = || {
        let signature = sender.signature.as_deref()?;
        let lines: Vec<String> = signature.trim_end().lines().map(escape).collect();
        Some(lines.join("<br>\n"))
    };
    let Some(signature) = sender.signature_html.clone().or_else(made) else {
        return html;
    };
    // ASCII letters alone are made small, so places stay.
    let at = html.to_ascii_lowercase().rfind("</body");
    let (body, end) = html
        .split_at_checked(at.unwrap_or(html.len()))
        .unwrap_or((&html, ""));
    format!(
        "{}\n<div><br>{}</div>\n{end}",
        body.trim_end(),
        clean(&signature)
    )
}

/// Text as HTML shows it (HTML Living Standard §13.1.2.3).
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Arc<BTreeMap<String, String>> {
        let cells = [("name", "Ann & <Co>"), ("company", "")];
        let cells = cells.map(|(name, cell)| (name.to_owned(), cell.to_owned()));
        Arc::new(BTreeMap::from(cells))
    }

    fn filled(steps: &[Step], step_idx: usize, sender: &Sender) -> Filled {
        let to = Recipient {
            id: &LeadId::new("lea_1"),
            fields: &fields(),
        };
        let one = fill(steps, step_idx, to, sender).unwrap();
        let sequence = Sequence::parse(steps).unwrap();
        assert_eq!(sequence.fill(step_idx, to, sender).unwrap(), one);
        assert_eq!(sequence.fill_subject(step_idx, to).unwrap(), one.subject);
        assert_eq!(fill_subject(steps, step_idx, to).unwrap(), one.subject);
        one
    }

    #[test]
    fn html_has_its_cells_escaped_and_a_text_beside_it() {
        let steps = [Step {
            subject: "Hi {{name}}".to_owned(),
            html: Some(
                "<p>Hi <b>{{name}}</b>{% if company %} of {{company}}{% endif %}</p>".to_owned(),
            ),
            ..Step::default()
        }];
        let filled = filled(&steps, 0, &Sender::default());
        assert_eq!(filled.subject, "Hi Ann & <Co>");
        assert_eq!(
            filled.html.as_deref(),
            Some("<p>Hi <b>Ann &amp; &lt;Co&gt;</b></p>")
        );
        assert_eq!(filled.text, "Hi Ann & <Co>");
    }

    #[test]
    fn an_answer_has_the_subject_that_the_first_message_had() {
        let step = |subject: &str| Step {
            subject: subject.to_owned(),
            body: "x".to_owned(),
            ..Step::default()
        };
        let subject = "{{choose(\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\")}}";
        let steps = [step(subject), step(""), step(subject)];
        let [first, answer, own] = [0, 1, 2].map(|idx| filled(&steps, idx, &Sender::default()));
        assert_eq!(answer.subject, format!("Re: {}", first.subject));
        // Of another step, by the same alternatives: its own choice, which this lead's happens to differ in.
        assert_ne!(own.subject, first.subject);
    }

    #[test]
    fn a_signature_stands_under_text_and_html() {
        let steps = [Step {
            subject: "Hi".to_owned(),
            body: "Hello\n".to_owned(),
            html: Some("<html><body><p>Hello</p></BODY></html>".to_owned()),
            ..Step::default()
        }];
        let sender = Sender {
            signature: Some("Jane <CEO>\nAcme\n".to_owned()),
            ..Sender::default()
        };
        let filled = filled(&steps, 0, &sender);
        assert_eq!(filled.text, "Hello\n\n-- \nJane <CEO>\nAcme\n");
        assert_eq!(
            filled.html.as_deref(),
            Some(
                "<html><body><p>Hello</p>\n<div><br>Jane &lt;CEO&gt;<br>\nAcme</div>\n</BODY></html>"
            )
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_step_and_its_part() {
        let steps = [
            Step {
                subject: "Hi".to_owned(),
                body: "x".to_owned(),
                ..Step::default()
            },
            Step {
                html: Some("a\n{% if company %}b".to_owned()),
                ..Step::default()
            },
        ];
        let error = Sequence::parse(&steps).unwrap_err();
        assert_eq!((error.step_idx, error.part), (1, "html"));
        assert!(
            error.to_string().starts_with("step 2, html, line 2: "),
            "{error}"
        );
    }
}
