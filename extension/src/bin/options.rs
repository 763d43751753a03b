//! The module of the options page.

fn main() {
    extension::page::draw::<extension::page::options::Options>();
}
