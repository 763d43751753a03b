//! The configuration file while a provider is set up: one section changes, everything else stays as it was written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use protocol::inbox::TlsMode;
use protocol::secret::Secret;
use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};
use zeroize::Zeroizing;

use super::SetupError;
use super::form::{Form, Server};
use crate::config::{ConfigError, Place};

/// The table of the providers.
const PROVIDERS: &str = "providers";
/// The key whose value is never shown.
const SECRET: &str = "client_secret";
/// What a file begins with that was not there before.
const FIRST_LINE: &str =
    "# The configuration of this relay. Every setting: unpause config --reference\n\n";
/// Who may read a file with a secret in it: its owner.
const MODE: u32 = 0o600;

/// A registration, as it is written down.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
}

/// A configuration file as it is read, or as it will be made.
pub(super) struct ConfigFile {
    path: PathBuf,
    /// `None` where there is no file yet.
    text: Option<Zeroizing<String>>,
    document: DocumentMut,
}

impl ConfigFile {
    /// Reads the file, which need not be there.
    pub(super) fn load(path: &Path) -> Result<Self, SetupError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Some(Zeroizing::new(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(SetupError::Unreadable {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let whole = text.as_ref().map_or(FIRST_LINE, |text| text.as_str());
        let document = whole.parse().map_err(|error: toml_edit::TomlError| {
            let at = error.span().map_or(0, |span| span.start);
            let n_breaks = whole.bytes().take(at).filter(|byte| *byte == b'\n').count();
            ConfigError::NotToml {
                place: Place::Line {
                    path: path.to_owned(),
                    line: n_breaks + 1,
                },
                // The message alone: the whole error quotes the line, and a secret may stand in it.
                found: error.message().to_owned(),
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
            document,
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The settings of a provider, one on a line and without its secret; `None` where there are none.
    pub(super) fn describe(&self, form: &Form) -> Option<String> {
        let section = self
            .document
            .get(PROVIDERS)?
            .get(form.id)?
            .as_table_like()?;
        let mut lines = String::new();
        describe(section, "", &mut lines);
        Some(lines)
    }

    /// The file's text with this registration. Servers that are named already stay.
    pub(super) fn with(
        &self,
        form: &Form,
        registration: &Registration,
    ) -> Result<Zeroizing<String>, SetupError> {
        let mut document = self.document.clone();
        let end = end_of(&document);
        let providers = document.entry(PROVIDERS).or_insert_with(|| {
            let mut table = Table::new();
            // `[providers.google]` says it all.
            table.set_implicit(true);
            Item::Table(table)
        });
        let is_last = providers.is_table();
        let providers = self.table(form, providers, PROVIDERS.to_owned())?;
        let is_new = !providers.contains_key(form.id);
        let section = providers
            .entry(form.id)
            .or_insert_with(|| Item::Table(last_table(&end)));
        let section = self.table(form, section, format!("{PROVIDERS}.{}", form.id))?;
        put(section, "issuer", &registration.issuer);
        put(section, "client_id", &registration.client_id);
        put(section, SECRET, registration.client_secret.expose());
        for (key, server) in [("smtp", &form.smtp), ("imap", &form.imap)] {
            if !section.contains_key(key) {
                section.insert(key, Item::Value(render(server)));
            }
        }
        if is_new && is_last {
            // It stands before the new section now.
            document.set_trailing("");
        }
        Ok(Zeroizing::new(document.to_string()))
    }

    /// Puts `text` in the place of the file at once, readable by its owner alone.
    pub(super) fn write(&self, text: &str) -> Result<(), SetupError> {
        replace(&self.path, text).map_err(|source| SetupError::Unwritable {
            path: self.path.clone(),
            source,
        })
    }

    /// Whether the file was there before.
    pub(super) fn is_new(&self) -> bool {
        self.text.is_none()
    }

    fn table<'item>(
        &self,
        form: &Form,
        item: &'item mut Item,
        key: String,
    ) -> Result<&'item mut dyn TableLike, SetupError> {
        item.as_table_like_mut()
            .ok_or_else(|| SetupError::NotATable {
                path: self.path.clone(),
                key,
                id: form.id,
            })
    }
}

/// What stands at the end of the file, after the last setting, and then an empty line.
fn end_of(document: &DocumentMut) -> String {
    let mut end = document.trailing().as_str().unwrap_or_default().to_owned();
    if !end.is_empty() && !end.ends_with('\n') {
        end.push('\n');
    }
    if !document.is_empty() && !end.ends_with("\n\n") {
        end.push('\n');
    }
    end
}

/// A section below everything else, after `end`.
fn last_table(end: &str) -> Table {
    let mut table = Table::new();
    table.set_position(Some(isize::MAX));
    table.decor_mut().set_prefix(end);
    table
}

/// Sets a value and keeps the comments around it.
fn put(section: &mut dyn TableLike, key: &str, text: &str) {
    let mut value = Value::from(text);
    let Some(item) = section.get_mut(key) else {
        section.insert(key, Item::Value(value));
        return;
    };
    if let Some(before) = item.as_value() {
        *value.decor_mut() = before.decor().clone();
    }
    *item = Item::Value(value);
}

fn render(server: &Server) -> Value {
    let mut table = InlineTable::new();
    table.insert("host", server.host.into());
    table.insert("port", i64::from(server.port).into());
    if server.tls == TlsMode::StartTls {
        table.insert("tls", "starttls".into());
    }
    Value::InlineTable(table)
}

fn describe(table: &dyn TableLike, above: &str, lines: &mut String) {
    for (key, item) in table.iter() {
        let line = match (key, item.as_table_like(), item.as_value()) {
            (SECRET, ..) => format!("{above}{key} = (not shown)\n"),
            (_, Some(below), _) => {
                describe(below, &format!("{above}{key}."), lines);
                continue;
            }
            (_, None, Some(value)) => {
                let mut value = value.clone();
                value.decor_mut().clear();
                format!("{above}{key} = {value}\n")
            }
            (_, None, None) => format!("{above}{key}\n"),
        };
        lines.push_str(&line);
    }
}

/// Writes beside the file, then renames over it. The owner stays, and so does a link that leads to it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = target.with_file_name(beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&beside)?;
    let written = fill(&mut file, &target, text).and_then(|()| fs::rename(&beside, &target));
    if written.is_err() {
        // What failed is told; this would only tell it twice.
        let _ = fs::remove_file(&beside);
    }
    written?;
    let folder = target
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn fill(file: &mut File, target: &Path, text: &str) -> io::Result<()> {
    if let Ok(before) = fs::metadata(target) {
        let ours = file.metadata()?;
        if (before.uid(), before.gid()) != (ours.uid(), ours.gid()) {
            fchown(&*file, Some(before.uid()), Some(before.gid()))?;
        }
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn registration() -> Registration {
        Registration {
            issuer: "https://accounts.google.com".to_owned(),
            client_id: "1-a.apps.googleusercontent.com".to_owned(),
            client_secret: Secret::new("GOCSPX-new"),
        }
    }

    fn file_with(text: &str) -> (tempfile::TempDir, ConfigFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.toml");
        fs::write(&path, text).unwrap();
        let file = ConfigFile::load(&path).unwrap();
        (folder, file)
    }

    #[test]
    fn a_section_goes_in_whichever_way_the_others_are_written() {
        let form = Form::find("google").unwrap();
        for before in [
            "",
            "# nothing but this",
            "log = \"debug\" # for now",
            "log = \"debug\" # for now\n\n# the end\n",
            "# ours\n[providers.sandbox] # a box\nissuer = \"http://127.0.0.1:1\"\n",
            "[providers]\nsandbox.issuer = \"http://127.0.0.1:1\"\n",
            "providers.sandbox.issuer = \"http://127.0.0.1:1\" # dotted\n",
            "providers = { sandbox = { issuer = \"http://127.0.0.1:1\" } } # inline\n",
            "[providers.google]\n# keep me\nclient_id = \"old\" # and me\nsmtp.host = \"smtp.acme.example\"\n\n[timing]\npoll_ms = 5\n",
        ] {
            let (_folder, file) = file_with(before);
            let after = file.with(form, &registration()).unwrap();
            let comments = before.lines().filter_map(|line| line.split_once('#'));
            for (_, comment) in comments {
                assert!(
                    after.contains(&format!("#{comment}")),
                    "{comment} is lost in\n{}",
                    *after
                );
            }
            let is_at_the_end =
                after.ends_with("imap = { host = \"imap.gmail.com\", port = 993 }\n");
            let is_elsewhere = before.contains("inline") || before.contains("timing");
            assert!(is_at_the_end || is_elsewhere, "{}", *after);
            let tree: toml::Table = toml::from_str(&after).unwrap();
            let google = &tree["providers"]["google"];
            assert_eq!(
                google["client_secret"].as_str(),
                Some("GOCSPX-new"),
                "{}",
                *after
            );
            assert_eq!(
                google["client_id"].as_str(),
                Some("1-a.apps.googleusercontent.com")
            );
            let theirs = before.contains("smtp.acme.example");
            let host = if theirs {
                "smtp.acme.example"
            } else {
                "smtp.gmail.com"
            };
            assert_eq!(google["smtp"]["host"].as_str(), Some(host), "{}", *after);
            let mut rest = tree.clone();
            rest["providers"].as_table_mut().unwrap().remove("google");
            let mut old: toml::Table = toml::from_str(before).unwrap();
            let providers = old.entry("providers").or_insert(toml::Table::new().into());
            providers.as_table_mut().unwrap().remove("google");
            assert_eq!(rest, old, "nothing else changed");
        }
    }

    #[test]
    fn what_stands_where_the_section_belongs_is_named() {
        let form = Form::find("google").unwrap();
        for (before, key) in [
            ("providers = 1", "providers is not a table"),
            (
                "[providers]\ngoogle = \"yes\"",
                "providers.google is not a table",
            ),
        ] {
            let (_folder, file) = file_with(before);
            let words = file.with(form, &registration()).unwrap_err().to_string();
            assert!(words.contains(key), "{words}");
        }
    }

    #[test]
    fn a_link_and_the_owner_stay_and_others_may_no_longer_read() {
        let (folder, file) = file_with("log = \"debug\"");
        let link = folder.path().join("link.toml");
        std::os::unix::fs::symlink(file.path(), &link).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        ConfigFile::load(&link)
            .unwrap()
            .write("log = \"info\"")
            .unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "log = \"info\"");
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing is left beside it"
        );
    }
}
