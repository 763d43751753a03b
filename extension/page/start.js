// Loads the module of popup and prompt, which chooses its view by the body's data-view. wasm-bindgen makes pages.js and
// pages_bg.wasm from the binary `pages`; they lie beside this file in the built extension.
import init from "./pages.js";

await init({ module_or_path: new URL("./pages_bg.wasm", import.meta.url) });
