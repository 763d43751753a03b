//! The background module. Everything that it does is in `extension::background`.

fn main() {
    extension::background::start();
}
