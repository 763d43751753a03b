// Loads the page. wasm-bindgen makes extension.js and extension_bg.wasm from the crate
// `extension`; they lie beside this file in the built extension. The address is named here because
// the glue may be made without one.
import init from "./extension.js";

await init({ module_or_path: new URL("./extension_bg.wasm", import.meta.url) });
