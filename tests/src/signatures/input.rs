//! What a signature says that it covers, changed, where nobody signs it anew.

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::pick;

/// `Signature-Input` with this change; `None` where it cannot be changed so.
pub(super) fn change(change: &str, input: &str, rng: &mut StdRng) -> Option<String> {
    let (label, rest) = input.split_once("=(")?;
    let (list, parameters) = rest.split_once(')')?;
    let mut list: Vec<&str> = list.split(' ').collect();
    // The component of an answer that is the request's has parameters of its own.
    let mut parameters: Vec<&str> = parameters.split(';').skip(1).collect();
    let time = format!("created={}", rng.random_range(0..4_000_000_000_u64));
    match change {
        "a component left out" => {
            list.remove(rng.random_range(0..list.len()));
        }
        "a component twice" => list.push(pick(&list, rng)),
        "components in another order" => list.shuffle(rng),
        "a parameter left out" => {
            parameters.remove(rng.random_range(0..parameters.len()));
        }
        "a parameter twice" => parameters.push(pick(&parameters, rng)),
        "parameters in another order" => parameters.shuffle(rng),
        "another time" => {
            let created = parameters
                .iter_mut()
                .find(|one| one.starts_with("created="))?;
            *created = &time;
        }
        _ => return None,
    }
    let changed = format!("{label}=({});{}", list.join(" "), parameters.join(";"));
    (changed != input).then_some(changed)
}
