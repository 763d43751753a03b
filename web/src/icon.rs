//! The icons: small drawings that stand beside words and never alone, so they are hidden from screen readers.

use yew::{Html, html};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// Proved, or it works.
    Tick,
    /// Being done.
    Turning,
    /// To come.
    Dot,
    /// Cut off.
    Broken,
    /// Held.
    Paused,
    /// Sending.
    Going,
    /// Something to know.
    Note,
    /// Put aside, end.
    Cross,
    /// Set up.
    Gear,
    /// Copy.
    Copy,
}

/// The icon as an element of 16 by 16 pixels, in the colour of the text around it.
pub fn view(icon: Icon) -> Html {
    let class = match icon {
        Icon::Turning => "icon icon-turning",
        _ => "icon",
    };
    html! {
        <svg {class} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
            { draw(icon) }
        </svg>
    }
}

fn draw(icon: Icon) -> Html {
    match icon {
        Icon::Tick => html! { <path class="line" d="M3 8.5l3.2 3.2L13 4.8" /> },
        Icon::Turning => html! {
            <>
                <circle class="line faint" cx="8" cy="8" r="5.5" />
                <path class="line" d="M8 2.5a5.5 5.5 0 0 1 5.5 5.5" />
            </>
        },
        Icon::Dot => html! { <circle class="fill" cx="8" cy="8" r="2" /> },
        Icon::Broken => html! {
            <>
                <circle class="fill" cx="8" cy="8" r="7" />
                <path class="line cut" d="M8 4.2v4.6M8 11.6v.2" />
            </>
        },
        Icon::Paused => html! {
            <>
                <rect class="fill" x="4" y="3" width="3" height="10" rx="1" />
                <rect class="fill" x="9" y="3" width="3" height="10" rx="1" />
            </>
        },
        Icon::Going => {
            html! { <path class="fill" d="M5 3.2v9.6a.6.6 0 0 0 .9.5l7.4-4.8a.6.6 0 0 0 0-1L5.9 2.7a.6.6 0 0 0-.9.5z" /> }
        }
        Icon::Note => html! {
            <>
                <circle class="line" cx="8" cy="8" r="6" />
                <path class="line" d="M8 7.5v3.2M8 5.1v.1" />
            </>
        },
        Icon::Cross => html! { <path class="line" d="M4 4l8 8M12 4l-8 8" /> },
        Icon::Gear => html! {
            <>
                <circle class="line" cx="8" cy="8" r="2.2" />
                <path class="line" d="M8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6l1.4 1.4M11 11l1.4 1.4M12.4 3.6L11 5M5 11l-1.4 1.4" />
            </>
        },
        Icon::Copy => html! {
            <>
                <rect class="line" x="5.5" y="5.5" width="8" height="8" rx="1.5" />
                <path class="line" d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5" />
            </>
        },
    }
}
