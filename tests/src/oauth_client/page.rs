//! A page of a provider as a person sees it: its title, its forms, its links.
//! Pure: text in, values out. What to press is decided in `decide.rs`.

use scraper::{ElementRef, Html};
use url::Url;

/// What a person can see and press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// The text of `<title>`, else of the first heading.
    pub(super) title: String,
    /// In the page's order.
    pub(super) forms: Vec<Form>,
    /// In the page's order.
    pub(super) links: Vec<Link>,
    /// All visible text in one line; for errors.
    pub(super) text: String,
}

/// A form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    /// Where it goes.
    pub(super) action: Url,
    /// By POST, or by GET.
    pub(super) is_post: bool,
    /// Everything with a name and a value that is not a button.
    pub(super) inputs: Vec<Input>,
    /// The submit buttons. A form without any gets one without a name.
    pub(super) buttons: Vec<Button>,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) name: String,
    /// `type`, lower case; `text` where it is absent (HTML, "The input element").
    pub(super) kind: String,
    pub(super) value: String,
    /// Whether a checkbox or radio button is already ticked.
    pub(super) is_checked: bool,
}

/// What submits a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Button {
    /// Sent with the form when there is one.
    pub(super) name: Option<String>,
    pub(super) value: String,
    /// What a person reads on it.
    pub(super) label: String,
    /// `formaction`: where this button sends the form instead.
    pub(super) action: Option<Url>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) target: Url,
    pub(super) label: String,
}

impl Page {
    /// Reads a page that was found at `at`, which relative addresses start from.
    pub(super) fn parse(html: &str, at: &Url) -> Self {
        let html = Html::parse_document(html);
        let root = html.root_element();
        let first_text = |name: &str| {
            elements(root, &[name])
                .map(|found| text_of(&found))
                .find(|text| !text.is_empty())
        };
        Self {
            title: first_text("title")
                .or_else(|| first_text("h1"))
                .unwrap_or_default(),
            forms: elements(root, &["form"])
                .map(|form| Form::read(form, at))
                .collect(),
            links: elements(root, &["a"])
                .filter_map(|link| {
                    let target = at.join(link.attr("href")?).ok()?;
                    Some(Link {
                        target,
                        label: text_of(&link),
                    })
                })
                .collect(),
            text: first_text("body").unwrap_or_default(),
        }
    }
}

impl Form {
    fn read(form: ElementRef<'_>, at: &Url) -> Self {
        let inputs = elements(form, &["input"])
            .filter_map(|input| {
                let name = input.attr("name")?.to_owned();
                let kind = input.attr("type").unwrap_or("text").to_ascii_lowercase();
                let is_button = matches!(kind.as_str(), "submit" | "image" | "button" | "reset");
                (!is_button && input.attr("disabled").is_none()).then(|| Input {
                    name,
                    // A checkbox without a value sends "on" (HTML, "The input element").
                    value: input
                        .attr("value")
                        .unwrap_or(if kind == "checkbox" { "on" } else { "" })
                        .to_owned(),
                    is_checked: input.attr("checked").is_some(),
                    kind,
                })
            })
            .collect();
        let mut buttons: Vec<Button> = elements(form, &["button", "input"])
            .filter_map(|button| Button::read(&button, at))
            .collect();
        if buttons.is_empty() {
            // The Enter key submits a form without a button (HTML, "Implicit submission").
            let (value, label) = (String::new(), String::new());
            buttons.push(Button {
                name: None,
                value,
                label,
                action: None,
            });
        }
        let action = form.attr("action").unwrap_or_default();
        Self {
            action: at.join(action).unwrap_or_else(|_| at.clone()),
            is_post: form
                .attr("method")
                .is_some_and(|method| method.eq_ignore_ascii_case("post")),
            inputs,
            buttons,
        }
    }
}

impl Button {
    /// `None` for a button that does not submit.
    fn read(button: &ElementRef<'_>, at: &Url) -> Option<Self> {
        // A `button` submits unless it says otherwise, an `input` only if it says so.
        let untold = if button.value().name() == "button" {
            "submit"
        } else {
            "text"
        };
        let kind = button.attr("type").unwrap_or(untold).to_ascii_lowercase();
        if !matches!(kind.as_str(), "submit" | "image") || button.attr("disabled").is_some() {
            return None;
        }
        let value = button.attr("value").unwrap_or_default().to_owned();
        let text = text_of(button);
        Some(Self {
            name: button
                .attr("name")
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
            label: if text.is_empty() { value.clone() } else { text },
            action: button
                .attr("formaction")
                .and_then(|action| at.join(action).ok()),
            value,
        })
    }
}

/// The elements of these names below another, in the page's order.
fn elements<'a>(below: ElementRef<'a>, names: &[&str]) -> impl Iterator<Item = ElementRef<'a>> {
    below
        .descendent_elements()
        .filter(move |found| names.contains(&found.value().name()))
}

/// The text in an element, white space made single.
fn text_of(element: &ElementRef<'_>) -> String {
    let text: Vec<&str> = element.text().flat_map(str::split_whitespace).collect();
    text.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_person_can_press() {
        let at = Url::parse("http://127.0.0.1:1/interaction/7").unwrap();
        let page = Page::parse(
            r#"<title> Sign
                in </title><h1>x</h1>
            <form method=POST action="7/login"><input type=hidden name=csrf value=t>
              <input name=who><input type=checkbox name=all><input type=text name=off disabled>
              <button name=go value=1> Go <b>on</b></button><button type=button>not this</button>
            </form><form><input name=q></form><a href="/help">Help</a>"#,
            &at,
        );
        assert_eq!(page.title, "Sign in");
        let form = &page.forms[0];
        assert_eq!(
            form.action.as_str(),
            "http://127.0.0.1:1/interaction/7/login"
        );
        assert!(form.is_post);
        let inputs: Vec<_> = form
            .inputs
            .iter()
            .map(|input| (&*input.name, &*input.kind, &*input.value))
            .collect();
        assert_eq!(
            inputs,
            [
                ("csrf", "hidden", "t"),
                ("who", "text", ""),
                ("all", "checkbox", "on")
            ]
        );
        assert_eq!(form.buttons.len(), 1);
        assert_eq!(form.buttons[0].label, "Go on");
        assert_eq!(page.forms[1].action, at);
        assert_eq!(page.forms[1].buttons[0].name, None);
        assert_eq!(page.links[0].target.as_str(), "http://127.0.0.1:1/help");
    }
}
