// What the queue gains when scripts run: one key for each decision, an undo that counts down, and a lease
// that is kept while somebody works and given back when they leave. Forms and links do the same without.
"use strict";

(() => {
  const BEAT = 60_000;
  const IDLE = 120_000;

  const typing = (target) =>
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      ["SELECT", "TEXTAREA"].includes(target.tagName) ||
      (target.tagName === "INPUT" && target.type !== "checkbox"));

  const one = (selector) => document.querySelector(selector);

  const press = (selector) => {
    const found = one(selector);
    if (found) found.click();
    return Boolean(found);
  };

  // Text that is folded for the officer's sake is read before it is decided about.
  const read = () => {
    const folded = one("details.harsh:not([open])");
    if (!folded) return true;
    for (const each of document.querySelectorAll("details.harsh")) each.open = true;
    folded.querySelector("summary").focus();
    return false;
  };

  const decideBy = (selector) => () => {
    if (read()) press(selector);
  };

  const step = (by) => {
    const links = [...document.querySelectorAll("#tray li a")];
    const here = links.findIndex((link) => link.hasAttribute("aria-current"));
    const next = links[here + by];
    if (next) next.click();
  };

  const openRemoval = () => {
    const panel = one("#removal");
    if (!panel || !read()) return;
    panel.open = true;
    const category = panel.querySelector("select");
    (category.value ? panel.querySelector("textarea") : category).focus();
  };

  const showMap = () => {
    const map = one("#key-map");
    if (map && !map.open) map.showModal();
  };

  const keys = {
    p: decideBy("#publish"),
    x: decideBy("#suggested"),
    r: openRemoval,
    h: decideBy("#refer"),
    u: () => press("#undo"),
    b: () => press("#bulk"),
    o: read,
    j: () => step(1),
    k: () => step(-1),
    l: () => press("#to-list") || press("#to-desk"),
    "/": () => (one("#words") ? one("#words").focus() : press("#to-list")),
    "?": showMap,
    Escape: () => press("#back"),
  };
  for (let number = 1; number <= 9; number += 1) keys[number] = decideBy(`#quick-${number}`);

  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (one("dialog[open]") || one(".htmx-request")) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act && one("#key-map")) {
      if (event.key !== "Escape" || one("#back")) event.preventDefault();
      act();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-show-keys]")) showMap();
  });

  // The lease: what this page has in hand, kept while somebody is at work and given back on leaving.
  let held = { tasks: [], csrf: "" };
  let active = Date.now();

  const inHand = () => {
    const card = one("#card[data-task]");
    if (card) return { tasks: [`${card.dataset.task}:${card.dataset.lease}`], csrf: card.dataset.csrf };
    const bulk = one("#bulk-form");
    if (!bulk) return { tasks: [], csrf: "" };
    const tasks = [...bulk.querySelectorAll("input[name=held]")];
    return { tasks: tasks.map((each) => `${each.value}:${each.dataset.lease}`), csrf: bulk.dataset.csrf };
  };

  const giveBack = (left) => {
    if (!left.tasks.length) return;
    const sent = new URLSearchParams({ csrf: left.csrf });
    for (const task of left.tasks) sent.append("task", task);
    navigator.sendBeacon("/queue/leave", sent);
  };

  const lost = () => {
    const told = one("#lost");
    if (told) told.hidden = false;
  };

  const keep = async () => {
    if (!held.tasks.length || Date.now() - active > IDLE) return;
    const mine = held;
    for (const task of mine.tasks) {
      const answer = await fetch(`/queue/${task.split(":")[0]}/keep`, {
        method: "POST",
        headers: { "x-csrf-token": mine.csrf },
      }).catch(() => null);
      if (answer && !answer.ok && mine === held) return lost();
    }
  };

  for (const sign of ["keydown", "pointerdown", "pointermove", "scroll"]) {
    document.addEventListener(sign, () => (active = Date.now()), { passive: true });
  }

  const count = () => {
    const place = one("[data-leaves-in]");
    if (!place) return;
    place.until ??= Date.now() + 1000 * Number(place.dataset.leavesIn);
    const seconds = Math.max(0, Math.ceil((place.until - Date.now()) / 1000));
    place.textContent = `${seconds} s`;
    if (!seconds) place.closest("form").hidden = true;
  };

  const begin = () => {
    const now = inHand();
    const gone = held.tasks.filter((task) => !now.tasks.includes(task));
    giveBack({ tasks: gone, csrf: held.csrf });
    held = now;
    count();
  };

  document.addEventListener("DOMContentLoaded", begin);
  document.addEventListener("htmx:afterSettle", begin);
  window.addEventListener("pagehide", () => giveBack(held));
  window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
  window.setInterval(keep, BEAT);
  window.setInterval(count, 1000);
})();
