//! Public functions and constants that nobody names. All that is reachable is `pub`, so the compiler takes it for
//! used; this looks whether the name of each stands anywhere else in the checkout.
//!
//! By name alone: two of one name hide one another. Types are not looked at, nor what is less than `pub`, which the
//! compiler sees itself.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::Finding;
use super::rust_source::{first_word, is_word, item, line_at, test_items};
use super::tree::{File, Tree};

/// Crates that are there for tests and for the developer's commands: a test may be the only user there.
const FOR_TESTS: &[&str] = &["fuzz/", "sandbox/", "tests/", "xtask/"];

/// Crates that are tests.
const TESTS: &[&str] = &["fuzz/", "tests/"];

/// Where others than Rust name what is ours: the glue of the pages.
const OTHERS: &[&str] = &[".js", ".mjs", ".html"];

/// Finds public functions, methods, constants and statics that nobody names, or only tests.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let test_modules = test_modules(tree);
    let files: Vec<Named<'_>> = tree
        .rust()
        .map(|file| Named::read(file, &test_modules))
        .collect();
    let mut defined: HashMap<&str, Uses> = files
        .iter()
        .flat_map(Named::definitions)
        .map(|definition| (definition.name, Uses::default()))
        .collect();
    for (idx, file) in files.iter().enumerate() {
        for word in file.words.iter().filter(|word| word.is == Is::Use) {
            if let Some(uses) = defined.get_mut(word.name) {
                let place = Place {
                    file: idx,
                    line: word.line,
                };
                if file.is_test(word.line) {
                    uses.in_tests.push(place);
                } else {
                    uses.in_production.push(place);
                }
            }
        }
    }
    for name in others(tree).flat_map(|file| file.text.split(|c| !is_word(c))) {
        if let Some(uses) = defined.get_mut(name) {
            uses.by_others = true;
        }
    }
    let mut findings = Vec::new();
    for (idx, file) in files.iter().enumerate() {
        for definition in file.definitions() {
            let own = definition.line..=definition.last_line;
            let is_elsewhere = |place: &Place| place.file != idx || !own.contains(&place.line);
            let Some(uses) = defined.get(definition.name) else {
                continue;
            };
            if uses.by_others || uses.in_production.iter().any(is_elsewhere) {
                continue;
            }
            let name = definition.name;
            let says = if !uses.in_tests.iter().any(is_elsewhere) {
                format!("remove `{name}`: nothing names it")
            } else if FOR_TESTS.iter().any(|folder| file.path.starts_with(folder)) {
                continue;
            } else {
                format!("remove `{name}` or move it to the tests: only tests name it")
            };
            findings.push(Finding::line(file.path, definition.line, says));
        }
    }
    findings
}

fn others(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files
        .iter()
        .filter(|file| OTHERS.iter().any(|end| file.path.ends_with(end)))
}

/// Where one name is used.
#[derive(Default)]
struct Uses {
    in_production: Vec<Place>,
    in_tests: Vec<Place>,
    /// By what is not Rust.
    by_others: bool,
}

struct Place {
    /// Its index among the Rust files.
    file: usize,
    line: usize,
}

/// The names in a file.
struct Named<'a> {
    path: &'a str,
    words: Vec<Word<'a>>,
    /// The lines that are compiled for tests only.
    tests: Vec<RangeInclusive<usize>>,
}

impl<'a> Named<'a> {
    fn read(file: &'a File, test_modules: &[String]) -> Self {
        let source = file.source();
        let is_test = TESTS.iter().any(|folder| file.path.starts_with(folder))
            || file.path.split('/').nth(1) == Some("tests")
            || test_modules.iter().any(|module| {
                let rest = file.path.strip_prefix(module.as_str());
                rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            });
        let tests = if is_test {
            vec![1..=usize::MAX]
        } else {
            test_items(&source.code)
                .map(|(at, item)| {
                    let line = line_at(&source.code, at);
                    line..=line + item.matches('\n').count()
                })
                .collect()
        };
        let mut words = words(&source.code);
        for literal in &source.literals {
            words.extend(named_in_literal(&literal.text).map(|name| Word {
                name,
                line: literal.line,
                last_line: literal.line,
                is: Is::Use,
            }));
        }
        Self {
            path: &file.path,
            words,
            tests,
        }
    }

    fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }

    /// What the file gives to others.
    fn definitions(&self) -> impl Iterator<Item = &Word<'a>> {
        self.words
            .iter()
            .filter(|word| word.is == Is::Public && !self.is_test(word.line))
    }
}

/// A word of code.
struct Word<'a> {
    name: &'a str,
    /// From 1.
    line: usize,
    /// Where what it defines ends; the same line for all else.
    last_line: usize,
    is: Is,
}

#[derive(PartialEq, Eq)]
enum Is {
    /// The name of a function, constant or static that anybody may name.
    Public,
    /// Neither a use nor anything to find: the name of what is less than public, and what an import makes known.
    Neither,
    Use,
}

