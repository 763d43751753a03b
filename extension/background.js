// Wakes the background. Every listener must be registered in the first turn, so the module is compiled at once,
// from bytes that come with the code: after an `await` the event that woke the worker would be lost.
import { initSync } from "./background_glue.js";
import bytes from "./background_wasm.js";

initSync({ module: Uint8Array.fromBase64(bytes) });
