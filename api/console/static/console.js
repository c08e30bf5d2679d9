// What a page gains when scripts run: keys in the queue, the chart, and focus after an update.
// Everything here is also done by plain links and forms.
"use strict";

(() => {
  const typing = (target) =>
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName));

  const press = (selector) => {
    const found = document.querySelector(selector);
    if (found) found.click();
    return Boolean(found);
  };

  const step = (by) => {
    const links = [...document.querySelectorAll("#tray a")];
    const here = links.findIndex((link) => link.hasAttribute("aria-current"));
    const next = links[here + by];
    if (next) next.click();
  };

  const openRemoval = () => {
    const panel = document.querySelector("#removal");
    if (!panel) return;
    panel.open = true;
    const category = panel.querySelector("select");
    (category.value ? panel.querySelector("textarea, input[name=reason]") : category).focus();
  };

  const showMap = () => {
    const map = document.querySelector("#key-map");
    if (map && !map.open) map.showModal();
  };

  const keys = {
    p: () => press("#publish"),
    r: openRemoval,
    h: () => press("#refer"),
    j: () => step(1),
    k: () => step(-1),
    "?": showMap,
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "Enter" && typing(event.target) && event.target.form) {
      event.preventDefault();
      event.target.form.requestSubmit(event.target.form.querySelector("button"));
      return;
    }
    if (event.key === "Escape" && typing(event.target)) {
      event.target.blur();
      return;
    }
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (document.querySelector("dialog[open]") || document.querySelector(".htmx-request")) return;
    const act = keys[event.key];
    if (act && document.querySelector("#desk")) {
      event.preventDefault();
      act();
    }
  });

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target.closest("[data-show-keys]")) showMap();
    if (event.target.closest("[data-print]")) window.print();
    if (event.target.closest("[data-open-removal]")) openRemoval();
  });

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const draw = () => {
    for (const place of document.querySelectorAll("[data-chart]")) {
      if (!window.echarts) return;
      const rows = JSON.parse(place.dataset.chart);
      const chart = window.echarts.getInstanceByDom(place) || window.echarts.init(place);
      const text = { color: colour("--soft"), fontFamily: colour("--sans") };
      chart.setOption(
        {
          animation: false,
          grid: { left: 34, right: 10, top: 16, bottom: 28 },
          xAxis: {
            type: "category",
            data: rows.map((row) => row.label),
            axisLabel: text,
            axisTick: { show: false },
            axisLine: { lineStyle: { color: colour("--line-strong") } },
          },
          yAxis: {
            type: "value",
            minInterval: 1,
            axisLabel: text,
            splitLine: { lineStyle: { color: colour("--line") } },
          },
          series: [
            {
              type: "bar",
              data: rows.map((row) => row.posts),
              barMaxWidth: 26,
              itemStyle: { color: colour("--brand"), borderRadius: [4, 4, 0, 0] },
            },
          ],
        },
        true,
      );
    }
  };

  const redraw = () => {
    for (const place of document.querySelectorAll("[data-chart]")) {
      const chart = window.echarts && window.echarts.getInstanceByDom(place);
      if (chart) chart.resize();
    }
  };

  const showPlace = () => {
    const tray = document.querySelector("#tray");
    const here = tray && tray.querySelector("a[aria-current]");
    if (here && tray.scrollHeight > tray.clientHeight) {
      tray.scrollTop = here.offsetTop - tray.offsetTop - tray.clientHeight / 3;
    }
  };

  document.addEventListener("DOMContentLoaded", draw);
  document.addEventListener("DOMContentLoaded", showPlace);
  window.addEventListener("resize", redraw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.addEventListener("htmx:afterSettle", (event) => {
    draw();
    showPlace();
    if (event.target instanceof Element && event.target.id === "main") {
      const heading = document.querySelector("#main h1");
      if (heading) heading.focus({ preventScroll: true });
    }
  });
})();
