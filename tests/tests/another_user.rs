//! Others at the same machine: a stranger with a user of his own, a folder that was made open, and whoever takes the
//! port of a relay that was killed. Played with real processes of real users, which only root can do: elsewhere these
//! tests fail and say so.
#![cfg(test)]

#[path = "another_user/attacks.rs"]
mod attacks;
#[path = "another_user/doctor.rs"]
mod doctor;
#[path = "another_user/machine.rs"]
mod machine;
#[path = "another_user/open_folders.rs"]
mod open_folders;
#[path = "another_user/stand_ins.rs"]
mod stand_ins;
