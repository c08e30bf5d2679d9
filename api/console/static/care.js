// Tell the service that an officer unfolded a harsh text, so that the count of the day is right.
"use strict";

(() => {
  const told = new Set();

  document.addEventListener(
    "toggle",
    (event) => {
      const card = event.target.closest("#card");
      if (!event.target.matches("details.harsh") || !event.target.open || !card || told.has(card.dataset.lease)) return;
      told.add(card.dataset.lease);
      fetch(`/queue/${card.dataset.task}/unfolded`, {
        method: "POST",
        headers: { "x-csrf-token": card.dataset.csrf },
        keepalive: true,
      }).catch(() => {});
    },
    true,
  );
})();
