//! The targets, each a file and a line here. A target's corpus is `fuzz/corpus/<name>/`, its dictionary
//! `fuzz/dictionary/<name>.dict`.

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: the file's, and the corpus's.
    pub name: &'static str,
    /// Drives the reader with these bytes; the same bytes always end the same.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($file:ident,)*) => {
        $(mod $file;)*

        /// Every target.
        pub const TARGETS: &[Target] = &[
            $(Target { name: stringify!($file), run: $file::run },)*
        ];
    };
}

// One line for each target.
targets! {
    smtp_reply,
    imap_answer,
    bounce,
    leads_csv,
    eyes_message,
    api_body,
    passkey,
}

/// The target of this name.
pub fn find(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}
