//! `cargo xtask fuzz`: the long runs of the fuzz targets, guided by coverage. The targets and the short runs are
//! in the crate `fuzz`; what libFuzzer says is read in `fuzz/report.rs`.
//!
//! Coverage comes from LLVM's own pass, which stable Rust takes as a code generation option; nothing is built in
//! the folders of the normal builds, whose flags differ.

mod report;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitCode, Stdio};

use anyhow::{Context as _, bail};

use crate::args::{Accepts, Command, Flag, Given, UsageError};
use crate::clock::Stopwatch;
use crate::shell::{self, Workspace};
use crate::test::{install, need};
use report::Report;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "fuzz",
    summary: "gives the readers what strangers may send, made up at random, for long",
    about: "\
Builds the targets of fuzz/ with coverage counters and runs libFuzzer on each in turn, from the
corpus in fuzz/corpus and from what earlier runs added below target/fuzz. It ends with a table and,
as the last line, one JSON object. An input that breaks a promise is kept below target/fuzz/found;
put it into the corpus with the mending, and `cargo nextest run -p fuzz` tries it ever after.",
    accepts: Accepts::Flags(&[
        Flag {
            name: "TARGET",
            value: None,
            help: "this target alone; more may be given; all when absent",
        },
        Flag {
            name: "--minutes",
            value: Some("N"),
            help: "minutes for each target; 3 when neither is given",
        },
        Flag {
            name: "--runs",
            value: Some("N"),
            help: "inputs for each target",
        },
        Flag {
            name: "--seed",
            value: Some("S"),
            help: "what libFuzzer's chance follows from; 1 when absent",
        },
        Flag {
            name: "--input",
            value: Some("FILE"),
            help: "this input alone, once: shows what was found again",
        },
    ]),
    run,
};

/// What makes LLVM count the edges that are taken and tell libFuzzer what is compared with what (LLVM's
/// documentation of `SanitizerCoverage`, and what cargo-fuzz 0.13 passes).
const RUSTFLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The longest input: what the seeded engine makes at most (`fuzz/src/mutation.rs`).
const AT_MOST_BYTES: u32 = 64 * 1024;

/// An input that takes longer counts as found. No reader needs a hundredth of it.
const INPUT_WITHIN_SECONDS: u32 = 20;

/// A target that holds more counts as found.
const MEMORY_AT_MOST_MB: u32 = 2048;

/// Minutes for each target where nothing is said.
const MINUTES: u64 = 3;

