//! Linker settings of Node.js addons.

fn main() {
    napi_build::setup();
}
