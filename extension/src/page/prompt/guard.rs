//! Whether a press in the prompt is a person's who saw what was pressed. Pure; how it is measured is in `sight`.
//!
//! Only Chromium can say whether a frame is covered (`IntersectionObserver` with `trackVisibility`). Firefox says
//! whether it is within the window; there the provider's own window, which no page can cover, is the confirmation, so
//! nothing may be tried before it.

/// How long the card must have been in sight: longer than it takes to press on something else that stood there.
pub const IN_SIGHT_FOR_MS: f64 = 500.0;

/// A press, and what was known when it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Click {
    /// Whether the browser made the event for a person (`Event.isTrusted`).
    pub is_trusted: bool,
    /// Whether the browser holds the person to be active in this frame (`UserActivation.isActive`).
    pub is_active: bool,
    /// Whether the keyboard is this frame's (`Document.hasFocus`).
    pub has_focus: bool,
    /// When it came, in milliseconds of the frame's own clock.
    pub at_ms: f64,
    /// Whether the whole frame was in sight.
    pub sight: Sight,
}

/// Whether the whole frame is in sight, and since when without a break, in milliseconds of the frame's own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Sight {
    /// It is not.
    #[default]
    Out,
    /// It is within the window; the browser does not tell whether something covers it.
    Within {
        /// Since when.
        since_ms: f64,
    },
    /// It is within the window, and nothing covers it.
    Uncovered {
        /// Since when.
        since_ms: f64,
    },
}

/// What a press that counts may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Anything.
    Anything,
    /// Only what the person sees and confirms elsewhere: the frame may have been covered.
    InSight,
}

/// Why a press does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// A program made it.
    NotPressed,
    /// The card was not in sight, wholly and uncovered.
    Covered,
    /// The card had only just come in sight.
    TooSoon,
}

impl Ignored {
    /// What the person is told.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotPressed => "Nothing was started: this was not pressed by a person.",
            Self::Covered => "This card was covered. Open Unpause from the toolbar.",
            Self::TooSoon => "This card had only just appeared. Press once more.",
        }
    }
}

/// Whether a press counts, and for what.
pub fn judge(click: &Click) -> Result<Allowed, Ignored> {
    if !click.is_trusted || !click.is_active || !click.has_focus {
        return Err(Ignored::NotPressed);
    }
    let (since_ms, allowed) = match click.sight {
        Sight::Out => return Err(Ignored::Covered),
        Sight::Within { since_ms } => (since_ms, Allowed::InSight),
        Sight::Uncovered { since_ms } => (since_ms, Allowed::Anything),
    };
    if click.at_ms - since_ms < IN_SIGHT_FOR_MS {
        return Err(Ignored::TooSoon);
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Click = Click {
        is_trusted: true,
        is_active: true,
        has_focus: true,
        at_ms: 2_000.0,
        sight: Sight::Uncovered { since_ms: 1_000.0 },
    };

    #[test]
    fn only_a_person_who_saw_the_card_for_half_a_second_starts_anything() {
        for (click, expected) in [
            (SEEN, Ok(Allowed::Anything)),
            (
                Click {
                    sight: Sight::Uncovered { since_ms: 1_500.0 },
                    ..SEEN
                },
                Ok(Allowed::Anything),
            ),
            (
                Click {
                    sight: Sight::Within { since_ms: 1_500.0 },
                    ..SEEN
                },
                Ok(Allowed::InSight),
            ),
            (
                Click {
                    sight: Sight::Within { since_ms: 1_501.0 },
                    ..SEEN
                },
                Err(Ignored::TooSoon),
            ),
            (
                Click {
                    sight: Sight::Uncovered { since_ms: 1_501.0 },
                    ..SEEN
                },
                Err(Ignored::TooSoon),
            ),
            (
                Click {
                    sight: Sight::Out,
                    ..SEEN
                },
                Err(Ignored::Covered),
            ),
            (
                Click {
                    is_trusted: false,
                    ..SEEN
                },
                Err(Ignored::NotPressed),
            ),
            (
                Click {
                    is_active: false,
                    ..SEEN
                },
                Err(Ignored::NotPressed),
            ),
            (
                Click {
                    has_focus: false,
                    ..SEEN
                },
                Err(Ignored::NotPressed),
            ),
        ] {
            assert_eq!(judge(&click), expected, "{click:?}");
        }
    }
}