fn run(given: &Given) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let targets = chosen(&known(&workspace)?, &given.values("TARGET"))?;
    let plan = Plan::read(given)?;
    if !install::ensure(&workspace, &[&need::C_COMPILER, &need::CXX_COMPILER])? {
        return Ok(ExitCode::FAILURE);
    }
    let binary = build(&workspace)?;
    let mut reports = Vec::new();
    for target in &targets {
        eprintln!("\n== {target} ==");
        reports.push(run_target(&workspace, &binary, target, &plan)?);
    }
    print!("\n{}", report::table(&reports));
    for (report, file) in reports
        .iter()
        .flat_map(|report| report.found.iter().map(move |file| (report, file)))
    {
        println!("again: cargo xtask fuzz {} --input {file}", report.target);
    }
    println!("{}", report::json(plan.seed, &reports));
    let is_clean = reports.iter().all(Report::is_clean);
    Ok(if is_clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How long and from where.
struct Plan {
    limit: String,
    seed: u64,
    input: Option<PathBuf>,
}

impl Plan {
    fn read(given: &Given) -> Result<Self, UsageError> {
        let runs = number(given, "--runs")?;
        let limit = match (runs, number(given, "--minutes")?) {
            (Some(runs), None) => format!("-runs={runs}"),
            (None, minutes) => format!("-max_total_time={}", minutes.unwrap_or(MINUTES) * 60),
            (Some(_), Some(_)) => {
                return Err(UsageError::new(
                    "--minutes and --runs exclude each other: give one of them",
                ));
            }
        };
        let input = given.values("--input").last().map(PathBuf::from);
        // libFuzzer takes a folder for a corpus, and says little of a file that is not there.
        if let Some(input) = input.as_ref().filter(|input| !input.is_file()) {
            return Err(UsageError::new(&format!(
                "--input takes a file, and there is none at `{}`",
                input.display()
            )));
        }
        Ok(Self {
            limit,
            seed: number(given, "--seed")?.unwrap_or(1),
            input,
        })
    }
}

/// The last value of a flag; a whole number from 1, since libFuzzer reads 0 as no limit and as any seed.
fn number(given: &Given, flag: &str) -> Result<Option<u64>, UsageError> {
    let Some(text) = given.values(flag).last().copied() else {
        return Ok(None);
    };
    match text.parse::<u32>() {
        Ok(number) if number > 0 => Ok(Some(u64::from(number))),
        _ => Err(UsageError::new(&format!(
            "{flag} takes a whole number from 1, found `{text}`"
        ))),
    }
}

/// The targets: each has a corpus.
fn known(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let folder = workspace.root.join("fuzz/corpus");
    let mut names = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?
    {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// All targets, or these.
fn chosen(known: &[String], asked: &[&str]) -> Result<Vec<String>, UsageError> {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    if let Some(unknown) = asked.iter().find(|name| !names.contains(name)) {
        return Err(UsageError::unknown_value("TARGET", unknown, &names));
    }
    Ok(known
        .iter()
        .filter(|name| asked.is_empty() || asked.contains(&name.as_str()))
        .cloned()
        .collect())
}

/// Builds the targets under libFuzzer; where the binary lies.
fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let host = host(workspace)?;
    let folder = workspace.target.join("fuzz");
    let mut cargo = workspace.cargo(&[
        "build",
        "--package",
        "fuzz",
        "--features",
        "libfuzzer",
        "--bin",
        "libfuzzer",
        "--profile",
        "fuzz",
        // With a target named, build scripts and macros are spared the flags.
        "--target",
        &host,
        "--target-dir",
    ]);
    cargo.arg(&folder).env("RUSTFLAGS", RUSTFLAGS.join(" "));
    shell::run(&mut cargo)?;
    Ok(folder
        .join(&host)
        .join("fuzz")
        .join(format!("libfuzzer{}", std::env::consts::EXE_SUFFIX)))
}

/// The machine's own target triple, by rustc's word.
fn host(workspace: &Workspace) -> anyhow::Result<String> {
    let output = workspace
        .program("rustc", &["-vV"])
        .output()
        .context("rustc cannot be run")?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("`rustc -vV` names no host")
}

fn run_target(
    workspace: &Workspace,
    binary: &Path,
    target: &str,
    plan: &Plan,
) -> anyhow::Result<Report> {
    let folder = |kind: &str| -> anyhow::Result<PathBuf> {
        let folder = workspace.target.join("fuzz").join(kind).join(target);
        fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(folder)
    };
    let (grown, found) = (folder("corpus")?, folder("found")?);
    let mut process = workspace.program(binary, &[]);
    process.env("UNPAUSE_FUZZ_TARGET", target).args([
        format!("-max_len={AT_MOST_BYTES}"),
        format!("-timeout={INPUT_WITHIN_SECONDS}"),
        format!("-rss_limit_mb={MEMORY_AT_MOST_MB}"),
        // libFuzzer writes the name of what it found right behind it.
        format!("-artifact_prefix={}/", found.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    if let Some(input) = &plan.input {
        process.arg(input);
    } else {
        let dictionary = workspace
            .root
            .join(format!("fuzz/dictionary/{target}.dict"));
        process
            .arg(&plan.limit)
            .arg(format!("-seed={}", plan.seed))
            .arg(format!("-dict={}", dictionary.display()))
            .arg(grown)
            .arg(workspace.root.join("fuzz/corpus").join(target));
    }
    follow(&mut process, target)
}

/// Runs it to its end, shows what moves, and reads what it says.
fn follow(process: &mut Process, target: &str) -> anyhow::Result<Report> {
    eprintln!("$ {}", shell::show(process));
    let watch = Stopwatch::start();
    let mut child = process
        .stderr(Stdio::piped())
        .spawn()
        .context("the fuzzer cannot be started")?;
    let Some(stderr) = child.stderr.take() else {
        bail!("the fuzzer has no standard error");
    };
    let mut report = Report::new(target);
    for line in BufReader::new(stderr).split(b'\n') {
        let line = line.context("the fuzzer cannot be read")?;
        let line = String::from_utf8_lossy(&line);
        if report.note(&line) {
            eprintln!("{line}");
        }
    }
    let status = child.wait().context("the fuzzer cannot be waited for")?;
    report.ended_well = status.success();
    if !report.ended_well {
        // What was found ends it before it says how long it took.
        report.seconds = watch.elapsed().as_secs();
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Plan, UsageError> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Plan::read(&COMMAND.read(&words)?)
    }

    #[test]
    fn a_plan_is_minutes_or_runs_and_three_minutes_by_itself() {
        for (words, limit, seed) in [
            (&[][..], "-max_total_time=180", 1),
            (
                &["--minutes", "60", "--seed", "7"],
                "-max_total_time=3600",
                7,
            ),
            (&["--runs", "1000000"], "-runs=1000000", 1),
        ] {
            let plan = read(words).unwrap();
            assert_eq!((plan.limit.as_str(), plan.seed), (limit, seed), "{words:?}");
        }
        for words in [
            &["--minutes", "1", "--runs", "1"][..],
            &["--minutes", "0"],
            &["--runs", "many"],
            &["--seed", "-1"],
            &["--input", "src"],
            &["--input", "nothing-here"],
        ] {
            assert!(read(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn targets_stand_by_themselves_beside_the_flags() {
        let words = ["bounce", "--minutes", "2", "leads_csv"].map(str::to_owned);
        let given = COMMAND.read(&words).unwrap();
        assert_eq!(given.values("TARGET"), ["bounce", "leads_csv"]);
        assert_eq!(given.values("--minutes"), ["2"]);
    }

    #[test]
    fn an_unknown_target_names_the_known_ones() {
        let known = ["bounce".to_owned(), "leads_csv".to_owned()];
        assert_eq!(chosen(&known, &[]).unwrap(), known);
        assert_eq!(chosen(&known, &["leads_csv"]).unwrap(), ["leads_csv"]);
        assert_eq!(
            chosen(&known, &["csv"]).unwrap_err().to_string(),
            "unknown value `csv` of TARGET; known values: bounce, leads_csv"
        );
    }
}
