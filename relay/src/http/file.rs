//! Files that go with messages: keeping one, and whether those of a step can go with it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::campaign::Step;
use protocol::request::file::{CreateFile, FILE_AT_MOST_BYTES, KeptFile};

use super::{Context, Serve, ServeError};
use crate::app::App;
use crate::text::attached::{MediaType, list_shown};
use crate::text::field::{find_hidden, is_unseen};

/// The longest name of a file, in characters.
const NAME_CHARS_MAX: usize = 200;
/// The longest name under which HTML shows a file.
const CID_CHARS_MAX: usize = 64;
/// Files of a step.
const FILES_MAX: usize = 50;
/// What the files of one message may have together, in bytes: encoded it is a third more (RFC 2045 §6.8), and that is more
/// than the 25 MB (Gmail) or 35 MB (Exchange Online) that most servers take.
const FILES_OF_STEP_MAX: u64 = 25 * 1024 * 1024;
/// The same of a campaign, each content once: all of them are in memory while a list is checked.
const FILES_OF_CAMPAIGN_MAX: u64 = 2 * FILES_OF_STEP_MAX;

impl Serve for CreateFile {
    async fn serve(self, context: Context) -> Result<KeptFile, ServeError> {
        let app = context.app()?;
        let decoded = STANDARD.decode(self.content.as_bytes()).map_err(|error| {
            let detail = format!(
                "expected a content in Base64 (RFC 4648 §4), found something else: {error}"
            );
            ServeError::invalid("content", detail)
        })?;
        let bytes = decoded.len() as u64;
        if bytes == 0 || bytes > FILE_AT_MOST_BYTES {
            let detail = format!("expected 1 to {FILE_AT_MOST_BYTES} bytes, found {bytes}");
            return Err(ServeError::invalid("content", detail));
        }
        let file_id = app.store.create_file(decoded, app.clock.now()).await?;
        Ok(KeptFile { file_id, bytes })
    }
}

/// Whether the files of these steps are kept, have names that a message can have, and are shown where they are to be.
pub(super) async fn check_files(app: &App, steps: &[Step]) -> Result<(), ServeError> {
    let mut sizes = BTreeMap::new();
    for (idx, step) in steps.iter().enumerate() {
        check_names(idx, step)?;
        let mut of_step = 0;
        for (file_idx, file) in step.files.iter().enumerate() {
            let Some(n_bytes) = app.store.find_file_size(&file.file_id).await? else {
                let detail = format!(
                    "there is no file {}: `unpause file add` keeps one and tells its id",
                    file.file_id
                );
                let field = format!("steps[{idx}].files[{file_idx}].file_id");
                return Err(ServeError::invalid(&field, detail));
            };
            of_step += n_bytes;
            sizes.insert(&file.file_id, n_bytes);
        }
        if of_step > FILES_OF_STEP_MAX {
            let detail = format!(
                "expected files of at most {FILES_OF_STEP_MAX} bytes in all, found {of_step}: attach fewer or smaller \
                 ones, or write where they can be fetched; most servers take no message above 25 MB"
            );
            return Err(ServeError::invalid(&format!("steps[{idx}].files"), detail));
        }
    }
    let in_all: u64 = sizes.values().sum();
    if in_all > FILES_OF_CAMPAIGN_MAX {
        let detail = format!(
            "expected files of at most {FILES_OF_CAMPAIGN_MAX} bytes in all steps, found {in_all}"
        );
        return Err(ServeError::invalid("steps", detail));
    }
    Ok(())
}

