// Loads the options' module. wasm-bindgen makes options.js and options_bg.wasm from the binary `options`; they lie
// beside this file in the built extension.
import init from "./options.js";

await init({ module_or_path: new URL("./options_bg.wasm", import.meta.url) });
