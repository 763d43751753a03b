//! The relay's dashboard, as the browser starts it.

fn main() {
    dashboard::run();
}
