//! The corpus and the dictionary of a target, as they stand in the repository: seeds written by hand, and an input
//! for each thing that was found.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One input.
#[derive(Clone, Debug)]
pub struct Input {
    /// The file's name.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The folder that holds a corpus for each target.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// A target's inputs, by name.
pub fn load(target: &str) -> io::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder().join(target))? {
        let entry = entry?;
        inputs.push(Input {
            name: entry.file_name().to_string_lossy().into_owned(),
            bytes: fs::read(entry.path())?,
        });
    }
    inputs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(inputs)
}

/// A target's dictionary: words that its reader knows.
pub fn load_words(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("dictionary")
        .join(format!("{target}.dict"));
    Ok(fs::read_to_string(file)?
        .lines()
        .filter_map(parse_word)
        .collect())
}

/// A line as libFuzzer reads it: `"word"`, with `\\`, `\"` and `\xAB`; anything else is no word.
fn parse_word(line: &str) -> Option<Vec<u8>> {
    let mut rest = line.trim().strip_prefix('"')?.strip_suffix('"')?.bytes();
    let mut word = Vec::new();
    while let Some(byte) = rest.next() {
        word.push(match byte {
            b'\\' => match rest.next()? {
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                escaped => escaped,
            },
            plain => plain,
        });
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::parse_word;

    #[test]
    fn words_are_read_as_libfuzzer_reads_them() {
        assert_eq!(parse_word(r#""250-\x0d\x0a""#), Some(b"250-\r\n".to_vec()));
        assert_eq!(parse_word(r#" "a\"\\" "#), Some(b"a\"\\".to_vec()));
        assert_eq!(parse_word("# comment"), None);
    }
}
