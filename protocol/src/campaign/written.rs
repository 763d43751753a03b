//! Steps as people and programs write them: a wait that nobody wrote is no wait of 0, since all follow-ups of a campaign
//! would leave within a minute.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Attachment, Step};

/// Reads steps of which all but the first say their wait; for `#[serde(deserialize_with)]`.
pub fn steps<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Step>, D::Error> {
    from.deserialize_seq(Sequence)
}

/// The same for steps that may be left out; `null` is as good as that.
pub fn steps_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Step>>, D::Error> {
    from.deserialize_option(Perhaps)
}

/// A step in which a wait that is left out can be told from one of 0.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    subject: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    html: Option<String>,
    #[serde(default)]
    files: Vec<Attachment>,
    wait_ms: Option<u64>,
    #[serde(default)]
    literal: bool,
}

/// The step with that index.
struct Numbered(usize);

impl<'de> DeserializeSeed<'de> for Numbered {
    type Value = Step;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Step, D::Error> {
        let Written {
            subject,
            body,
            html,
            files,
            wait_ms,
            literal,
        } = Written::deserialize(from)?;
        let Self(before) = self;
        let wait_ms = match (wait_ms, before) {
            (Some(wait_ms), _) => wait_ms,
            (None, 0) => 0,
            (None, before) => {
                return Err(D::Error::custom(format_args!(
                    "missing field `wait_ms` of step {}: expected how many milliseconds after step {before} it leaves, \
                     as in 259200000 for three days, or 0 for at once; found none",
                    before + 1
                )));
            }
        };
        Ok(Step {
            subject,
            body,
            html,
            files,
            wait_ms,
            literal,
        })
    }
}

struct Sequence;

impl<'de> Visitor<'de> for Sequence {
    type Value = Vec<Step>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The word of serde's own lists.
        to.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<Step>, A::Error> {
        let mut steps = Vec::new();
        while let Some(step) = from.next_element_seed(Numbered(steps.len()))? {
            steps.push(step);
        }
        Ok(steps)
    }
}

struct Perhaps;

impl<'de> Visitor<'de> for Perhaps {
    type Value = Option<Vec<Step>>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a sequence")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        steps(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use crate::request::campaign::{CreateCampaign, UpdateCampaign};

    /// The waits, or the words of what is refused.
    fn create(steps: &str) -> Result<Vec<u64>, String> {
        let text = format!(r#"{{"name": "n", "inboxes": ["inb_1"], "steps": {steps}}}"#);
        serde_json::from_str::<CreateCampaign>(&text)
            .map(|request| request.steps.iter().map(|step| step.wait_ms).collect())
            .map_err(|error| error.to_string())
    }

    fn update(steps: &str) -> Result<Option<Vec<u64>>, String> {
        let text = format!(r#"{{"campaign_id": "cmp_1"{steps}}}"#);
        serde_json::from_str::<UpdateCampaign>(&text)
            .map(|request| Some(request.steps?.iter().map(|step| step.wait_ms).collect()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_step_but_the_first_says_its_wait() {
        let with = |second: &str| format!(r#"[{{"body": "a"}}, {{"body": "b"{second}}}]"#);
        assert_eq!(create(r#"[{"body": "a"}]"#), Ok(vec![0]));
        assert_eq!(create(&with(r#", "wait_ms": 0"#)), Ok(vec![0, 0]));
        assert_eq!(create(&with(r#", "wait_ms": 7"#)), Ok(vec![0, 7]));
        assert_eq!(update(""), Ok(None));
        assert_eq!(update(r#", "steps": null"#), Ok(None));
        let kept = format!(r#", "steps": {}"#, with(r#", "wait_ms": 7"#));
        assert_eq!(update(&kept), Ok(Some(vec![0, 7])));

        let words = "missing field `wait_ms` of step 2: expected how many milliseconds after step 1 it leaves";
        let lacking = with("");
        for lacking in [lacking.clone(), with(r#", "wait_ms": null"#)] {
            for refused in [
                create(&lacking).unwrap_err(),
                update(&format!(r#", "steps": {lacking}"#)).unwrap_err(),
            ] {
                assert!(refused.starts_with(words), "{refused}");
            }
        }
        let third = r#"[{"body": "a"}, {"body": "b", "wait_ms": 1}, {"body": "c"}]"#;
        assert!(create(third).unwrap_err().contains("of step 3"));
    }
}
