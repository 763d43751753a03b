//! What a person does on a page of a provider. Pure: a page and what was done before, in;
//! one thing to press, out. It knows words that people read on buttons, and no provider.

use url::Url;

use super::page::{Button, Form, Input, Page};
use crate::person::Person;

/// What a person means to answer when a page asks whether access is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Press the button that agrees; tick every box, since each is a permission asked for.
    Allow,
    /// Press the first button that declines, on any page that has one.
    Decline,
}

/// What to do next.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Send a form.
    Submit {
        to: Url,
        is_post: bool,
        fields: Vec<(String, String)>,
        /// In words, without what was typed.
        said: String,
        /// Whether the password was typed.
        is_sign_in: bool,
    },
    /// Follow a link.
    Follow { to: Url, said: String },
}

/// Why there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAction {
    /// The page asks for the password again.
    SignInRefused,
    /// Nothing on the page looks like something a person would press.
    NothingToPress,
}

/// Chooses what to press. `has_signed_in` says whether a password was sent before.
pub(super) fn decide(
    page: &Page,
    person: &Person,
    consent: Consent,
    has_signed_in: bool,
) -> Result<Action, NoAction> {
    let with_password = page
        .forms
        .iter()
        .find(|form| form.inputs.iter().any(is_password));
    if with_password.is_some() && has_signed_in {
        return Err(NoAction::SignInRefused);
    }
    if let Some(form) = with_password {
        return press_first(form, person).ok_or(NoAction::NothingToPress);
    }
    if consent == Consent::Decline
        && let Some((form, button)) = buttons(page).find(|(_, button)| is_negative(&button.label))
    {
        return Ok(press(form, button, person));
    }
    let names_person = |text: &str| text.to_lowercase().contains(&person.address);
    let positive = || buttons(page).filter(|(_, button)| !is_negative(&button.label));
    // An account chooser: the button, the link or the form that is the person's own.
    if let Some((form, button)) =
        positive().find(|(_, button)| names_person(&button.label) || names_person(&button.value))
    {
        return Ok(press(form, button, person));
    }
    if let Some(link) = page.links.iter().find(|link| names_person(&link.label)) {
        let said = format!("follow \"{}\"", link.label);
        return Ok(Action::Follow {
            to: link.target.clone(),
            said,
        });
    }
    if let Some((form, button)) = positive().find(|(_, button)| is_affirmative(&button.label)) {
        return Ok(press(form, button, person));
    }
    if let Some((form, button)) =
        positive().find(|(form, _)| form.inputs.iter().any(|input| names_person(&input.value)))
    {
        return Ok(press(form, button, person));
    }
    // A page that asks only for the address, and for the password on the next one.
    if let Some(form) = page
        .forms
        .iter()
        .find(|form| form.inputs.iter().any(is_address))
    {
        return press_first(form, person).ok_or(NoAction::NothingToPress);
    }
    if let Some((form, button)) = positive().find(|(_, button)| is_another(&button.label)) {
        return Ok(press(form, button, person));
    }
    if let Some(link) = page.links.iter().find(|link| is_another(&link.label)) {
        let said = format!("follow \"{}\"", link.label);
        return Ok(Action::Follow {
            to: link.target.clone(),
            said,
        });
    }
    Err(NoAction::NothingToPress)
}

fn buttons(page: &Page) -> impl Iterator<Item = (&Form, &Button)> {
    page.forms
        .iter()
        .flat_map(|form| form.buttons.iter().map(move |button| (form, button)))
}

/// Presses the first button of a form that does not decline.
fn press_first(form: &Form, person: &Person) -> Option<Action> {
    let button = form
        .buttons
        .iter()
        .find(|button| !is_negative(&button.label))?;
    Some(press(form, button, person))
}

fn press(form: &Form, button: &Button, person: &Person) -> Action {
    let mut fields = Vec::new();
    let mut typed = Vec::new();
    for input in &form.inputs {
        let value = if is_password(input) {
            typed.push(input.name.as_str());
            person.password.clone()
        } else if is_address(input) {
            typed.push(input.name.as_str());
            person.address.clone()
        } else if input.kind == "radio" && !input.is_checked {
            continue;
        } else {
            // Hidden fields as they are; a checkbox is ticked.
            input.value.clone()
        };
        fields.push((input.name.clone(), value));
    }
    if let Some(name) = &button.name {
        fields.push((name.clone(), button.value.clone()));
    }
    let pressed = if button.label.is_empty() {
        "press Enter".to_owned()
    } else {
        format!("press \"{}\"", button.label)
    };
    Action::Submit {
        to: button.action.clone().unwrap_or_else(|| form.action.clone()),
        is_post: form.is_post,
        fields,
        said: if typed.is_empty() {
            pressed
        } else {
            format!("fill in {} and {pressed}", typed.join(", "))
        },
        is_sign_in: form.inputs.iter().any(is_password),
    }
}

fn is_password(input: &Input) -> bool {
    input.kind == "password"
}

fn is_address(input: &Input) -> bool {
    let name = input.name.to_ascii_lowercase();
    let words = [
        "login",
        "user",
        "email",
        "mail",
        "identifier",
        "address",
        "account",
    ];
    input.kind == "email" || (input.kind == "text" && words.iter().any(|word| name.contains(word)))
}

