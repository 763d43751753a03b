// The eyes: read the words of a page that may be about a pause, hand them to the background, and put the prompt's
// frame where the background says. Nothing is decided here, and nothing that a person typed is read.
// What is said over the port is in extension/src/message.rs.
(() => {
  "use strict";
  const api = globalThis.browser ?? globalThis.chrome;
  const isAlive = () => {
    try {
      return Boolean(api.runtime.id);
    } catch {
      return false; // the extension was replaced; its next version brings its own eyes
    }
  };
  // Run a second time in a page, these eyes do nothing but ask the first ones to say again what they see.
  if (window.top !== window || globalThis.unpauseEyes?.()) return;
  globalThis.unpauseEyes = () => isAlive() && sayAgain();

  const SOONEST = 250; // ms between two looks on a page that rarely changes
  const LATEST = 2000; // … and on one that never stops changing
  const STILL = 20000; // ms; a background that hears nothing for 30 s is ended by the browser
  const WORDS = 600; // characters of a candidate; more is no banner
  const MOST = 24; // candidates
  const PUT_BACK = 3; // times that a page may take the prompt away

  // Most pages have none of these, and then their text is all that is looked at. The stems are those of
  // extension/src/detect/wording.rs, cut to what several languages share.
  const STEMS = new RegExp(
    "paus|on+ect|lost|interru|interromp|unterbroch|revo[ckq]|expir|auth|stopp|resume|on hold|suspend|verbind|" +
      "getrennt|abgelaufen|widerruf|verweigert|angehalten|arr[êe]t|deten|caduc|refus|token|invalid_grant|valid|" +
      "attention|credential|permission|not set|enabled|available|sign in|email again", "i");
  const TEXT = 200000; // characters; more is data of the page's scripts

  // First letters are left out where a class may begin with a capital: `i` in a selector is ten times slower.
  const BANNERS =
    "[role=alert],[role=status],[role=alertdialog],[role=dialog],dialog,h1,h2,h3," +
    ["anner", "lert", "otice", "otification", "arning", "oast", "aused"]
      .map((word) => `[class*=${word}],[id*=${word}]`)
      .join();
  const ACCOUNTS = "[aria-label*=ccount],[title*=ccount]";
  const BUTTONS = "button,a,[role=button],input,select,textarea,iframe";
  const NOT_WORDS = "script,style,noscript,template,textarea,select,svg,[contenteditable]:not([contenteditable=false])";
  const ROLES = { H1: "heading", H2: "heading", H3: "heading", DIALOG: "dialog" };
  // Slow at its first use.
  const ADDRESS = /[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*/gu;
  const SIGNED_IN = ["igned in as", "ogged in as", "ngemeldet als"];
  const SIGNED_IN_TEXT = `//text()[${SIGNED_IN.map((words) => `contains(.,'${words}')`).join(" or ")}]`;

  let port; // open while the background wants to hear more
  let told = ""; // what the background knows of this page
  let seen = []; // the elements of the candidates, as they were told
  let isWatched = false;
  let still;
  let timer;
  let pause = SOONEST;
  let lookedAt = 0;
  let host, frame, sheet, drawn, nonce, nPutBack, nClear, guarded; // the prompt
  let banner, spot, height; // what it stands beside; where: x, y, CSS; what its frame needs, once that is heard

  // --- looking

  const textOf = (element, most) => {
    let text = "";
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) =>
      node.nodeType === 1 && node.matches(NOT_WORDS) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      text += node.nodeType === 3 ? node.data : " ";
      if (text.length > most * 3) break; // mostly space, or too much of it
    }
    return text.replace(/\s+/g, " ").trim();
  };

  const candidates = (text) => {
    const found = [];
    seen = [];
    if (!STEMS.test(text)) return found;
    for (const element of document.querySelectorAll(BANNERS)) {
      if (found.length === MOST) break;
      if (element === host || element.closest(NOT_WORDS)) continue;
      const role = element.getAttribute("role") ?? ROLES[element.tagName] ?? "";
      let words = textOf(element, WORDS);
      if (!words || (words.length > WORDS && !role) || found.some((other) => other.words === words)) continue;
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      words = words.slice(0, WORDS);
      const buttons = [];
      for (const button of element.querySelectorAll("button,a,[role=button]")) {
        if (buttons.length < 8) buttons.push(textOf(button, 60).slice(0, 60));
      }
      found.push({ role, words, buttons });
      seen.push(element);
    }
    return found;
  };

  const accounts = (text) => {
    let places = [document.title];
    const named = document.querySelectorAll(text.includes("@") ? ACCOUNTS + ",[class*=ccount]" : ACCOUNTS);
    for (const element of [...named].slice(0, 50)) {
      if (element.closest(NOT_WORDS + ",input")) continue;
      places.push(element.getAttribute("aria-label") ?? "", element.title ?? "", textOf(element, 120).slice(0, 120));
    }
    if (SIGNED_IN.some((words) => text.includes(words))) {
      const nodes = document.evaluate(SIGNED_IN_TEXT, document.body, null, XPathResult.UNORDERED_NODE_ITERATOR_TYPE);
      for (let node, n = 0; n < 5 && (node = nodes.iterateNext()); n++) {
        if (!node.parentElement.closest(NOT_WORDS)) places.push(textOf(node.parentElement, 120).slice(0, 120));
      }
    }
    places = places.filter((text) => text.includes("@")).flatMap((text) => text.match(ADDRESS) ?? []);
    return [...new Set(places)].slice(0, 8);
  };

  const look = () => {
    timer = undefined;
    if (!isAlive()) return leave();
    if (document.visibilityState !== "visible" || !document.body) return;
    lookedAt = performance.now();
    const text = document.body.textContent.slice(0, TEXT);
    const page = JSON.stringify({
      say: "page",
      url: location.origin + location.pathname,
      title: document.title.slice(0, 200),
      candidates: candidates(text),
      accounts: accounts(text),
    });
    observe();
    settle(); // what comes later is given way to
    if (page !== told) say((told = page));
    else if (isWatched && !port) say(page);
  };

  // One look at most is ahead; until then nothing is observed, so that a flood of changes costs nothing.
  const lookSoon = () => {
    if (timer !== undefined || document.visibilityState !== "visible") return;
    const quiet = performance.now() - lookedAt;
    pause = quiet > LATEST ? SOONEST : Math.min(pause * 1.5, LATEST);
    changes.disconnect();
    timer = setTimeout(() => {
      if (globalThis.requestIdleCallback) requestIdleCallback(look, { timeout: SOONEST });
      else look();
    }, Math.max(0, pause - quiet));
  };

  const sayAgain = () => {
    told = "";
    lookSoon();
    return true;
  };

  const changes = new MutationObserver(lookSoon);
  const observe = () =>
    changes.observe(document.documentElement, {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
      attributeFilter: ["class", "hidden", "style", "role", "open", "aria-hidden", "aria-label"],
    });

  // --- the background

  const say = (text) => {
    try {
      if (!port) {
        port = api.runtime.connect({ name: "eyes" });
        port.onMessage.addListener(hear);
        port.onDisconnect.addListener(() => {
          // The background was ended. If it still wanted to hear from us, a look wakes it.
          port = undefined;
          if (isWatched) lookSoon();
        });
      }
      port.postMessage(text);
    } catch {
      port = undefined;
      if (!isAlive()) leave();
    }
  };

  const hear = (text) => {
    const word = JSON.parse(text);
    if (word.tell === "size") return resize(word.height);
    isWatched = word.tell !== "nothing";
    if (word.tell === "show") show(word.nonce, seen[word.beside]);
    else hide();
    clearInterval(still);
    if (isWatched) still = setInterval(beat, STILL);
    else hangUp();
  };

  const beat = () => (port ? say('{"say":"still"}') : lookSoon());

  const hangUp = () => {
    port?.disconnect();
    port = undefined;
  };

  // The extension is gone: so are we.
  const leave = () => {
    changes.disconnect();
    clearInterval(still);
    hide();
  };

  // --- the prompt

  const CARD = 360; // px
  const EXPECTED = 360; // px of height, until the frame says what it needs
  const EDGE = 16;
  const STEP = 20; // px; what is smaller than that is no button
  const GUARD = 100; // ms
  const CLEAR = 5; // looks in a row that found nothing over the card

  // A plain element: one with a name of its own could be the page's, and through it the closed root would be too.
  // The number is the frame's name, and not part of an address: addresses stand in lists that pages may read.
  const show = (number, beside) => {
    if (!host) {
      host = document.createElement("div");
      const root = host.attachShadow({ mode: "closed" });
      sheet = new CSSStyleSheet();
      root.adoptedStyleSheets = [sheet];
      host.addEventListener("toggle", (event) => {
        if (event.newState === "closed" && host?.isConnected) putBack(raise);
      });
      frame = document.createElement("iframe");
      frame.title = "Unpause";
      root.append(frame);
      nPutBack = 0;
      nClear = CLEAR;
      banner = beside;
      place();
    }
    if (nonce !== number) {
      nonce = frame.name = number;
      frame.src = api.runtime.getURL("prompt.html");
    }
    if (!host.isConnected && nPutBack <= PUT_BACK) put();
  };

  const put = () => {
    document.documentElement.append(host);
    raise();
    taken.observe(document.documentElement, { childList: true });
    clearInterval(guarded);
    guarded = setInterval(guard, GUARD);
  };

  // In the top layer nothing that the page does to what is around the prompt moves, dims or clips it.
  const raise = () => {
    host.popover = "manual";
    host.showPopover();
  };

  const taken = new MutationObserver(() => {
    if (host && host.parentNode !== document.documentElement) putBack(put);
  });

  const putBack = (way) => {
    if (nPutBack++ < PUT_BACK) way();
    else taken.disconnect();
  };

  const hide = () => {
    taken.disconnect();
    clearInterval(guarded);
    host?.remove();
    host = frame = sheet = drawn = nonce = height = spot = undefined;
  };

  // What else is in the top layer may lie over the card and let presses through. Chromium tells the frame itself
  // whether it is covered; dialogs make it dead in every browser, and pictures of a page that changes cover all.
  const POPOVER = "isVisible" in IntersectionObserverEntry.prototype ? "" : ":popover-open";
  const OVER = `:is(:modal,:fullscreen,:active-view-transition,${POPOVER})`;
  const guard = () => {
    const isOver = (one) => one !== host || one.matches(":fullscreen");
    const is = !host.matches(":popover-open") || [...document.querySelectorAll(OVER)].some(isOver);
    nClear = is ? 0 : nClear + 1;
    draw();
  };

  const resize = (needed) => {
    height = Math.min(Math.max(Math.ceil(needed), 60), 2000);
    settle();
  };

  const settle = () => {
    if (!host || host.matches(":hover,:focus-within")) return draw();
    place();
  };

  // Of the places beside the banner and in the corners, the first where the card stands on nothing that a person may
  // want to press or read now; else where it stands on least. It stays where it is while that is no worse.
  const place = () => {
    const { clientWidth: width, clientHeight: tall } = document.documentElement;
    const high = Math.min(height ?? EXPECTED, tall - 2 * EDGE);
    const [right, below] = [width - CARD - EDGE, tall - high - EDGE];
    const spots = [
      [right, below, "bottom:16px;right:16px"],
      [EDGE, below, "bottom:16px;left:16px"],
      [right, EDGE, "top:16px;right:16px"],
      [EDGE, EDGE, "top:16px;left:16px"],
    ];
    const box = banner?.getBoundingClientRect();
    if (box?.width && box.top >= 0 && box.top + high < tall) {
      for (const x of [box.left - EDGE - CARD, box.right + EDGE]) {
        if (x >= EDGE && x <= right) spots.unshift([x, box.top, `top:${box.top}px;left:${x}px`]);
      }
    }
    const kept = spots.find((one) => one[2] === spot?.[2]) ?? spot;
    if (kept?.[0] <= right && kept[1] <= below) spots.unshift(kept);
    let least = Infinity;
    for (const one of spots) {
      let cost = 0;
      const [x, y] = one;
      for (let dx = STEP / 2; dx < CARD; dx += STEP) {
        for (let dy = STEP / 2; dy < high; dy += STEP) {
          if (document.elementsFromPoint(x + dx, y + dy).some(isInTheWay)) cost++;
        }
      }
      if (cost < least) [least, spot] = [cost, one];
      if (!least) break;
    }
    draw();
  };

  const isInTheWay = (one) =>
    one !== host &&
    (one.matches(BUTTONS) ||
      (/fixed|sticky/.test(getComputedStyle(one).position) && one.offsetHeight < innerHeight / 2));

  // `!important` inside a shadow root is stronger than anything that the page says; what it may put before and after
  // our frame is in that element too. A page that zooms does not zoom the card.
  // Nothing is seen of a frame that says no height: a page's policy (COEP) may keep it blank.
  const draw = () => {
    if (!sheet) return;
    const rules = `all:initial;display:block;position:fixed;z-index:2147483647;${spot[2]};width:${CARD}px;` +
      `max-width:calc(100vw - 32px);height:${height ?? EXPECTED}px;max-height:calc(100vh - 32px);` +
      `zoom:${1 / (document.documentElement.currentCSSZoom || 1)};` +
      (nClear < CLEAR ? "visibility:hidden;" : height ? "" : "opacity:0;pointer-events:none;");
    const css = `:host{${rules.replaceAll(";", "!important;")}}:host::before,:host::after{display:none!important}` +
      "iframe{box-sizing:border-box;display:block;width:100%;height:100%;color-scheme:light dark;" +
      "border:1px solid light-dark(#d5dae2,#384150);border-radius:8px;box-shadow:0 4px 16px #0003}";
    if (drawn !== css) sheet.replaceSync((drawn = css));
  };

  // --- beginning

  addEventListener("popstate", lookSoon);
  globalThis.navigation?.addEventListener("currententrychange", lookSoon);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") sayAgain();
    else {
      clearInterval(still);
      hangUp();
    }
  });
  addEventListener("resize", settle);
  lookSoon();
})();
