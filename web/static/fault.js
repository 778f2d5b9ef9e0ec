// Tells the person about faults of the page's own script: uncaught errors, rejections that nobody handles, parts that did not
// load, what the content policy forbade. A plain script that imports nothing, loaded before every module, so that it is there
// when a module is not. A part that catches an error of its own hands it to the browser's `reportError`, which ends here too.

(() => {
  const MOST = 5;
  /** @type {Map<string, { times: number, first: string, line: HTMLElement }>} */
  const faults = new Map();
  const list = document.createElement("ul");
  const root = document.createElement("section");

  function build() {
    root.className = "faults";
    root.setAttribute("role", "alert");
    const title = document.createElement("strong");
    title.textContent = "This page has a fault.";
    const advice = document.createElement("span");
    advice.textContent = " What it concerns may be missing or old; the rest goes on. Reload the page; if it comes again, report this:";
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Hide";
    close.addEventListener("click", () => {
      root.hidden = true;
    });
    root.append(close, title, advice, list);
  }

  function attach() {
    if (!root.firstChild) build();
    root.hidden = false;
    if (document.body && !root.isConnected) document.body.prepend(root);
  }

  /** @param {string} words */
  function tell(words) {
    const known = faults.get(words);
    if (known) {
      known.times += 1;
      known.line.textContent = `${words} (${known.times} times since ${known.first})`;
      return;
    }
    if (faults.size >= MOST) return;
    const line = document.createElement("li");
    line.textContent = words;
    faults.set(words, { times: 1, first: new Date().toLocaleTimeString(), line });
    list.append(line);
    if (document.body) attach();
    else addEventListener("DOMContentLoaded", attach, { once: true });
  }

  /** @param {string} address */
  const file = (address) => address.split(/[?#]/)[0].split("/").at(-1) || address;

  /** @param {unknown} thrown */
  const words = (thrown) => (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown));

  // Only while capturing does one hear of a script or style sheet that did not load.
  addEventListener("error", (event) => {
    const part = event.target;
    if (part instanceof HTMLScriptElement) tell(`${file(part.src)} or something that it needs did not load`);
    else if (part instanceof HTMLLinkElement) tell(`${file(part.href)} did not load`);
    else if (event instanceof ErrorEvent) {
      const where = event.filename ? ` (${file(event.filename)}, line ${event.lineno})` : "";
      tell(`${event.error ? words(event.error) : event.message}${where}`);
    }
  }, true);
  addEventListener("unhandledrejection", (event) => tell(words(event.reason)));
  addEventListener("securitypolicyviolation", (event) => tell(`${event.effectiveDirective} forbids ${event.blockedURI}`));
})();
