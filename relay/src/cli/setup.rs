//! `unpause setup`: registering at a provider. It says what to register there, asks what came of it, checks what can
//! be checked, and writes one section of the configuration. A running relay is not needed and not told.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use protocol::provider::{Provider, ProviderId};
use protocol::secret::Secret;
use serde::Serialize;

use super::CliError;
use super::print::{Printer, columns};
use crate::config::{Config, Environment, SYSTEM_FILE, find_file};
use crate::http::Address;

mod ask;
mod error;
mod file;
mod form;
mod reach;
mod redirect;

use ask::Asking;
pub(super) use error::SetupError;
use file::{ConfigFile, Registration};
use form::{FORMS, Field, Form};
use reach::Reached;
use redirect::Redirect;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The provider
    #[arg(value_name = "PROVIDER", value_parser = PossibleValuesParser::new(FORMS.iter().map(|form| form.id)).try_map(|id| choose(&id)))]
    chosen: Chosen,
    /// The tenant's id (Microsoft), instead of being asked for it
    #[arg(long, value_name = "GUID")]
    tenant: Option<String>,
    /// The client id, instead of being asked for it
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The environment variable that holds the client secret, instead of being asked for it
    #[arg(long, value_name = "VARIABLE")]
    client_secret_env: Option<String>,
    /// Replace what the configuration says of this provider already
    #[arg(long)]
    replace: bool,
    /// Do not ask the provider whether its issuer answers
    #[arg(long)]
    offline: bool,
}

/// What is set up.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    form: &'static Form,
    provider: &'static Provider,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Done {
    provider: &'static str,
    file: PathBuf,
    issuer: String,
    client_id: String,
    redirects: Vec<Redirect>,
    issuer_reached: Reached,
}

/// Sets one provider up. `named` is the configuration file, where one was named.
pub(super) async fn set_up(
    arguments: Arguments,
    named: Option<&Path>,
    environment: &Environment,
    printer: &Printer,
) -> Result<(), CliError> {
    let Chosen { form, provider } = arguments.chosen;
    if arguments.tenant.is_some() && form.tenant.is_none() {
        return Err(SetupError::NoTenant {
            provider: provider.name,
        }
        .into());
    }
    let given_secret = read_variable(arguments.client_secret_env.as_deref(), environment)?;
    let found = find_file(named, environment, Path::new(SYSTEM_FILE));
    let file = ConfigFile::load(found.path())?;
    // Before anything is asked: nothing is written that the relay would refuse.
    let trial = file.with(form, &blank(form))?;
    let trial = Config::parse(&trial, file.path(), environment)?;
    let relay = Address::new(trial.listen, &trial);
    if !relay.is_fixed() {
        return Err(SetupError::NoFixedPort.into());
    }
    let redirects = redirect::list(provider, &relay);
    printer.for_people(&describe_registration(provider, form, &redirects))?;

    let mut asking = Asking::begin()?;
    if let Some(before) = file.describe(form)
        && !arguments.replace
    {
        printer.for_people(&format!(
            "{} has a section [providers.{}] already:\n\n{before}",
            file.path().display(),
            form.id
        ))?;
        if !asking
            .agrees("Replace its issuer, client id and secret?")
            .await?
        {
            return Err(SetupError::Kept {
                id: form.id,
                path: file.path().to_owned(),
            }
            .into());
        }
    }
    let tenant = match &form.tenant {
        Some(field) => Some(answer(&mut asking, field, arguments.tenant).await?),
        None => None,
    };
    let client_id = answer(&mut asking, &form.client_id, arguments.client_id).await?;
    let client_secret = match given_secret {
        Some(secret) => checked(&form.client_secret, secret.expose()).map(|()| secret)?,
        None => asking.ask_secret(&form.client_secret).await?,
    };
    let registration = Registration {
        issuer: form.issuer(tenant.as_deref()),
        client_id,
        client_secret,
    };
    let text = file.with(form, &registration)?;
    let config = Config::parse(&text, file.path(), environment)?;
    let taken = config
        .providers
        .get(&ProviderId::new(form.id))
        .and_then(|provider| provider.client.as_ref());
    let reached = match taken {
        Some(taken) if !arguments.offline => reach::ask(&taken.issuer, &config).await?,
        _ => Reached::NotAsked,
    };
    file.write(&text)?;
    let is_overruled = taken.is_none_or(|taken| {
        taken.id != registration.client_id
            || taken.secret.as_ref() != Some(&registration.client_secret)
            || taken.issuer.as_str().trim_end_matches('/') != registration.issuer
    });
    let done = Done {
        provider: form.id,
        file: file.path().to_owned(),
        issuer: registration.issuer,
        client_id: registration.client_id,
        redirects,
        issuer_reached: reached,
    };
    printer.answer(&done, |done| {
        describe_end(done, form, file.is_new(), is_overruled)
    })?;
    Ok(())
}

fn choose(id: &str) -> Result<Chosen, &'static str> {
    let provider = Provider::find(&ProviderId::new(id));
    match (Form::find(id), provider) {
        (Some(form), Some(provider)) => Ok(Chosen { form, provider }),
        _ => Err("there is no such provider"),
    }
}

fn read_variable(
    name: Option<&str>,
    environment: &Environment,
) -> Result<Option<Secret>, SetupError> {
    let Some(name) = name else {
        return Ok(None);
    };
    match environment.get(name) {
        Some(text) => Ok(Some(Secret::new(text.trim()))),
        None => Err(SetupError::NoVariable {
            name: name.to_owned(),
        }),
    }
}

/// A registration to try the rest of the file with, before anything is asked.
fn blank(form: &Form) -> Registration {
    Registration {
        issuer: form.issuer(Some("tenant")),
        client_id: "client".to_owned(),
        client_secret: Secret::new("secret"),
    }
}

async fn answer(
    asking: &mut Asking,
    field: &Field,
    given: Option<String>,
) -> Result<String, SetupError> {
    match given {
        Some(text) => checked(field, text.trim()).map(|()| text.trim().to_owned()),
        None => asking.ask(field).await,
    }
}

fn checked(field: &Field, text: &str) -> Result<(), SetupError> {
    (field.check)(text).map_err(|expected| SetupError::NotIt {
        name: field.name,
        expected,
    })
}

fn describe_registration(provider: &Provider, form: &Form, redirects: &[Redirect]) -> String {
    let rows: Vec<Vec<String>> = redirects
        .iter()
        .map(|redirect| vec![format!("  {}", redirect.taken_by), redirect.address.clone()])
        .collect();
    let mut text = format!(
        "Register Unpause at {}; {} goes through it click by click.\n\
         These are its redirect addresses, each to be registered exactly so:\n\n{}",
        provider.name,
        form.guide,
        columns(&rows)
    );
    for remark in [form.own_address, form.missing].into_iter().flatten() {
        let _ = write!(text, "\n{remark}");
    }
    text.push('\n');
    text
}

fn describe_end(done: &Done, form: &Form, is_new: bool, is_overruled: bool) -> String {
    let file = done.file.display();
    let mut text = format!(
        "{}\n✓ {} {file}: [providers.{}]. Only you may read it, because it holds the secret.",
        done.issuer_reached.words(&done.issuer),
        if is_new { "Made" } else { "Changed" },
        form.id
    );
    if is_overruled {
        let _ = write!(
            text,
            "\nVariables of this shell, UNPAUSE_PROVIDERS__{}__…, win over what was written.",
            form.id.to_ascii_uppercase()
        );
    }
    text.push_str("\nStart the relay again, so that it takes this up: unpause serve");
    text
}
