//! What every page of ours shares in a browser, be it the extension's or the dashboard's: the card, the words for
//! times, the icons, and calling the relay. Absent on purpose: anything that only an extension has (`browser.*`).

pub mod call;
pub mod card;
pub mod icon;
pub mod sealing;
pub mod when;
