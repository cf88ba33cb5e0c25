"use strict";
// Draws the branch's figures; each stands as a table below its plot, and there alone without this script.
(() => {
  const source = document.getElementById("plot-data");
  if (!source || !window.uPlot) return;
  const data = JSON.parse(source.textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const still = (axis) => ({ ...axis, stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } });

  const days = (box) => {
    const date = new Intl.DateTimeFormat(box.dataset.lang, { month: "numeric", day: "numeric", timeZone: "UTC" });
    const said = (value) => (value == null ? "–" : value.toFixed(2));
    const line = (label, stroke, dash) => ({ label, stroke: colour(stroke), width: 2, dash, spanGaps: true, points: { show: true, size: 6 }, value: (_, value) => said(value) });
    return [{
      tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC"),
      scales: { y: { range: (_, low, high) => [0, Math.max(high || 0, 1) * 1.1] } },
      axes: [still({ values: (_, splits) => splits.map((at) => date.format(at * 1000)), incrs: [86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400] }), still({ size: 44 })],
      series: [{ label: box.dataset.day, value: (_, at) => (at == null ? "–" : date.format(at * 1000)) }, line(box.dataset.median, "--accent"), line(box.dataset.p90, "--warn", [6, 4])],
    }, [data.days, data.median, data.p90]];
  };

  const spread = (box) => {
    const names = box.dataset.classes.split("|");
    const short = box.dataset.short.split("|");
    return [{
      scales: { x: { time: false, range: [-0.6, names.length - 0.4] }, y: { range: (_, low, high) => [0, Math.max(high || 0, 1) * 1.1] } },
      axes: [still({ splits: () => names.map((_, at) => at), values: () => short }), still({ size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] })],
      series: [{ label: box.dataset.time, value: (_, at) => (at == null ? "–" : names[at] ?? "") }, { label: box.dataset.decisions, fill: colour("--accent"), stroke: colour("--accent"), paths: uPlot.paths.bars({ size: [0.7, 90] }), points: { show: false } }],
    }, [names.map((_, at) => at), data.spread]];
  };

  const kinds = { days, spread };
  const plots = [];
  document.querySelectorAll("[data-plot]").forEach((box) => {
    box.hidden = false;
    let plot;
    const draw = () => {
      plot?.destroy();
      const [options, values] = kinds[box.dataset.plot](box);
      plot = new uPlot({ width: box.clientWidth, height: 240, ...options }, values, box);
    };
    draw();
    new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: 240 })).observe(box);
    plots.push(draw);
  });
  dark.addEventListener("change", () => plots.forEach((draw) => draw()));
})();