/// Every word, in order.
fn words(code: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut is_import = false;
    let mut is_public = false;
    let mut before = "";
    let mut line = 1;
    let mut rest = code;
    while let Some(begin) = rest.find(is_word) {
        let (between, tail) = rest.split_at(begin);
        let name = first_word(tail);
        rest = tail.get(name.len()..).unwrap_or_default();
        line += between.matches('\n').count();
        is_import &= !between.contains(';');
        is_public &= !between.contains([';', '{', '}', '(', ')']);
        let is_defined = matches!(before, "fn" | "const" | "static")
            && !matches!(name, "fn" | "async" | "mut")
            && between.trim_start().is_empty();
        let is = match name {
            "pub" => {
                is_public = true;
                Is::Neither
            }
            "use" => {
                is_import = true;
                Is::Neither
            }
            "as" if is_import => {
                // Who renames it uses it under another name.
                if let Some(renamed) = words.last_mut() {
                    renamed.is = Is::Use;
                }
                Is::Neither
            }
            "fn" | "const" | "static" | "mut" => Is::Neither,
            _ if is_defined && is_public => Is::Public,
            _ if is_defined || is_import => Is::Neither,
            _ => Is::Use,
        };
        let last_line = match is {
            Is::Public => line + item(rest).matches('\n').count(),
            Is::Neither | Is::Use => line,
        };
        is_public &= !is_defined;
        words.push(Word {
            name,
            line,
            last_line,
            is,
        });
        before = name;
    }
    words
}

/// The names in a literal: those of a path that stands alone, as attributes take one, and what a format string shows.
fn named_in_literal(text: &str) -> impl Iterator<Item = &str> {
    let is_path = text.chars().all(|c| is_word(c) || c == ':');
    let (separator, n_skipped) = if is_path { (':', 0) } else { ('{', 1) };
    text.split(separator)
        .skip(n_skipped)
        .map(first_word)
        .filter(|name| !name.is_empty())
}

/// The modules in files of their own that `#[cfg(test)]` stands before: `a/b` for `mod b;` in `a.rs`.
fn test_modules(tree: &Tree) -> Vec<String> {
    let mut modules = Vec::new();
    for file in tree.rust() {
        let Some(folder) = file.path.strip_suffix(".rs") else {
            continue;
        };
        let folder = ["/lib", "/main"]
            .iter()
            .find_map(|root| folder.strip_suffix(root))
            .unwrap_or(folder);
        for (_, item) in test_items(&file.source().code) {
            if let Some((_, name)) = item.split_once("mod ")
                && item.ends_with(';')
            {
                modules.push(format!("{folder}/{}", first_word(name)));
            }
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn what_nobody_names_is_found() {
        let text = "//! a\npub fn is_used() {}\npub async fn is_accepted() {\n    is_accepted()\n}\nimpl A {\n    pub const fn is_asked(&self) { is_used() }\n    pub(crate) fn is_inner(&self) {}\n}\npub const LIMIT: [u8; 2] = [1, 2];\npub static NAME: &str = \"is_accepted of\";\n// is_accepted\n";
        let other = "use super::a::{is_accepted, LIMIT};\npub use crate::is_asked;\n";
        assert_eq!(
            found(
                check,
                &[("relay/src/a.rs", text), ("relay/src/b.rs", other)]
            ),
            [
                "relay/src/a.rs:3: remove `is_accepted`: nothing names it",
                "relay/src/a.rs:7: remove `is_asked`: nothing names it",
                "relay/src/a.rs:10: remove `LIMIT`: nothing names it",
                "relay/src/a.rs:11: remove `NAME`: nothing names it",
            ]
        );
    }

    #[test]
    fn a_name_is_used_by_code_attributes_formats_renaming_and_scripts() {
        let text = "//! a\npub fn a() {}\npub fn b() {}\npub const C: u8 = 1;\npub fn d() {}\npub fn e() {}\n";
        let user = "//! b\nuse super::a::{d as other, e};\n#[serde(default = \"super::b\")]\nstruct S { f: fn() }\nfn f() { e(); other(); format!(\"{C} is it\") }\n";
        assert_eq!(
            found(
                check,
                &[
                    ("web/src/a.rs", text),
                    ("web/src/b.rs", user),
                    ("web/static/start.mjs", "import init, { a } from 'x';"),
                ]
            ),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_only_tests_name_is_found_but_in_the_crates_for_tests() {
        let text = "//! a\npub fn fetch_headers() {}\n";
        let rule = "remove `fetch_headers` or move it to the tests: only tests name it";
        let call = "//! b\nfn f() { fetch_headers() }\n";
        let module =
            "//! b\n#[cfg(test)]\nmod tests {\n    fn f(a: [u8; 2]) { fetch_headers() }\n}\n";
        let named = "//! b\n#[cfg(test)]\nmod example;\n";
        for files in [
            &[("relay/tests/it/imap.rs", call)][..],
            &[("tests/src/imap.rs", call)],
            &[("fuzz/src/imap.rs", call)],
            &[("relay/src/imap/b.rs", module)],
            &[
                ("relay/src/b.rs", named),
                ("relay/src/b/example/deep.rs", call),
            ],
            &[("relay/src/lib.rs", named), ("relay/src/example.rs", call)],
        ] {
            let with = |path| [&[(path, text)][..], files].concat();
            assert_eq!(
                found(check, &with("relay/src/a.rs")),
                [format!("relay/src/a.rs:2: {rule}")],
                "{files:?}"
            );
            assert!(
                found(check, &with("sandbox/src/a.rs")).is_empty(),
                "{files:?}"
            );
        }
        let used = [("relay/src/a.rs", text), ("relay/src/b.rs", call)];
        assert!(found(check, &used).is_empty());
        let after = [
            ("relay/src/a.rs", text),
            (
                "relay/src/b.rs",
                "//! b\n#[cfg(test)]\nmod tests {\n}\nfn f() { fetch_headers() }\n",
            ),
        ];
        assert!(found(check, &after).is_empty());
    }
}
