//! Stand-ins of the real world for the end-to-end tests: child processes, real mail servers,
//! a certified OpenID provider, and a scripted OAuth client that walks its pages as a person would.
//!
//! Deliberately absent: any mock of our own code, and any knowledge of the relay's insides.
//! Everything here is a process or a socket; everything ends with the value that started it.
//! Runs where Dovecot runs: on Unix.

pub mod authority;
pub mod browsers;
pub mod burn;
pub mod causes;
pub mod certificate;
pub mod child;
pub mod clock;
pub mod crash;
pub mod disk;
pub mod dovecot;
pub mod entrance;
pub mod faults;
mod free_port;
pub mod http_client;
pub mod impostor;
pub mod last_line;
pub mod lines;
pub mod lists;
pub mod oauth_client;
pub mod oidc;
pub mod page_server;
pub mod pages;
pub mod person;
pub mod programs;
pub mod restore;
pub mod score;
pub mod secrets;
pub mod signatures;
pub mod smtp_sink;
pub mod stand_in;
pub mod story;
pub mod wait;
pub mod webdriver;
