"use strict";
// From the address to what is shown.

const VIEWS = {
  matrix: showMatrix,
  cell: showCell,
  prompt: showPrompt,
  sets: (content, current) => showFollowed(content, current, false),
  languages: (content, current) => showFollowed(content, current, true),
  compare: showCompared,
};

let shown = 0;

function problem(content, text) {
  content.append(h("p", { class: "notice", role: "alert" }, text), h("p", {}, h("a", { href: "#view=matrix" }, "To the heatmap")));
}

function showPath() {
  const steps = [[{ view: "matrix", prompt: "", show: "", q: "", first: "", set: "", lang: "", other: "" }, "Heatmap"]];
  if (state.view !== "matrix" && state.set && state.lang)
    steps.push([{ view: "cell", prompt: "", other: "", show: state.view === "prompt" ? state.show : "" }, `${labelOf(state.set)} in ${languageName(state.lang)}`]);
  if (state.view === "compare" || (state.view === "prompt" && state.other)) steps.push([{ view: "compare", prompt: "" }, `with ${labelOf(state.other)}`]);
  if (state.prompt && ["prompt", "sets", "languages"].includes(state.view)) steps.push([{ view: "prompt" }, `prompt ${state.prompt}`]);
  byId("path").replaceChildren(
    ...steps.map(([change, text], place) => h("li", {}, place === steps.length - 1 ? h("span", { "aria-current": "page" }, text) : link(change, {}, text))),
  );
}

async function render(focus) {
  const turn = ++shown;
  const current = () => turn === shown;
  hideTip();
  move = null;
  const unknown = readState();
  const content = h("div", {});
  const main = byId("content");
  if (unknown.length) content.append(h("p", { class: "notice", role: "alert" }, `This run has no ${unknown.join(", no ")}.`));
  showPath();
  main.replaceChildren(content);
  try {
    const show = VIEWS[state.view];
    if (show) await show(content, current);
    else problem(content, `There is no view ${state.view}.`);
  } catch (error) {
    if (current()) problem(content, `This cannot be shown: ${error.message}.`);
  }
  if (!current()) return;
  showPath();
  const title = content.querySelector("h1");
  document.title = title ? `${title.textContent} · Explorer` : "Explorer";
  if (focus && title) {
    window.scrollTo(0, 0);
    main.focus({ preventScroll: true });
    say(title.textContent);
  }
  document.documentElement.dataset.shown = String(turn);
}

// --- light and dark ---

const THEMES = { "": "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  document.documentElement.classList.toggle("dark", isDark()); // for DataTables
  byId("theme").textContent = THEMES[theme];
}

function keptTheme() {
  try {
    const theme = localStorage.getItem("pinch-explorer-theme");
    return theme in THEMES ? theme : "";
  } catch {
    return ""; // a browser that keeps nothing for files
  }
}

byId("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme || "") + 1) % names.length];
  setTheme(next);
  try {
    localStorage.setItem("pinch-explorer-theme", next);
  } catch {
    // It holds for this page then.
  }
  render(false);
});

setTheme(keptTheme());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(keptTheme()));

load("index").then(
  (found) => {
    readIndex(found);
    byId("whose").textContent = index.title || index.results;
    window.addEventListener("hashchange", () => render(true));
    render(false);
  },
  (error) => {
    byId("content").replaceChildren(h("p", { class: "notice", role: "alert" }, `The explorer cannot be shown: ${error.message}.`));
  },
);
