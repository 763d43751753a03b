//! Work that is never done twice at a time. Pure: it only says whose turn it is; the work is with its caller.

use std::cell::Cell;

/// Whoever comes while the work is being done has it done once more after that.
#[derive(Default)]
pub(super) struct Turn {
    is_taken: Cell<bool>,
    is_wanted: Cell<bool>,
}

impl Turn {
    /// Whether the caller is to do it now; then it asks [`Turn::is_over`] each time it was done.
    pub(super) fn is_mine(&self) -> bool {
        if self.is_taken.replace(true) {
            self.is_wanted.set(true);
            return false;
        }
        true
    }

    /// Whether it is enough; else it is to be done once more.
    pub(super) fn is_over(&self) -> bool {
        let is_over = !self.is_wanted.take();
        self.is_taken.set(!is_over);
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_meanwhile_has_it_done_once_more() {
        let turn = Turn::default();
        assert!(turn.is_mine());
        assert!(!turn.is_mine() && !turn.is_mine());
        assert!(!turn.is_over());
        assert!(!turn.is_mine());
        assert!(!turn.is_over());
        assert!(turn.is_over());
        assert!(turn.is_mine());
    }
}
