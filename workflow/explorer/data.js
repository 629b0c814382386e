"use strict";
// Data files are scripts that call pinch.give(name, packed), because a page opened from a file may fetch nothing else.

const KEPT = 400; // data files in memory at a time: some rows and columns of a large matrix

const waiting = new Map();
const unpacked = new Map();

window.pinch = {
  give(name, packed) {
    const job = waiting.get(name);
    if (job) job.given(packed);
  },
};

async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const addressOfFile = (folder, name) => `${folder}/${name.split("/").map(encodeURIComponent).join("/")}.js`;

function script(address) {
  return new Promise((done, failed) => {
    const element = document.createElement("script");
    element.src = address;
    element.onload = () => (element.remove(), done());
    element.onerror = () => (element.remove(), failed(new Error(`${decodeURIComponent(address)} cannot be loaded`)));
    document.head.append(element);
  });
}

function load(name) {
  // The content of data/{name}.js, loaded once.
  if (unpacked.has(name)) {
    const found = unpacked.get(name);
    unpacked.delete(name); // the one used last goes last
    unpacked.set(name, found);
    return found;
  }
  const found = new Promise((given, failed) => {
    waiting.set(name, { given });
    script(addressOfFile("data", name)).then(
      () => failed(new Error(`data/${name}.js holds no data of that name; make the explorer again`)),
      failed,
    );
  })
    .then(unpack)
    .finally(() => waiting.delete(name));
  unpacked.set(name, found);
  found.catch(() => unpacked.delete(name));
  if (unpacked.size > KEPT) unpacked.delete(unpacked.keys().next().value);
  return found;
}

// --- what the index says ---

let index; // set by main.js, before anything is shown
let cellsAt; // "judge/base/set/seed/lang" -> numbers of the cell by name
let averages; // "heatmap-base-judge/set/lang" -> numbers over seeds, by name
let sets; // by name
let files;

const LINE = ["score", "low", "high", "sd", "seeds", "p", "p_corrected"];

function readIndex(found) {
  index = found;
  sets = new Map(index.sets.map((set) => [set.name, set]));
  files = new Set(index.files);
  const { columns, rows } = index.cells;
  const at = Object.fromEntries(columns.map((name, place) => [name, place]));
  cellsAt = new Map();
  for (const row of rows) {
    const cell = {};
    columns.forEach((name, place) => (cell[name] = row[place]));
    cellsAt.set(["judge", "base", "mixture", "seed", "lang"].map((name) => row[at[name]]).join("/"), cell);
  }
  averages = new Map();
  for (const [figure, lines] of Object.entries(index.heatmaps))
    for (const [set, lang, ...numbers] of lines)
      averages.set(`${figure}/${set}/${lang}`, Object.fromEntries(LINE.map((name, place) => [name, numbers[place]])));
}

const cellOf = (judge, base, set, seed, lang) => cellsAt.get([judge, base, set, seed, lang].join("/"));
const languageName = (lang) => index.languages[lang] || lang;
const labelOf = (set) => (sets.get(set) ? sets.get(set).label : set);
const rowsOfMatrix = () => index.sets.filter((set) => set.columns.length);
const isDiagonal = (set, lang) => index.baselines[lang] === set;
const auditOf = (judge, lang) => index.audits[`${judge}/${lang}`] || { status: "not audited", flags: [] };
const words = (flag) => flag.replaceAll("_", " ");

function composition(set) {
  const counts = new Map();
  for (const [lang, rows] of [...set.rows, ...set.natural]) counts.set(lang, (counts.get(lang) || 0) + rows);
  if (!counts.size) return "no training: the base model as it is";
  const total = [...counts.values()].reduce((sum, rows) => sum + rows, 0);
  const parts = [...counts].map(([lang, rows]) => `${rows.toLocaleString("en")} ${languageName(lang)}`);
  return `${counted(total, "row")}: ${parts.join(", ")}`;
}
