"use strict";
// The keyboard in the inbox. Everything it does is a link or a button on the page; it only saves the hand a way.
// An approval can never hit another message than the one that is shown: the form carries the shown message's own
// digest, and the key is dead while the shown message is not the selected one, or has only just appeared.
(() => {
  const READ_FOR = 300; // ms that a message must have been shown before a key decides on it
  const reader = () => document.getElementById("reader");
  let last = reader();
  let shownAt = performance.now();

  // Whatever puts another message in its place: from then on it is new, and has not been read yet.
  function notice() {
    if (reader() === last) return;
    last = reader();
    shownAt = performance.now();
  }
  new MutationObserver(() => { notice(); dress(); }).observe(document.body, { childList: true, subtree: true });

  const items = () => [...document.querySelectorAll("[data-list] [data-item]")];
  const selected = () => items().find((item) => item.getAttribute("aria-current") === "true");
  const focused = () => items().find((item) => item === document.activeElement || item.contains(document.activeElement));

  function tell(which) {
    const heard = document.getElementById("heard");
    if (heard) { heard.textContent = ""; heard.textContent = heard.dataset[which] ?? ""; }
  }

  function mark(item) {
    for (const one of items()) {
      if (one === item) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
      one.closest(".one")?.classList.toggle("now", one === item);
    }
  }

  function move(step) {
    const all = items();
    const now = all.indexOf(focused() ?? selected());
    const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
    if (!next) return;
    if (!next.dataset.message) { next.focus(); return; }
    if (next === selected()) return;
    mark(next);
    next.scrollIntoView({ block: "nearest" });
    next.click();
  }

  // Whether what is shown is what is selected. A page without a reader shows a sample.
  function there() {
    notice();
    const shown = reader();
    const now = selected();
    const is = !shown || (!shown.hasAttribute("aria-busy") && (!now || now.dataset.message === shown.dataset.message));
    if (!is) tell("loading");
    return is;
  }

  // Whether a key may decide on it.
  function ready() {
    if (!there()) return false;
    const read = !reader() || performance.now() - shownAt >= READ_FOR;
    if (!read) tell("unread");
    return read;
  }

  function press(key) {
    const scope = document.activeElement?.closest("section[data-item]") ?? reader() ?? document;
    const target = scope.querySelector(`[data-key="${key}"]`) ?? document.querySelector(`[data-key="${key}"]`);
    target?.click();
    return Boolean(target);
  }

  function returning() {
    if (!there()) return;
    const panel = document.getElementById("refuse");
    if (!panel) { press("r"); return; }
    panel.open = true;
    panel.querySelector("input[type=checkbox]")?.focus();
  }

  function tick() {
    const box = selected()?.closest(".one")?.querySelector("[data-tick]");
    if (box) { box.checked = !box.checked; box.dispatchEvent(new Event("change", { bubbles: true })); }
    else press("x");
  }

  function search() {
    const field = document.querySelector("input[data-key='/']");
    if (field) field.focus();
    else document.querySelector("[data-back]")?.click();
  }

  function help() {
    const keys = document.getElementById("keys");
    if (keys?.open) keys.close();
    else keys?.showModal();
  }

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    o: () => (focused() ?? items()[0])?.click(),
    x: tick,
    a: () => ready() && press("a"),
    r: returning,
    u: () => document.querySelector("[data-undo] button")?.click(),
    i: () => document.querySelector("[data-back]")?.click(),
    "[": () => press("["),
    "]": () => press("]"),
    "/": search,
    "?": help,
  };

  document.addEventListener("keydown", (event) => {
    // 229: a key that an input method takes for itself.
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.keyCode === 229) return;
    const typing = event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    if (typing) { if (event.key === "Escape") typing.blur(); return; }
    if (document.getElementById("keys")?.open && event.key !== "?") return;
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    if (event.repeat && !"jk".includes(event.key)) return; // a held key decides once
    keys[event.key]();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-help]")) help();
    if (event.target.closest("[data-opens=refuse]")) returning();
    const item = event.target.closest("[data-list] a[data-message]");
    if (item) mark(item);
  });

  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-tick]")) return;
    const count = document.querySelectorAll("[data-tick]:checked").length;
    for (const place of document.querySelectorAll("[data-ticked-count]")) place.textContent = count ? String(count) : "";
  });

  // While a decision or another message is under way, the one that is shown is not decided on by a key.
  const DECIDING = "[data-message], form.decide, form.same";
  document.addEventListener("htmx:before:request", (event) => {
    if (event.detail.ctx.sourceElement?.matches?.(DECIDING)) reader()?.setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:finally:request", (event) => {
    if (event.detail.ctx.sourceElement?.matches?.(DECIDING)) reader()?.removeAttribute("aria-busy");
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (!event.detail.ctx.sourceElement?.matches?.(DECIDING)) return;
    const problem = document.querySelector("#said > *");
    if (problem) { problem.scrollIntoView({ block: "nearest" }); return; }
    const shown = Boolean(reader()?.dataset.message);
    document.body.classList.toggle("reading", shown);
    document.body.classList.toggle("listing", !shown);
    document.getElementById("who")?.focus({ preventScroll: window.innerWidth > 720 });
    selected()?.scrollIntoView({ block: "nearest" });
  });

  // A countdown until an approval can no longer be undone.
  function countDown(element) {
    element.dataset.ticking = "1";
    const until = Date.parse(element.dataset.until);
    const step = () => {
      const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      element.textContent = String(left);
      if (left > 0) setTimeout(step, 250);
      else element.closest("[data-undo]")?.remove();
    };
    step();
  }

  function dress() {
    document.getElementById("desk")?.classList.add("scripted");
    document.querySelectorAll("[data-until]:not([data-ticking])").forEach(countDown);
  }
  dress();
})();
