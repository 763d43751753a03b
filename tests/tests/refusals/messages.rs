//! Refusals of what a campaign would write: templates, HTML, files, and who it says that it is from.

use crate::row::{How, Row};

pub(crate) static ROWS: &[Row] = &[
    Row {
        case: "template with a condition that is not closed",
        how: How::Steps(
            "[[steps]]\nsubject = \"Hi\"\nbody = \"\"\"\nHello\n{% if name %}\nBye\n\"\"\"\n",
        ),
        code: "exit 1",
        place: "field steps[0].body",
        words: "step 1, body, line 3: unexpected end of input, expected end of block",
    },
    Row {
        case: "template with a loop that takes too long",
        how: How::Steps(
            "[[steps]]\nsubject = \"Hi\"\nbody = \"{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}\"\n",
        ),
        code: "exit 1",
        place: "field steps[0].body",
        words: "step 1, body, line 1: this takes too long to fill: expected a loop that ends, over a list that is short",
    },
    Row {
        case: "template with a filter that there is not",
        how: How::Steps("[[steps]]\nsubject = \"Hi\"\nbody = \"Hi {{ name | upcase }}\"\n"),
        code: "exit 1",
        place: "field steps[0].body",
        words: "step 1, body, line 1: {{ name | upcase }} is no field: expected the name of a column, as in {{name | default: \"upcase\"}}",
    },
    Row {
        case: "template with a statement of another tool",
        how: How::Steps("[[steps]]\nsubject = \"Hi\"\nbody = \"{% assign x = 1 %}\"\n"),
        code: "exit 1",
        place: "field steps[0].body",
        words: "step 1, body, line 1: found {% assign x = 1 %}, expected if, elif, else, endif, for, endfor, set or endset, as in {% if company %}at {{company}}{% endif %}",
    },
    Row {
        case: "HTML without words and without a text",
        how: How::Steps(
            "[[steps]]\nsubject = \"Hi\"\nhtml = \"<img src='https://acme.example/a.png'>\"\n",
        ),
        code: "exit 1",
        place: "field steps[0].html",
        words: "expected words in the HTML, or a body with the message as text, found HTML that has none",
    },
    Row {
        case: "text in place of HTML",
        how: How::Steps("[[steps]]\nsubject = \"Hi\"\nhtml = \"Hello\"\n"),
        code: "exit 1",
        place: "field steps[0].html",
        words: "expected HTML, as in <p>Hello</p>, found text: write it as body",
    },
    Row {
        case: "file that is not kept",
        how: How::Steps(
            "[[steps]]\nsubject = \"Hi\"\nbody = \"Hello\"\n[[steps.files]]\nfile_id = \"fil_nowhere\"\nname = \"a.pdf\"\n",
        ),
        code: "exit 1",
        place: "field steps[0].files[0].file_id",
        words: "there is no file fil_nowhere: `unpause file add` keeps one and tells its id",
    },
    Row {
        case: "picture that the HTML does not show",
        how: How::Steps(
            "[[steps]]\nsubject = \"Hi\"\nhtml = \"<p>Hello</p>\"\n[[steps.files]]\nfile_id = \"fil_nowhere\"\nname = \"a.png\"\ncid = \"logo\"\n",
        ),
        code: "exit 1",
        place: "field steps[0].files[0].cid",
        words: "expected HTML that shows it, as in <img src=\"cid:logo\">, found none; leave cid out to attach it",
    },
    Row {
        case: "sender's name with a line break",
        how: How::Command(&[
            "inbox",
            "sender",
            "{inbox}",
            "--sender-name",
            "Jane\nBcc: all@acme.example",
        ]),
        code: "exit 1",
        place: "field sender.name",
        words: "expected a name of characters that are seen, on one line, found \\u{a}",
    },
    Row {
        case: "preview of a step that the campaign has not",
        how: How::Command(&["campaign", "preview", "{running}", "--step", "3"]),
        code: "exit 1",
        place: "field step",
        words: "expected a step of this campaign, 1 to 2, found 3",
    },
    Row {
        case: "preview for somebody who is no lead",
        how: How::Command(&[
            "campaign",
            "preview",
            "{running}",
            "--lead",
            "nobody@leads.example",
        ]),
        code: "exit 1",
        place: "field lead",
        words: "no lead of this campaign has the address nobody@leads.example",
    },
];