fn is_affirmative(label: &str) -> bool {
    has_word(
        label,
        &[
            "allow",
            "accept",
            "agree",
            "approve",
            "authorize",
            "authorise",
            "confirm",
            "consent",
            "continue",
            "go",
            "grant",
            "next",
            "ok",
            "yes",
        ],
    )
}

fn is_negative(label: &str) -> bool {
    has_word(
        label,
        &[
            "abort", "back", "cancel", "decline", "deny", "disallow", "no", "not", "reject",
        ],
    ) || has_word(label, &["don't", "don’t"])
}

fn is_another(label: &str) -> bool {
    has_word(label, &["another", "different", "other"])
}

fn has_word(label: &str, words: &[&str]) -> bool {
    label
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .any(|word| words.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is pressed on a page, in words and as a form body; or why nothing is.
    fn check(
        html: &str,
        consent: Consent,
        has_signed_in: bool,
        expect: Result<(&str, &str), NoAction>,
    ) {
        let at = Url::parse("http://127.0.0.1:1/page").unwrap();
        let ada = Person::new("ada@example.test", "s3cret");
        let decided = decide(&Page::parse(html, &at), &ada, consent, has_signed_in);
        let found = decided.map(|action| match action {
            Action::Submit { fields, said, .. } => {
                let body: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                (said, body.join("&"))
            }
            Action::Follow { to, said } => (said, to.path().to_owned()),
        });
        assert_eq!(
            found,
            expect.map(|(said, sent)| (said.to_owned(), sent.to_owned())),
            "{html}"
        );
    }

    const CONSENT: &str = "<form method=post><input type=hidden name=csrf value=t><input type=hidden \
        name=account value=ada@example.test><input type=checkbox name=scope value=mail.send>\
        <button name=decision value=deny>Don't allow</button>\
        <button name=decision value=allow>Allow</button></form>";
    const CHOOSER: &str = "<form method=post><button name=account value=bob@example.test>Bob</button>\
        <button name=account value=ada@example.test>Ada Lovelace</button>\
        <button name=account value=''>Use another account</button></form>";

    #[test]
    fn signs_in_with_address_and_password() {
        let page = "<form method=post><input type=hidden name=csrf value=t><input name=login value=x>\
            <input type=password name=password><button>Cancel</button><button>Sign in</button></form>";
        check(
            page,
            Consent::Allow,
            false,
            Ok((
                "fill in login, password and press \"Sign in\"",
                "csrf=t&login=ada@example.test&password=s3cret",
            )),
        );
        check(page, Consent::Allow, true, Err(NoAction::SignInRefused));
    }

    #[test]
    fn types_the_address_alone_where_the_password_comes_later() {
        check(
            "<form><input type=email name=identifier><input type=submit value=Next></form>",
            Consent::Allow,
            false,
            Ok((
                "fill in identifier and press \"Next\"",
                "identifier=ada@example.test",
            )),
        );
    }

    #[test]
    fn chooses_its_own_account_whatever_the_chooser_is_made_of() {
        check(
            CHOOSER,
            Consent::Allow,
            false,
            Ok(("press \"Ada Lovelace\"", "account=ada@example.test")),
        );
        check(
            "<a href=/b>bob@example.test</a><a href=/a>Ada (ada@example.test)</a>",
            Consent::Allow,
            false,
            Ok(("follow \"Ada (ada@example.test)\"", "/a")),
        );
        check(
            "<form><input type=hidden name=a value=bob@x.test><button>Bob</button></form>\
            <form><input type=hidden name=a value=ada@example.test><button>Ada</button></form>",
            Consent::Allow,
            false,
            Ok(("press \"Ada\"", "a=ada@example.test")),
        );
        check(
            "<form><button name=a value=bob@x.test>Bob</button>\
            <button name=a value=''>Use another account</button></form>",
            Consent::Allow,
            false,
            Ok(("press \"Use another account\"", "a=")),
        );
    }

    #[test]
    fn consents_with_every_box_ticked_or_declines() {
        let asked = "csrf=t&account=ada@example.test&scope=mail.send";
        check(
            CONSENT,
            Consent::Allow,
            true,
            Ok(("press \"Allow\"", &format!("{asked}&decision=allow"))),
        );
        check(
            CONSENT,
            Consent::Decline,
            true,
            Ok(("press \"Don't allow\"", &format!("{asked}&decision=deny"))),
        );
        check(
            "<form action=/allow><button>Continue</button></form>\
            <form action=/cancel><button>Cancel</button></form>",
            Consent::Decline,
            true,
            Ok(("press \"Cancel\"", "")),
        );
    }

    #[test]
    fn goes_on_past_the_warning_before_an_app_that_is_not_verified() {
        check(
            "<form><button name=decision value=back>Back to safety</button><details><summary>Advanced</summary>\
            <button name=decision value=proceed>Go to Mailer (unsafe)</button></details></form>",
            Consent::Allow,
            true,
            Ok(("press \"Go to Mailer (unsafe)\"", "decision=proceed")),
        );
    }

    #[test]
    fn presses_nothing_on_an_error_page() {
        check(
            "<h1>invalid_client</h1><a href=/help>Help</a>",
            Consent::Allow,
            false,
            Err(NoAction::NothingToPress),
        );
    }
}
