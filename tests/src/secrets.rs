//! The search for secrets: the story is played with marked values, everything that it leaves is collected, and each
//! marker is looked for in every form. What may hold one is listed, with its reason, in [`allowed`].
//!
//! Not searched: the memory of a process, and what a system keeps of it when it crashes (SIGKILL leaves no core).

pub mod allowed;
pub mod form;
pub mod gather;
pub mod in_browser;
pub mod on_a_server;
pub mod recorder;
pub mod run;
pub mod search;
pub mod watched;
pub mod without_browser;
