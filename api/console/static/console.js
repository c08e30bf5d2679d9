// What a page gains when scripts run: keys in forms, the chart, and focus after an update.
// The queue has more of its own in queue.js.
// Everything here is also done by plain links and forms.
"use strict";

(() => {
  const typing = (target) =>
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "Enter" && typing(event.target) && event.target.form) {
      event.preventDefault();
      event.target.closest("details, form").querySelector("button").click();
      return;
    }
    if (event.key === "Escape" && typing(event.target)) {
      event.target.blur();
      return;
    }
  });

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target.closest("[data-print]")) window.print();
  });

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const draw = () => {
    for (const place of document.querySelectorAll("[data-chart]")) {
      if (!window.echarts) return;
      const rows = JSON.parse(place.dataset.chart);
      const chart = window.echarts.getInstanceByDom(place) || window.echarts.init(place);
      const text = { color: colour("--soft"), fontFamily: colour("--sans") };
      const counts = rows.map((row) => row.people ?? row.posts ?? null);
      const known = rows.some((row) => row.low !== undefined && row.low !== null);
      const lows = rows.map((row) => row.low ?? null);
      const heights = rows.map((row) => (row.low === undefined || row.low === null ? null : row.high - row.low));
      const bound = { type: "line", z: 1, stack: "expected", symbol: "none", lineStyle: { opacity: 0 }, silent: true };
      const band = known
        ? [
            { ...bound, data: lows },
            {
              ...bound,
              name: place.dataset.band || "",
              data: heights,
              areaStyle: { color: colour("--care"), opacity: 0.22 },
            },
          ]
        : [];
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
            ...band,
            {
              type: "bar",
              data: counts,
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
      const heading = document.querySelector("#main [data-focus]") || document.querySelector("#main h1");
      if (heading) heading.focus({ preventScroll: true });
    }
  });
})();
