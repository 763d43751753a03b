//! The binary `unpause`. Everything it does is in the library.

fn main() -> std::process::ExitCode {
    relay::cli::run()
}
