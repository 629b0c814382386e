"use strict";
// What is shown is in the address, so that it can be sent to somebody: #view=cell&set=en48&lang=es ...

const state = {};

function defaults() {
  return {
    view: "matrix",
    judge: index.judges[0].name,
    base: index.bases[0],
    seed: index.seeds.length > 1 ? "mean" : index.seeds[0],
    value: "score",
    set: "",
    other: "",
    lang: "",
    prompt: "",
    show: "",
    q: "",
    first: "",
  };
}

const KNOWN = {
  judge: () => index.judges.map((judge) => judge.name),
  base: () => index.bases,
  seed: () => (index.seeds.length > 1 ? ["mean", ...index.seeds] : index.seeds),
  value: () => Object.keys(VALUES),
  set: () => ["", ...index.sets.map((set) => set.name)],
  other: () => ["", ...index.sets.map((set) => set.name)],
  lang: () => ["", ...Object.keys(index.languages)],
};

function readState() {
  // Into `state`; what the address says of things that are not there is left out, and named.
  const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const unknown = [];
  Object.assign(state, defaults());
  for (const [name, value] of Object.entries(given)) {
    if (!(name in state)) continue;
    if (KNOWN[name] && !KNOWN[name]().includes(value)) unknown.push(`${name} ${value}`);
    else state[name] = value;
  }
  return unknown;
}

function addressOf(change) {
  const usual = defaults();
  const next = { ...state, ...change };
  const parts = Object.entries(next).filter(([name, value]) => name === "view" || (value && value !== usual[name]));
  return `#${new URLSearchParams(parts)}`;
}

function go(change) {
  location.hash = addressOf(change);
}

function replace(change) {
  // For what is typed and chosen in place: no new entry in the history, nothing drawn anew.
  Object.assign(state, change);
  history.replaceState(null, "", addressOf({}));
}

// The seed of a single cell: one of them, where the matrix shows the mean.
const seedOf = () => (state.seed === "mean" ? index.seeds[0] : state.seed);
