// What the pages about demands gain when scripts run: keys for the card, the suggestions and the sample.
// Every key presses a button or a link that is on the page; without scripts those do the same.
"use strict";

(() => {
  const typing = (target) =>
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      ["SELECT", "TEXTAREA"].includes(target.tagName) ||
      (target.tagName === "INPUT" && target.type !== "checkbox"));

  const one = (selector) => document.querySelector(selector);
  const press = (selector) => one(selector)?.click();

  const walk = (stops, by) => {
    if (!stops.length) return;
    const here = stops.findIndex((stop) => stop.contains(document.activeElement));
    const next = stops[Math.min(stops.length - 1, Math.max(0, here < 0 ? 0 : here + by))];
    const target = next.querySelector("input[type=checkbox]") || next;
    target.focus();
    next.scrollIntoView({ block: "nearest" });
  };

  const members = () => [...document.querySelectorAll("#act-form .members li")];
  const suggestions = () => [...document.querySelectorAll("[data-suggestion]")];

  const inSuggestion = (outcome) => () => {
    const all = suggestions();
    const here = all.find((each) => each.contains(document.activeElement)) || all[0];
    here?.querySelector(`button[value=${outcome}]`)?.click();
  };

  const showMap = () => {
    const map = one("#key-map");
    if (map && !map.open) map.showModal();
  };

  const card = {
    j: () => walk(members(), 1),
    k: () => walk(members(), -1),
    o: () => {
      const here = members().find((each) => each.contains(document.activeElement));
      here?.querySelector("input[type=checkbox]")?.click();
    },
    s: () => press("#act-split"),
    c: () => press("#act-confirm"),
    x: () => press("#act-reject"),
    t: () => one("#to")?.focus(),
    m: () => press("#act-move"),
    g: () => press("#act-merge"),
    n: () => one("#new-title")?.focus(),
    u: () => press("#undo"),
    "?": showMap,
  };
  const inbox = {
    j: () => walk(suggestions(), 1),
    k: () => walk(suggestions(), -1),
    a: inSuggestion("accept"),
    d: inSuggestion("dismiss"),
    "?": showMap,
  };
  const probe = {
    0: () => press("#probe-form button[value=none]"),
    9: () => press("#probe-form button[value=unsure]"),
  };
  for (let number = 1; number <= 8; number += 1) {
    probe[number] = () => press(`#probe-form li:nth-child(${number}) button:not([value=none]):not([value=unsure])`);
  }

  const keysHere = () => {
    if (one("#correcting")) return card;
    if (one("[data-suggestion]")) return inbox;
    return one("#probe-form") ? probe : {};
  };

  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (one("dialog[open]")) return;
    const act = keysHere()[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-show-keys]")) showMap();
  });
})();
