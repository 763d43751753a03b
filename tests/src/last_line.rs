//! How a run of a command ends: its last line is one JSON object, and its exit status says whether all went well.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

/// Writes the last line. The status is 0 only where it was played to its end and `is_good`.
pub fn end<Summary: Serialize>(
    played: Result<Summary>,
    is_good: impl FnOnce(&Summary) -> bool,
) -> ExitCode {
    let told = played.and_then(|summary| {
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&summary)?)?;
        Ok(is_good(&summary))
    });
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
