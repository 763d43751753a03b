//! `choose("Hi", "Hello")`, and `choose(["Hi", 3], ["Hello", 1])` by weight: one of several texts for a lead, the same
//! at every attempt. Nothing is drawn: the choice follows from the lead, the step, the alternatives and how many times
//! they stood in the text before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use sha2::{Digest as _, Sha256};

/// What it is called in a template.
pub(super) const NAME: &str = "choose";

/// The greatest weight.
const WEIGHT_MAX: i64 = 1_000;

/// Chooses for one lead in one filling of one template.
#[derive(Debug)]
pub(super) struct Chooser {
    seed: String,
    /// How many times these alternatives were chosen among.
    met: Mutex<HashMap<String, u32>>,
}

impl Chooser {
    /// By what names the lead, and the step from 1.
    pub(super) fn new(lead: &str, step: usize) -> Self {
        Self {
            seed: format!("choice\n{lead}\n{step}"),
            met: Mutex::default(),
        }
    }
}

impl Object for Chooser {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let options = args.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if options.len() < 2 {
            return Err(wrong(format!(
                "choose chooses among two texts or more, found {}",
                options.len()
            )));
        }
        let told: Vec<String> = options
            .iter()
            .map(|(text, weight)| format!("{weight} {text}"))
            .collect();
        let told = told.join("\n");
        let nth = {
            let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
            let nth = met.entry(told.clone()).or_insert(0);
            *nth += 1;
            *nth
        };
        let digest = Sha256::digest(format!("{}\n{nth}\n{told}", self.seed));
        let number = digest
            .iter()
            .take(8)
            .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let total: u64 = options.iter().map(|(_, weight)| *weight).sum();
        // The digest is spread evenly over 0 to `total`, the same for every number of bits.
        let scaled = (u128::from(number) * u128::from(total)) >> 64;
        let mut left = u64::try_from(scaled).unwrap_or(0);
        for (text, weight) in options {
            if left < weight {
                return Ok(text);
            }
            left -= weight;
        }
        Err(wrong("choose has nothing to choose".to_owned()))
    }
}

/// An alternative and its weight.
fn read(arg: &Value) -> Result<(Value, u64), Error> {
    let (text, weight) = if arg.kind() == ValueKind::Seq {
        let pair: Vec<Value> = arg.try_iter()?.collect();
        let [text, weight] = pair.as_slice() else {
            return Err(wrong(format!(
                "choose expects texts, or [text, weight], found a list of {}",
                pair.len()
            )));
        };
        let weight = weight
            .as_i64()
            .filter(|weight| (1..=WEIGHT_MAX).contains(weight));
        let weight = weight.ok_or_else(|| {
            wrong(format!(
                "choose expects a weight of 1 to {WEIGHT_MAX}, as in choose([\"Hi\", 3], [\"Hello\", 1])"
            ))
        })?;
        (text.clone(), u64::try_from(weight).unwrap_or(1))
    } else {
        (arg.clone(), 1)
    };
    match text.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::String | ValueKind::Number => Ok((text, weight)),
        kind => Err(wrong(format!(
            "choose expects texts, or [text, weight], found a {kind}"
        ))),
    }
}

fn wrong(words: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, words)
}
