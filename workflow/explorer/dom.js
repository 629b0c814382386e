"use strict";
// Elements without markup: every text goes in as text, whatever it says.

function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const byId = (id) => document.getElementById(id);

function link(change, properties, ...children) {
  return h("a", { href: addressOf(change), ...properties }, ...children);
}

function choice(label, options, value, act) {
  // A labelled <select>; options are [value, text].
  const select = h("select", { "aria-label": label, onchange: () => act(select.value) });
  for (const [option, text] of options) select.append(h("option", { value: option, selected: option === value }, text));
  return h("label", { class: "choice" }, h("span", { "aria-hidden": "true" }, label), select);
}

function say(text) {
  byId("said").textContent = text;
}

// --- what an element says when it is pointed at or focused: its data-tip, a line each ---

function showTip(element) {
  const tip = byId("tip");
  tip.replaceChildren(...element.dataset.tip.split("\n").map((line) => h("div", {}, line)));
  tip.hidden = false;
  const box = element.getBoundingClientRect();
  const left = Math.min(Math.max(4, box.left), document.documentElement.clientWidth - tip.offsetWidth - 4);
  const below = box.bottom + 6 + tip.offsetHeight < window.innerHeight;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${below ? box.bottom + 6 : Math.max(4, box.top - tip.offsetHeight - 6)}px`;
  element.setAttribute("aria-describedby", "tip");
}

function hideTip() {
  byId("tip").hidden = true;
}

for (const [shows, hides] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  document.addEventListener(shows, (event) => {
    const element = event.target.closest && event.target.closest("[data-tip]");
    if (element) showTip(element);
  });
  document.addEventListener(hides, hideTip);
}
window.addEventListener("scroll", hideTip, { passive: true, capture: true });

// --- numbers ---

const number = (value, digits = 1) =>
  value === null || value === undefined ? "–" : value.toFixed(digits).replace("-", "\u2212");
const signed = (value, digits = 1) => (value > 0 ? `+${number(value, digits)}` : number(value, digits));
const interval = (low, high, digits = 1) =>
  low === null || low === undefined ? "" : `${number(low, digits)} to ${number(high, digits)}`;
const small = (p) => (p === null || p === undefined ? "–" : p < 0.001 ? "< 0.001" : p.toFixed(3));
const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
