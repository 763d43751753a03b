//! The page that a person sees before the extension knows a relay: what Unpause is, and the one
//! thing to do. It asks for no permission and speaks to nobody.

use yew::{Html, component, html};

/// The id of the element in `extension/page/page.html` that the page is shown in.
pub const MOUNT: &str = "page";

/// Says that no relay is paired, and how to pair one.
#[component]
pub fn Page() -> Html {
    html! {
        <>
            <h1>{ "Unpause" }</h1>
            <section class="card" aria-labelledby="state">
                <h2 id="state">{ "Unpause is not paired with a relay yet." }</h2>
                <p>
                    { "The relay is a small server of your own. It sends your campaigns, sees when \
                       an inbox loses its connection, and continues exactly where it stopped once \
                       you have signed in again." }
                </p>
                <ol>
                    <li>{ "Start the relay on your computer or server." }</li>
                    <li>{ "Run " }<code>{ "unpause pair" }</code>{ " there. It shows a code." }</li>
                </ol>
                <p class="quiet">
                    { "Entering the code here comes with the next version of this extension." }
                </p>
            </section>
        </>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page as HTML, rendered as the browser would build it.
    async fn rendered() -> String {
        let renderer = yew::LocalServerRenderer::<Page>::new().hydratable(false);
        tokio::task::LocalSet::new()
            .run_until(renderer.render())
            .await
    }

    #[tokio::test]
    async fn it_says_what_is_missing_and_what_to_run() {
        let html = rendered().await;
        assert!(
            html.contains("Unpause is not paired with a relay yet."),
            "{html}"
        );
        assert!(html.contains("<code>unpause pair</code>"), "{html}");
    }

    #[tokio::test]
    async fn it_has_no_inline_style_or_script_which_its_policy_forbids() {
        let html = rendered().await;
        assert!(
            !html.contains("style=") && !html.contains("<script"),
            "{html}"
        );
    }

    #[test]
    fn the_document_has_the_element_that_the_page_is_shown_in() {
        let document = include_str!("../page/page.html");
        assert!(document.contains(&format!("id=\"{MOUNT}\"")), "{document}");
    }
}
