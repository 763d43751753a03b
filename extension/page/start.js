// Loads the page. wasm-bindgen makes extension.js and extension_bg.wasm from the crate
// `extension`; they lie beside this file in the built extension.
import init from "./extension.js";

await init();
