//! Refusals of `unpause serve`: settings, files, the port. What is refused leaves no file and changes none.

use crate::kept::make_newer;
use crate::row::{Alone, Before, Change, How, Row};

/// A port of nobody's.
const ANY_PORT: &str = "listen = \"127.0.0.1:0\"\n";

pub(crate) static ROWS: &[Row] = &[
    Row {
        case: "setting that does not exist",
        how: serve("log = \"info\"\nlisen = \"127.0.0.1:7411\"\n"),
        code: "exit 1",
        place: "",
        words: "unpause.toml, line 2: there is no setting \"lisen\"; did you mean \"listen\"?",
    },
    Row {
        case: "setting of a wrong type",
        how: serve("log_json = \"yes\"\n"),
        code: "exit 1",
        place: "",
        words: "unpause.toml, line 1: log_json is not valid: expected true or false, found string \"yes\"",
    },
    Row {
        case: "secret that cannot be one",
        how: serve("[notify.webhook.ops]\nurl = \"https://acme.example\"\nsecret = \"hunter2\"\n"),
        code: "exit 1",
        place: "",
        words: "unpause.toml, line 3: notify.webhook.ops.secret is not valid: expected whsec_ and 24 to 64 bytes in base64, found a text that is not shown here",
    },
    Row {
        case: "configuration that is not TOML, with a secret on the line",
        how: serve("[providers.sandbox]\nclient_secret = \"hunter2\n"),
        code: "exit 1",
        place: "",
        words: "unpause.toml, line 2: not valid TOML: invalid basic string, expected `\"`",
    },
    Row {
        case: "variable that does not exist",
        how: How::Alone(Alone {
            variable: Some(("UNPAUSE_LISEN", "127.0.0.1:7411")),
            ..alone("")
        }),
        code: "exit 1",
        place: "",
        words: "variable UNPAUSE_LISEN: there is no setting \"UNPAUSE_LISEN\"; did you mean \"UNPAUSE_LISTEN\"?",
    },
    Row {
        case: "provider that does not exist",
        how: serve("[providers.gogle]\nclient_id = \"c\"\n"),
        code: "exit 1",
        place: "",
        words: "unpause.toml, line 1: providers.gogle is not valid: expected one of the known providers: …, found \"gogle\"",
    },
    Row {
        case: "provider without what it needs",
        how: serve("[providers.sandbox]\nclient_id = \"c\"\n"),
        code: "exit 1",
        place: "",
        words: "providers.sandbox.issuer is missing: expected an https URL, or an http URL on loopback",
    },
    Row {
        case: "address that others reach",
        how: serve("listen = \"0.0.0.0:7411\"\n"),
        code: "exit 1",
        place: "",
        words: "unpause.toml, line 1: the relay cannot listen on 0.0.0.0:7411, which others reach: set public_url to its https address and tls.acme.terms_agreed, or tls.certificate and tls.key, or proxy.trusted to the address of the proxy in front that speaks TLS; or use 127.0.0.1 or [::1]",
    },
    Row {
        case: "https address, and nothing that speaks TLS",
        how: serve("public_url = \"https://relay.acme.example\"\n"),
        code: "exit 1",
        place: "",
        words: "unpause.toml, line 1: public_url is https, and nothing here speaks TLS: set tls.acme.terms_agreed, or tls.certificate and tls.key, or proxy.trusted to the address of the proxy in front that speaks TLS",
    },
    Row {
        case: "certificate that is not there",
        how: serve(
            "listen = \"127.0.0.1:0\"\npublic_url = \"https://localhost\"\ntls.certificate = \"c.pem\"\ntls.key = \"k.pem\"\n",
        ),
        code: "exit 1",
        place: "",
        words: "tls.certificate ~/c.pem cannot be read: No such file or directory (os error 2)",
    },
    Row {
        case: "issuer over http on another machine",
        how: serve("[providers.sandbox]\nissuer = \"http://accounts.example\"\n"),
        code: "exit 1",
        place: "",
        words: "unpause.toml, line 2: providers.sandbox.issuer is not valid: expected an https URL, or an http URL on loopback, found \"http://accounts.example\"",
    },
    Row {
        case: "configuration that is not there",
        how: How::Alone(Alone {
            arguments: &["serve", "--config", "nowhere.toml"],
            ..alone("")
        }),
        code: "exit 1",
        place: "",
        words: "the configuration nowhere.toml cannot be read: No such file or directory (os error 2)",
    },
    Row {
        case: "root certificates that are not there",
        how: serve("listen = \"127.0.0.1:0\"\nextra_roots_file = \"nowhere.pem\"\n"),
        code: "exit 1",
        place: "",
        words: "the root certificates ~/nowhere.pem cannot be read: No such file or directory (os error 2)",
    },
    Row {
        case: "port in use",
        how: serve("listen = \"{taken}\"\n"),
        code: "exit 1",
        place: "",
        words: "127.0.0.1:… is in use by another program: stop it, or set `listen` to another port",
    },
    Row {
        case: "second relay on the same database",
        how: How::Alone(Alone {
            before: Before::Runs,
            ..alone(ANY_PORT)
        }),
        code: "exit 1",
        place: "",
        words: "another relay is using the database ~/.local/share/unpause/unpause.db: stop it first, or give this one a data folder of its own",
    },
    Row {
        case: "database of a newer version",
        how: where_one_ran("its database was migrated by a newer version", |home| {
            Box::pin(async move { make_newer(&home.database()).await })
        }),
        code: "exit 1",
        place: "",
        words: "the database ~/.local/share/unpause/unpause.db was written by a newer version of unpause (its migration 9999, the newest known here 38): install that version, or restore a backup",
    },
    Row {
        case: "database that is none",
        how: where_one_ran("its database was overwritten", |home| {
            Box::pin(async move { Ok(std::fs::write(home.database(), "a letter to Ann\n")?) })
        }),
        code: "exit 1",
        place: "",
        words: "the file ~/.local/share/unpause/unpause.db is not an SQLite database: move it away, or set `data` to another folder",
    },
    Row {
        case: "database that was cut short",
        how: where_one_ran("its database has half its length", |home| {
            Box::pin(async move {
                let file = std::fs::File::options().write(true).open(home.database())?;
                let half = file.metadata()?.len() / 2;
                Ok(file.set_len(half)?)
            })
        }),
        code: "exit 1",
        place: "",
        words: "the database ~/.local/share/unpause/unpause.db is damaged (database disk image is malformed): put a backup of the data folder back; what was sent since is looked for before anything leaves",
    },
    Row {
        case: "key file that is missing",
        how: where_one_ran("its key file was deleted", |home| {
            Box::pin(async move { Ok(std::fs::remove_file(home.key_file())?) })
        }),
        code: "exit 1",
        place: "",
        words: "the key file ~/.config/unpause/unpause.key is missing; the credentials in the database cannot be opened without it: put it back from your backup, or move the database away to begin anew",
    },
    Row {
        case: "key file of another database",
        how: where_one_ran("its key file was replaced", |home| {
            Box::pin(async move {
                home.write_key("unpause-key-1\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n")
            })
        }),
        code: "exit 1",
        place: "",
        words: "the key file ~/.config/unpause/unpause.key is not the one that sealed this database: it has the key …, the database needs …; put the right file back from your backup",
    },
    Row {
        case: "key file that is none",
        how: How::Alone(Alone {
            then: Some(("the key file is something else", |home| {
                Box::pin(async move { home.write_key("not a key\n") })
            })),
            ..alone(ANY_PORT)
        }),
        code: "exit 1",
        place: "",
        words: "the key file ~/.config/unpause/unpause.key is not an unpause key file: expected the line \"unpause-key-2\" and a line of 43 characters",
    },
    Row {
        case: "key file that others may read",
        how: where_one_ran("`chmod 644 ~/.config/unpause/unpause.key`", |home| {
            Box::pin(async move { home.set_key_mode(0o644) })
        }),
        code: "exit 1",
        place: "",
        words: "the key file ~/.config/unpause/unpause.key can be read by others (mode 644): run `chmod 600 ~/.config/unpause/unpause.key`",
    },
    Row {
        case: "folder of the key file that others may write to",
        how: where_one_ran("`chmod 777 ~/.config/unpause`", |home| {
            Box::pin(async move { home.set_mode(".config/unpause", 0o777) })
        }),
        code: "exit 1",
        place: "",
        words: "others may write to the folder of the key file ~/.config/unpause/unpause.key (mode 777): run `chmod go-w ~/.config/unpause`",
    },
    Row {
        case: "configuration with a secret that others may read",
        how: serve(
            "listen = \"127.0.0.1:0\"\n[providers.sandbox]\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"c\"\nclient_secret = \"hunter2\"\nsmtp.host = \"127.0.0.1\"\nimap.host = \"127.0.0.1\"\n",
        ),
        code: "exit 1",
        place: "",
        words: "the configuration unpause.toml holds a secret (providers.sandbox.client_secret) and can be read by others (mode 644): run `chmod 600 unpause.toml`",
    },
    Row {
        case: "data folder of another user",
        how: where_one_ran("`chown nobody ~/.local/share/unpause`", |home| {
            Box::pin(async move { home.give_data_away() })
        }),
        code: "exit 1",
        place: "",
        words: "the folder ~/.local/share/unpause belongs to the user with the id 65534, and this is run by the one with the id …: run it as the folder's user, or name another folder",
    },
];

const fn alone(config: &'static str) -> Alone {
    Alone {
        arguments: &["serve"],
        config,
        variable: None,
        before: Before::Nothing,
        then: None,
    }
}

const fn serve(config: &'static str) -> How {
    How::Alone(alone(config))
}

const fn where_one_ran(what: &'static str, then: Change) -> How {
    How::Alone(Alone {
        before: Before::Ran,
        then: Some((what, then)),
        ..alone(ANY_PORT)
    })
}
