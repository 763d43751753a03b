//! Readers and writers of the texts that campaigns and mail consist of: lead lists, fields, templates, the messages that
//! leave, and what arrives. Values to values: no `async`, no IO, no clock, no randomness; what is decided on what
//! was read is `engine`'s.

pub mod arrival;
pub mod attached;
pub mod field;
pub mod leads;
pub mod message;
pub mod own;
pub mod plain;
pub mod sequence;
pub mod suppressions;
pub mod template;
pub mod way_out;
