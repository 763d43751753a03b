//! Refusals of what an operator tells a running relay that does not fit what is there.

use crate::row::{Alone, Before, How, Row};

pub(crate) static ROWS: &[Row] = &[
    Row {
        case: "inbox that does not exist",
        how: How::Command(&["inbox", "show", "inb_nowhere"]),
        code: "exit 1",
        place: "",
        words: "there is no inbox inb_nowhere",
    },
    Row {
        case: "campaign that does not exist",
        how: How::Command(&["campaign", "start", "cmp_nowhere"]),
        code: "exit 1",
        place: "",
        words: "there is no campaign cmp_nowhere",
    },
    Row {
        case: "campaign over an inbox that does not exist",
        how: How::Scene(
            "`unpause campaign create` with `--inbox inb_nowhere`",
            |stage| {
                Box::pin(async move {
                    let steps = "[[steps]]\nsubject = \"Hi\"\nbody = \"Hello\"\n";
                    std::fs::write(stage.file("steps.toml"), steps)?;
                    let line =
                        "campaign create --name Autumn --inbox inb_nowhere --steps steps.toml";
                    stage.command(&line.split(' ').collect::<Vec<_>>()).await
                })
            },
        ),
        code: "exit 1",
        place: "field inboxes",
        words: "there is no inbox inb_nowhere",
    },
    Row {
        case: "provider that the relay is not registered at",
        how: How::Command(&["inbox", "add", "eve@acme.example", "--provider", "openid"]),
        code: "exit 1",
        place: "field provider",
        words: "expected a provider of the configuration (sandbox), found openid",
    },
    Row {
        case: "inbox that is there already",
        how: How::Command(&["inbox", "add", "jane@acme.example", "--provider", "sandbox"]),
        code: "exit 1",
        place: "",
        words: "there is an inbox jane@acme.example already",
    },
    Row {
        case: "inbox that is there already, in capital letters",
        how: How::Command(&["inbox", "add", "JANE@acme.example", "--provider", "sandbox"]),
        code: "exit 1",
        place: "",
        words: "there is an inbox JANE@acme.example already",
    },
    Row {
        case: "starting a campaign without leads",
        how: How::Command(&["campaign", "start", "{empty}"]),
        code: "exit 1",
        place: "",
        words: "this campaign has no leads: import some first",
    },
    Row {
        case: "starting a campaign without a connected inbox",
        how: How::Command(&["campaign", "start", "{stranded}"]),
        code: "exit 1",
        place: "",
        words: "none of this campaign's inboxes is connected: reconnect one first",
    },
    Row {
        case: "starting a campaign that runs",
        how: How::Command(&["campaign", "start", "{running}"]),
        code: "exit 1",
        place: "",
        words: "a campaign that is running cannot be told to start: it sends by itself what is due; pause it to hold it",
    },
    Row {
        case: "lead list that is not there",
        how: How::Command(&["campaign", "import", "{draft}", "nowhere.csv"]),
        code: "exit 1",
        place: "",
        words: "nowhere.csv cannot be read: No such file or directory (os error 2)",
    },
    Row {
        case: "resuming a campaign that lost its inbox",
        how: How::Command(&["campaign", "resume", "{lost}"]),
        code: "exit 1",
        place: "",
        words: "a campaign that is paused cannot be told to resume: the inbox inb_… was lost (permission_ended); reconnect that inbox, and the campaign goes on by itself",
    },
    Row {
        case: "lead that does not exist",
        how: How::Command(&["lead", "pause", "lea_nowhere"]),
        code: "exit 1",
        place: "",
        words: "there is no lead lea_nowhere",
    },
    Row {
        case: "page of leads without an end",
        how: How::Command(&["lead", "list", "{draft}", "--limit", "0"]),
        code: "exit 1",
        place: "field limit",
        words: "expected 1 to 1000, found 0",
    },
    Row {
        case: "page of leads behind a lead of another campaign",
        how: How::Command(&["lead", "list", "{draft}", "--after", "lea_nowhere"]),
        code: "exit 1",
        place: "field after",
        words: "expected the id of a lead of this campaign, as `next` gives it",
    },
    Row {
        case: "mark on a reply that does not exist",
        how: How::Command(&["reply", "mark", "rpl_nowhere", "interested"]),
        code: "exit 1",
        place: "",
        words: "there is no reply rpl_nowhere",
    },
    Row {
        case: "page of replies without an end",
        how: How::Command(&["reply", "list", "--limit", "0"]),
        code: "exit 1",
        place: "field limit",
        words: "expected 1 to 1000, found 0",
    },
    Row {
        case: "page of replies behind none",
        how: How::Command(&["reply", "list", "--after", "rpl_nowhere"]),
        code: "exit 1",
        place: "field after",
        words: "expected the id of a reply, as `next` gives it",
    },
    Row {
        case: "deleting a campaign that runs",
        how: How::Command(&["campaign", "delete", "{running}"]),
        code: "exit 1",
        place: "",
        words: "only a draft can be deleted, and this campaign is running: what it sent is known by it alone, so that nobody is written to twice; pause it to end it",
    },
    Row {
        case: "other words for a step that was sent",
        how: How::Scene(
            "`unpause campaign update {running} --steps` with other words in its first step",
            |stage| {
                Box::pin(async move {
                    let steps = "[[steps]]\nsubject = \"Hi\"\nbody = \"Other\"\n\
                                 [[steps]]\nbody = \"Words\"\nwait_ms = 86400000\n";
                    std::fs::write(stage.file("steps.toml"), steps)?;
                    let arguments = ["campaign", "update", "{running}", "--steps", "steps.toml"];
                    stage.command(&arguments).await
                })
            },
        ),
        code: "exit 1",
        place: "",
        words: "step 1 was sent to somebody already, so its text stays as it is: change later steps and waits, or duplicate the campaign",
    },
    Row {
        case: "fewer steps for a campaign that runs",
        how: How::Scene(
            "`unpause campaign update {running} --steps` with one step",
            |stage| {
                Box::pin(async move {
                    let steps = "[[steps]]\nsubject = \"Hi\"\nbody = \"Other\"\n";
                    std::fs::write(stage.file("steps.toml"), steps)?;
                    let arguments = ["campaign", "update", "{running}", "--steps", "steps.toml"];
                    stage.command(&arguments).await
                })
            },
        ),
        code: "exit 1",
        place: "",
        words: "a campaign that is started keeps the number of its steps, 2: change their texts and waits, or duplicate it",
    },
    Row {
        case: "field for which a lead has no cell, in new words",
        how: How::Scene(
            "`unpause campaign update {draft} --steps` with `{{town}}`",
            |stage| {
                Box::pin(async move {
                    let steps = "[[steps]]\nsubject = \"Hi\"\nbody = \"In {{town}}\"\n";
                    std::fs::write(stage.file("steps.toml"), steps)?;
                    let arguments = ["campaign", "update", "{draft}", "--steps", "steps.toml"];
                    stage.command(&arguments).await
                })
            },
        ),
        code: "exit 1",
        place: "field steps",
        words: "lea_… (known@leads.example): expected something for {{town}}, which the messages name, found an empty cell: say what stands there in its place, as in {{first_name | default: \"there\"}}, or change that lead's cell",
    },
    Row {
        case: "list of people who are not written to, with a line that is nobody",
        how: How::Scene(
            "`unpause suppression import` of `ann@a.example`, `nobody`",
            |stage| {
                Box::pin(async move {
                    std::fs::write(stage.file("stop.csv"), "ann@a.example\nnobody\n")?;
                    stage.command(&["suppression", "import", "stop.csv"]).await
                })
            },
        ),
        code: "exit 1",
        place: "row 2",
        words: "row 2: expected an address as in jane@acme.example or a domain as in acme.example or @acme.example in its first cell, or one address in another cell, found \"nobody\"",
    },
    Row {
        case: "command where no relay runs",
        how: How::Alone(Alone {
            arguments: &["inbox", "list"],
            config: "",
            variable: None,
            before: Before::Killed,
            then: None,
        }),
        code: "exit 1",
        place: "",
        words: "no relay runs on the data folder ~/.local/share/unpause: start it with `unpause serve`, or name its configuration with --config",
    },
    Row {
        case: "command after the relay was ended",
        how: How::Alone(Alone {
            arguments: &["inbox", "list"],
            config: "",
            variable: None,
            before: Before::Ran,
            then: None,
        }),
        code: "exit 1",
        place: "",
        words: "no relay runs on the data folder ~/.local/share/unpause: start it with `unpause serve`, or name its configuration with --config",
    },
    Row {
        case: "command where somebody else may have made the socket",
        how: How::Alone(Alone {
            arguments: &["inbox", "list"],
            config: "",
            variable: None,
            before: Before::Runs,
            then: Some(("`chmod 777 ~/.local/share/unpause`", |home| {
                Box::pin(async move { home.set_mode(".local/share/unpause", 0o777) })
            })),
        }),
        code: "exit 1",
        place: "",
        words: "others may write to the folder ~/.local/share/unpause (mode 777), so that what is found there may be theirs: run `chmod 700 ~/.local/share/unpause`",
    },
    Row {
        case: "command where something else has the socket's name",
        how: How::Alone(Alone {
            arguments: &["inbox", "list"],
            config: "",
            variable: None,
            before: Before::Ran,
            then: Some(("`touch ~/.local/share/unpause/operator.sock`", |home| {
                Box::pin(async move { Ok(std::fs::write(home.data("operator.sock"), "")?) })
            })),
        }),
        code: "exit 1",
        place: "",
        words: "~/.local/share/unpause/operator.sock is not the socket of a relay that the folder's owner started: nothing was sent; delete it, and start the relay again",
    },
];