fn check_names(idx: usize, step: &Step) -> Result<(), ServeError> {
    let invalid = |field: String, detail: String| {
        let field = format!("steps[{idx}].{field}");
        Err(ServeError::invalid(&field, detail))
    };
    if step.files.len() > FILES_MAX {
        let detail = format!(
            "expected at most {FILES_MAX} files, found {}",
            step.files.len()
        );
        return invalid("files".to_owned(), detail);
    }
    let html = step.html.as_deref().unwrap_or_default();
    let shown = list_shown(html);
    let mut cids = Vec::new();
    for (file_idx, file) in step.files.iter().enumerate() {
        let at = |part: &str| format!("files[{file_idx}].{part}");
        let n_chars = file.name.chars().count();
        let breaks = |c: &char| matches!(c, '\n' | '\r' | '\t' | '/' | '\\') || is_unseen(*c);
        let wrong = file
            .name
            .chars()
            .find(breaks)
            .or_else(|| find_hidden(&file.name));
        if let Some(found) = wrong {
            let detail = format!(
                "expected the name of a file, on one line and without a folder, found {} in it",
                found.escape_default()
            );
            return invalid(at("name"), detail);
        }
        if file.name.trim().is_empty() || n_chars > NAME_CHARS_MAX {
            let detail =
                format!("expected a name of 1 to {NAME_CHARS_MAX} characters, found {n_chars}");
            return invalid(at("name"), detail);
        }
        if file.name.contains("=?") {
            let detail = "expected a name without =?, which programs take for the beginning of an encoded word";
            return invalid(at("name"), detail.to_owned());
        }
        if let Err(error) = MediaType::of(file) {
            return invalid(at("media_type"), error.to_string());
        }
        let Some(cid) = &file.cid else { continue };
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if cid.is_empty() || cid.len() > CID_CHARS_MAX || !cid.chars().all(is_word) {
            let detail = format!(
                "expected 1 to {CID_CHARS_MAX} letters and digits, `.`, `_` or `-`, as in logo, found {cid:?}"
            );
            return invalid(at("cid"), detail);
        }
        if cids.contains(&cid) {
            let detail = format!("expected each name once, found {cid} twice");
            return invalid(at("cid"), detail);
        }
        if !shown.iter().any(|shown| shown == cid) {
            let detail = format!(
                "expected HTML that shows it, as in <img src=\"cid:{cid}\">, found none; leave cid out to attach it"
            );
            return invalid(at("cid"), detail);
        }
        cids.push(cid);
    }
    match shown.iter().find(|shown| !cids.contains(shown)) {
        Some(unknown) => invalid(
            "html".to_owned(),
            format!("the HTML shows cid:{unknown}, and no file of the step has that cid"),
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use protocol::campaign::Attachment;
    use protocol::id::FileId;

    use super::*;

    #[test]
    fn files_that_cannot_go_with_a_message_are_refused_at_their_field() {
        let file = |name: &str, cid: Option<&str>, media_type: Option<&str>| Attachment {
            file_id: FileId::new("fil_1"),
            name: name.to_owned(),
            media_type: media_type.map(str::to_owned),
            cid: cid.map(str::to_owned),
        };
        let shows = "<img src=\"cid:logo\">";
        for (html, files, field) in [
            ("<p>x</p>", vec![file("a.pdf", None, None)], None),
            (shows, vec![file("a.png", Some("logo"), None)], None),
            (shows, vec![], Some("steps[0].html")),
            (
                shows,
                vec![file("a.png", Some("other"), None)],
                Some("steps[0].files[0].cid"),
            ),
            (
                "<p>x</p>",
                vec![file("a.png", Some("logo"), None)],
                Some("steps[0].files[0].cid"),
            ),
            (
                shows,
                vec![file("a.png", Some("lo go"), None)],
                Some("steps[0].files[0].cid"),
            ),
            (
                shows,
                vec![
                    file("a.png", Some("logo"), None),
                    file("b.png", Some("logo"), None),
                ],
                Some("steps[0].files[1].cid"),
            ),
            (
                "<p>x</p>",
                vec![file("a\r\nb.pdf", None, None)],
                Some("steps[0].files[0].name"),
            ),
            (
                "<p>x</p>",
                vec![file("../b.pdf", None, None)],
                Some("steps[0].files[0].name"),
            ),
            (
                "<p>x</p>",
                vec![file("fdp.\u{202E}exe", None, None)],
                Some("steps[0].files[0].name"),
            ),
            (
                "<p>x</p>",
                vec![file(" ", None, None)],
                Some("steps[0].files[0].name"),
            ),
            (
                "<p>x</p>",
                vec![file("a", None, Some("pdf"))],
                Some("steps[0].files[0].media_type"),
            ),
            (
                "<p>x</p>",
                vec![file("a", None, Some("multipart/mixed; boundary=x"))],
                Some("steps[0].files[0].media_type"),
            ),
        ] {
            let step = Step {
                html: Some(html.to_owned()),
                files,
                ..Step::default()
            };
            let found = match check_names(0, &step) {
                Ok(()) => None,
                Err(ServeError::Refused(problem)) => problem.field,
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(found.as_deref(), field, "{step:?}");
        }
    }
}
