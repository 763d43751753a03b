//! What the whole relay does, started in process against a sandbox: what survives a restart, what a gap
//! does, how tokens are kept. Conversations with single servers are elsewhere.

#![cfg(test)]

mod added;
mod arrivals;
mod confirming;
mod copies;
mod corrected;
mod corrections;
mod decided;
mod doors;
mod elsewhere;
mod ended;
mod endings;
mod folders;
mod gap;
mod hand_over;
mod heard;
mod hosted;
mod leases;
mod marks;
mod messages;
mod names;
mod one_offs;
mod pace;
mod passwords;
mod people;
mod receipts;
mod reconnects;
mod refused;
mod replies;
mod restarts;
mod restored;
mod rolled_back;
mod sending;
mod servers;
mod set_back;
mod shut;
mod stall;
mod starting;
mod tokens;
mod unsubscribed;
