//! The story of Unpause, played for real: a campaign is paused by a dead permission, reconnected, and
//! continues exactly where it stopped. The relay is a process, the servers are real sockets, and what
//! was sent is counted where it arrived.

pub mod api;
pub mod desk;
pub mod hearing;
pub mod mailboxes;
pub mod play;
pub mod play_in_browser;
pub mod reconnecting;
pub mod relay;
pub mod screens;
pub mod servers;
pub mod telling;
