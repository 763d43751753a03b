//! What is known of kinds of sites, as data: each rule is a file and a line here. The first that knows a site
//! decides. Rules are pure; they see what the eyes read and what the relay said last, and nothing else.

use crate::detect::{Known, Place, Verdict};
use crate::message::Page;

macro_rules! sites {
    ($($file:ident,)*) => {
        $(mod $file;)*

        /// Every rule, the most particular first.
        pub static RULES: &[&Rule] = &[$(&$file::RULE,)*];
    };
}

// One line for each rule; the order matters.
sites! {
    dashboard,
    webmail,
    generic,
}

/// What is known of one kind of site.
#[derive(Debug)]
pub struct Rule {
    /// Its name: the file's.
    pub name: &'static str,
    /// Whether a page is of this kind.
    pub knows: fn(&Place, &Known) -> bool,
    /// What to do about a page of this kind.
    pub decide: fn(&Place, &Page, &Known) -> Verdict,
}

#[cfg(test)]
mod fixture;
