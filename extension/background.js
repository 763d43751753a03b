// Wakes the background. A listener must be there in the browser's first turn, or the event that woke the worker is lost,
// and the module, a file of its own, is there only later. So this file listens at once and keeps what comes; the module
// takes each event over by its name (see src/browser.rs) and gets what was kept, in its order.
import init from "./background_glue.js";

// What the module listens to; a test holds the two lists equal.
const EVENTS = [
  "alarms.onAlarm",
  "notifications.onClicked",
  "permissions.onAdded",
  "permissions.onRemoved",
  "runtime.onConnect",
  "runtime.onInstalled",
  "runtime.onStartup",
  "tabs.onRemoved",
  "windows.onCreated",
];

// An event that is listened to from now on, whoever takes it over later.
class Held {
  #kept = [];
  #listener;

  constructor(event, make = (...what) => what) {
    event.addListener((...what) => {
      const told = make(...what);
      if (this.#listener) this.#listener(...told);
      else this.#kept.push(told);
    });
  }

  addListener(listener) {
    this.#listener = listener;
    // In a turn of their own: whoever adds a listener is not called before it is done with that.
    for (const told of this.#kept.splice(0)) queueMicrotask(() => listener(...told));
  }
}

// What is said on a port before the module is there is kept too.
const heldPort = (port) => [
  {
    name: port.name,
    sender: port.sender,
    postMessage: (text) => port.postMessage(text),
    disconnect: () => port.disconnect(),
    onMessage: new Held(port.onMessage),
    onDisconnect: new Held(port.onDisconnect, () => []),
  },
];

const held = {};
for (const path of EVENTS) {
  const [area, name] = path.split(".");
  const event = browser[area]?.[name];
  // What this browser lacks is told by the module.
  if (event) held[path] = new Held(event, name === "onConnect" ? heldPort : undefined);
}
globalThis.held = held;

init({ module_or_path: new URL("./background_bg.wasm", import.meta.url) }).catch((error) => {
  console.error("the background did not start:", error);
});
