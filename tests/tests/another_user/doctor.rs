//! What one user is told of what another one has: that he may not look, whose it is, and as whom one may.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::machine::{Machine, OPERATOR, STRANGER, refusal};

#[tokio::test]
async fn the_doctor_of_another_user_says_that_he_may_not_look_and_not_that_nothing_is_there()
-> Result<()> {
    let machine = Machine::start().await?;
    let text = format!(
        "data = {:?}\nkey_file = {:?}\n",
        machine.data(),
        machine.home().join("keys/unpause.key")
    );
    let config = machine.strangers().join("unpause.toml");
    Machine::write_as(STRANGER, &config, &text, 0o600)?;
    let mut doctor = machine.bare_command(STRANGER);
    let output = doctor.args(["doctor", "--json"]).output()?;
    let told: Value = serde_json::from_slice(&output.stdout)?;
    let of = |check: &str| -> Vec<&Value> {
        let all = told["findings"].as_array().into_iter().flatten();
        all.filter(|finding| finding["check"] == check).collect()
    };
    let as_operator = format!("sudo -u '#{OPERATOR}' unpause doctor");
    for check in ["database", "files"] {
        let findings = of(check);
        ensure!(!findings.is_empty(), "{check} in {told}");
        for finding in findings {
            let (found, action) = (finding["found"].to_string(), finding["action"].to_string());
            ensure!(finding["level"] == "warning", "{finding}");
            ensure!(
                found.contains("you may not read it") && found.contains(&OPERATOR.to_string()),
                "{finding}"
            );
            ensure!(action.contains(&as_operator), "{finding}");
        }
    }
    // Both the folder and the key.
    ensure!(of("files").len() == 2, "{told}");
    ensure!(!told.to_string().contains("none yet"), "{told}");

    let output = machine.command(OPERATOR, &["doctor", "--json"]).output()?;
    let own: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(!own.to_string().contains("may not read"), "{own}");
    Ok(())
}

/// Row: key file of another user | `unpause serve`; the file is another user's, whether he may read it or not | exit 1 | the operator | the key file ~/keys/unpause.key belongs to the user with the id 65534, and this is run by the one with the id 60001: run it as the file's user, or `chown 60001 ~/keys/unpause.key`
#[tokio::test]
async fn a_relay_takes_no_key_file_of_another_user() -> Result<()> {
    let mut machine = Machine::start().await?;
    machine.end_relay()?;
    let key = machine.home().join("keys/unpause.key");
    let before = fs::read(&key)?;
    chown(&key, Some(STRANGER), Some(STRANGER))?;
    for mode in [0o600, 0o644] {
        fs::set_permissions(&key, Permissions::from_mode(mode))?;
        let words = refusal(&machine.command(OPERATOR, &["serve"]).output()?)?;
        let expected = format!(
            "belongs to the user with the id {STRANGER}, and this is run by the one with the id {OPERATOR}"
        );
        ensure!(words.contains(&expected), "mode {mode:o}: {words}");
        ensure!(fs::read(&key)? == before && fs::metadata(&key)?.uid() == STRANGER);
    }
    chown(&key, Some(OPERATOR), Some(OPERATOR))?;
    fs::set_permissions(&key, Permissions::from_mode(0o600))?;
    machine.start_relay().await
}
