"use strict";
// Charts by Vega-Lite, which is loaded where the first one is shown. Expressions are interpreted, not compiled: the
// page's policy lets nothing be made into code.

let vega;

const isDark = () =>
  document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;

function look() {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const dim = style.getPropertyValue("--dim").trim();
  const rule = style.getPropertyValue("--rule").trim();
  const font = getComputedStyle(document.body).fontFamily;
  return {
    background: "transparent",
    font,
    view: { stroke: null },
    axis: { labelColor: ink, titleColor: dim, gridColor: rule, domainColor: rule, tickColor: rule, labelLimit: 260 },
    legend: { labelColor: ink, titleColor: dim },
    text: { color: ink },
  };
}

async function chart(parent, description, spec, clicked) {
  vega = vega || script("lib/vega.js");
  await vega;
  const box = h("div", { class: "chart", role: "img", "aria-label": description });
  parent.replaceChildren(box);
  const made = await window.vegaEmbed(
    box,
    { ...spec, width: "container", config: look() },
    { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: chartTip },
  );
  // The picture as a whole has its words above; its parts have none of their own.
  for (const part of box.querySelectorAll("svg, svg [role], svg [aria-roledescription]")) {
    part.removeAttribute("role");
    part.removeAttribute("aria-roledescription");
    part.removeAttribute("aria-label");
  }
  box.querySelector("svg").setAttribute("aria-hidden", "true");
  if (clicked) made.view.addEventListener("click", (event, item) => item && item.datum && clicked(item.datum));
}

function chartTip(handler, event, item, value) {
  if (!value) return hideTip();
  const tip = byId("tip");
  const lines = typeof value === "object" ? Object.entries(value).map(([name, text]) => `${name}: ${text}`) : [String(value)];
  tip.replaceChildren(...lines.map((line) => h("div", {}, line)));
  tip.hidden = false;
  tip.style.left = `${Math.min(event.clientX + 12, document.documentElement.clientWidth - tip.offsetWidth - 4)}px`;
  tip.style.top = `${event.clientY + 14}px`;
}

function forest(values, title, middle, extent) {
  // Points with intervals, one a line: {label, value, low, high, told, mark}.
  const y = { field: "label", type: "nominal", sort: null, title: null };
  const scale = extent ? { domain: extent } : { zero: false };
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    height: 20 * values.length + 45, // with the axis: a step a line would not fit itself to the width
    autosize: { type: "fit", contains: "padding" },
    data: { values },
    layer: [
      {
        mark: { type: "rule", strokeDash: [4, 3], color: "#888888" },
        encoding: { x: { datum: middle, type: "quantitative" } },
      },
      {
        transform: [{ filter: "isValid(datum.low)" }],
        mark: { type: "rule", strokeWidth: 2, color: "#3d8bc4" },
        encoding: { y, x: { field: "low", type: "quantitative", scale, title }, x2: { field: "high" } },
      },
      {
        mark: { type: "point", filled: true, size: 75, opacity: 1, cursor: "pointer" },
        encoding: {
          y,
          x: { field: "value", type: "quantitative", scale, title },
          color: { condition: { test: "datum.mark", value: "#d55e00" }, value: "#0072b2" },
          shape: { condition: { test: "datum.mark", value: "diamond" }, value: "circle" },
          tooltip: [{ field: "told", type: "nominal", title: " " }],
        },
      },
    ],
  };
}
