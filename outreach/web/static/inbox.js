"use strict";
// The keyboard in the inbox; everything it does is a link or a button on the page.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select")) return;
  const items = [...document.querySelectorAll("[data-list] [data-item]")];
  const now = Math.max(
    items.findIndex((item) => item === document.activeElement || item.contains(document.activeElement)),
    items.findIndex((item) => item.getAttribute("aria-current") === "true"),
  );
  const move = (step) => {
    const next = items[Math.min(Math.max(now + step, 0), items.length - 1)];
    if (!next) return;
    if (next.matches("nav [data-item]")) next.click();
    else next.focus();
  };
  const press = (key) => {
    const scope = document.activeElement?.closest("[data-item]") ?? document;
    const target = scope.querySelector(`[data-key="${key}"]`) ?? document.querySelector(`[data-key="${key}"]`);
    target?.click();
    return Boolean(target);
  };
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    a: () => press("a"),
    r: () => press("r") && document.querySelector(".refuse input")?.focus(),
    x: () => press("x"),
    u: () => document.querySelector("[data-undo] button")?.click(),
    i: () => document.querySelector("[data-back]")?.click(),
  };
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});
