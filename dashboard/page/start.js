// Loads the dashboard. wasm-bindgen makes dashboard.js and dashboard_bg.wasm from the crate `dashboard`; the relay
// serves them beside this file.
import init from "./dashboard.js";

await init({ module_or_path: new URL("./dashboard_bg.wasm", import.meta.url) });
