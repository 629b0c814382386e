"use strict";
// The heatmap: training sets down the side, evaluation languages along the top, every column a heatmap of its own.

const VALUES = {
  score: { words: "Score", figure: "heatmap", field: "score", ends: ["low", "high"], judged: true },
  gated: {
    words: "Language-gated score",
    figure: "language-gated",
    field: "gated_score",
    ends: ["gated_low", "gated_high"],
    judged: true,
    told: "A response in the language of the prompt beats one in another language.",
  },
  length_controlled: {
    words: "Length-controlled score",
    figure: "length-controlled",
    field: "length_controlled",
    judged: true,
    told: "The score expected if responses were as long as the baseline's.",
  },
  language: {
    words: "Response language, %",
    field: "response_language_rate",
    told: "Percent of responses in the language of the prompt, of those whose language can be told.",
  },
  tokens: { words: "Mean length, tokens", field: "mean_tokens", told: "Mean tokens of a response." },
  cut: {
    words: "Cut at the limit, %",
    field: "length_cap_rate",
    told: "Percent of responses that were cut at generate.max_new_tokens.",
  },
  repeats: { words: "Repetition, %", field: "repetition_rate", told: "Percent of responses that repeat themselves." },
};

function overSeeds(field, set, lang) {
  const found = index.seeds
    .map((seed) => cellOf(state.judge, state.base, set, seed, lang))
    .filter((cell) => cell && cell[field] !== null && cell[field] !== undefined);
  if (!found.length) return null;
  const values = found.map((cell) => cell[field]);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { score: mean, seeds: values.length, n: found[0].n };
}

function valueAt(set, lang) {
  // {score, low, high, sd, seeds, p_corrected} of a cell in what the matrix shows now; null where it is missing.
  const value = VALUES[state.value];
  if (state.seed === "mean" || index.seeds.length === 1) {
    const line = value.figure && averages.get(`${value.figure}-${state.base}-${state.judge}/${set}/${lang}`);
    return line ? (line.score === null ? null : line) : overSeeds(value.field, set, lang);
  }
  const cell = cellOf(state.judge, state.base, set, state.seed, lang);
  if (!cell || cell[value.field] === null || cell[value.field] === undefined) return null;
  const [low, high] = value.ends ? value.ends.map((end) => cell[end]) : [null, null];
  return { score: cell[value.field], low, high, seeds: 1, p_corrected: state.value === "score" ? cell.p_holm : null };
}

function averageOf(set) {
  const value = VALUES[state.value];
  if (value.figure && (state.seed === "mean" || index.seeds.length === 1)) {
    const line = averages.get(`${value.figure}-${state.base}-${state.judge}/${set.name}/average`);
    if (line) return line.score === null ? null : line;
  }
  if (set.columns.length < index.columns.length) return null; // not over the same languages as others
  const langs = set.columns.filter((lang) => !(value.judged && isDiagonal(set.name, lang)));
  const found = langs.map((lang) => valueAt(set.name, lang));
  if (!found.length || found.some((one) => one === null)) return null;
  return { score: found.reduce((sum, one) => sum + one.score, 0) / found.length };
}

function shadesOf(rows, lang) {
  // Each column's colours go from its least to its greatest value, as in the figures; the diagonal is left out.
  const value = VALUES[state.value];
  const found = rows
    .filter((set) => set.columns.includes(lang) && !(value.judged && isDiagonal(set.name, lang)))
    .map((set) => valueAt(set.name, lang))
    .filter((one) => one)
    .map((one) => one.score);
  const least = Math.min(...found);
  const span = Math.max(...found) - least;
  return (score) => index.shades[Math.round((span ? (score - least) / span : 0.5) * (index.shades.length - 1))];
}

function tipOf(set, lang, found) {
  const value = VALUES[state.value];
  const lines = [`${set.label} · ${languageName(lang)}`];
  if (!found) return [...lines, "missing"].join("\n");
  if (value.judged && isDiagonal(set.name, lang)) return [...lines, "the baseline against itself: 50 by definition"].join("\n");
  lines.push(`${value.words}: ${number(found.score)}`);
  if (found.low !== null && found.low !== undefined)
    lines.push(`${100 * index.confidence} % interval: ${interval(found.low, found.high)}`);
  if (found.sd !== null && found.sd !== undefined) lines.push(`± ${number(found.sd)} over ${found.seeds} seeds`);
  if (found.p_corrected !== null && found.p_corrected !== undefined)
    lines.push(`p against 50, corrected: ${small(found.p_corrected)}`);
  const cell = cellOf(state.judge, state.base, set.name, seedOf(), lang);
  if (cell && value.judged)
    lines.push(`${cell.wins} wins, ${cell.ties} ties, ${cell.losses} losses${cell.invalid ? `, ${cell.invalid} invalid` : ""}`);
  const audit = auditOf(state.judge, lang);
  if (value.judged && audit.status !== "ok")
    lines.push(`judge ${audit.status === "red" ? `fails its audit: ${audit.flags.map(words).join(", ")}` : "not audited"}`);
  return lines.join("\n");
}

function matrixCell(set, lang, shade) {
  if (!set.columns.includes(lang)) return h("span", { class: "square blank" }, h("span", { class: "unseen" }, "not asked for"));
  const value = VALUES[state.value];
  const found = valueAt(set.name, lang);
  const name = `${set.label}, ${languageName(lang)}`;
  const tip = tipOf(set, lang, found);
  const place = { "data-set": set.name, "data-lang": lang, "data-tip": tip };
  if (!found) return h("span", { class: "square missing", tabindex: "0", role: "img", "aria-label": `${name}: missing`, ...place }, "–");
  const diagonal = value.judged && isDiagonal(set.name, lang);
  const red = value.judged && auditOf(state.judge, lang).status === "red";
  const [paper, ink] = diagonal ? [null, null] : shade(found.score);
  const star = found.p_corrected !== null && found.p_corrected !== undefined && found.p_corrected < index.alpha ? "*" : "";
  return link(
    { view: "cell", set: set.name, lang, seed: seedOf(), prompt: "", show: "", q: "", first: "", other: "" },
    {
      class: `square${diagonal ? " diagonal" : ""}${red ? " red" : ""}`,
      style: paper ? { background: paper, color: ink } : {},
      "aria-label": `${name}: ${number(found.score)}${diagonal ? ", the baseline itself" : ""}${star ? ", differs from 50" : ""}${red ? ", judge fails its audit" : ""}`,
      ...place,
    },
    h("b", {}, `${number(found.score, 0)}${star}`),
    found.low !== null && found.low !== undefined ? h("small", {}, `${number(found.low, 0)}–${number(found.high, 0)}`) : null,
  );
}

function matrixLegend() {
  const value = VALUES[state.value];
  const ramp = h("span", { class: "ramp", "aria-hidden": "true" });
  for (let step = 0; step < index.shades.length; step += 4) ramp.append(h("i", { style: { background: index.shades[step][0] } }));
  const versus =
    index.baseline === "monolingual"
      ? "50 = as good as the model tuned on all rows in the evaluation language"
      : `50 = as good as ${labelOf(index.baseline)}`;
  return h(
    "p",
    { class: "legend" },
    value.judged ? `${versus}. ` : "",
    value.told ? `${value.told} ` : "",
    "Colours compare training sets within a column: least ",
    ramp,
    " greatest. ",
    value.judged ? "Grey: the baseline itself. " : "",
    "Hatched: missing. ",
    value.judged ? "Red frame: the judge fails its audit in that language. Star: differs from 50 beyond chance. " : "",
  );
}

function moveInMatrix(event) {
  // Arrow keys go from square to square.
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  const square = event.target.closest(".square");
  if (!step || !square || event.altKey || event.ctrlKey || event.metaKey) return;
  const cell = square.closest("td");
  const row = step[0] ? cell.parentElement[step[0] > 0 ? "nextElementSibling" : "previousElementSibling"] : cell.parentElement;
  const to = row && row.cells[cell.cellIndex + step[1]] && row.cells[cell.cellIndex + step[1]].querySelector(".square:not(.blank)");
  if (to) {
    event.preventDefault();
    to.focus();
  }
}

function showMatrix(content) {
  const rows = rowsOfMatrix();
  const value = VALUES[state.value];
  const asked = rows.reduce((sum, set) => sum + set.columns.length, 0);
  const there = rows.reduce((sum, set) => sum + set.columns.filter((lang) => valueAt(set.name, lang)).length, 0);
  const controls = h(
    "div",
    { class: "controls" },
    choice("Show", Object.entries(VALUES).map(([name, one]) => [name, one.words]), state.value, (chosen) => go({ value: chosen })),
    index.judges.length > 1 ? choice("Judge", index.judges.map((judge) => [judge.name, judge.name]), state.judge, (judge) => go({ judge })) : null,
    index.bases.length > 1 ? choice("Base model", index.bases.map((base) => [base, base]), state.base, (base) => go({ base })) : null,
    index.seeds.length > 1
      ? choice("Seed", [["mean", `mean of ${index.seeds.length}`], ...index.seeds.map((seed) => [seed, seed])], state.seed, (seed) => go({ seed }))
      : null,
    choice(
      "Sort by",
      [["", "as in the config"], ["average", "average"], ...index.columns.map((lang) => [lang, languageName(lang)])],
      state.first,
      (first) => (replace({ first }), sortMatrix(made)),
    ),
    h("label", { class: "choice" }, h("span", {}, "Find a training set"), h("input", { type: "search", value: state.q, oninput: (event) => (replace({ q: event.target.value }), findSets()) })),
  );
  content.append(
    h("h1", {}, value.words),
    h("p", { class: "dim" }, `${there} of ${counted(asked, "cell")} · base ${state.base} · judge ${state.judge}${index.seeds.length > 1 ? ` · ${counted(index.seeds.length, "seed")}` : ""}. A click on a cell shows its prompts.`),
    controls,
  );
  if (!there) content.append(h("p", { class: "notice" }, "No cell of this matrix is finished yet. Run the workflow, and make the explorer again."));
  const holder = h("div", { class: "matrix", onkeydown: moveInMatrix });
  content.append(holder, matrixLegend());
  const columns = [
    column("Training set", (set) => h("span", { class: "set", tabindex: "0", "data-tip": `${set.name}\n${composition(set)}` }, set.label), (set) => rows.indexOf(set), { className: "name" }),
    ...index.columns.map((lang) => {
      const shade = shadesOf(rows, lang);
      const red = value.judged && auditOf(state.judge, lang).status === "red";
      return column(h("span", { class: red ? "bad" : "" }, languageName(lang), red ? " (!)" : ""), (set) => matrixCell(set, lang, shade), (set) => (set.columns.includes(lang) && valueAt(set.name, lang) ? valueAt(set.name, lang).score : null), { className: "number" });
    }),
    column("Average", averageCell, (set) => (averageOf(set) ? averageOf(set).score : null), { className: "number average" }),
  ];
  const made = table(holder, columns, rows, {
    label: value.words,
    more: { paging: rows.length > 300, pageLength: 100, info: rows.length > 300, searching: false, layout: { topStart: null, topEnd: null, bottomStart: rows.length > 300 ? "info" : null, bottomEnd: rows.length > 300 ? "paging" : null } },
  });
  const findSets = () => {
    const query = state.q.toLocaleLowerCase();
    const found = rows.filter((set) => `${set.label} ${set.name}`.toLocaleLowerCase().includes(query));
    made.clear().rows.add(found).draw();
  };
  if (state.q) findSets();
  sortMatrix(made);
}

function averageCell(set) {
  const found = averageOf(set);
  if (!found) return h("span", { class: "none" }, "–");
  const ends = interval(found.low, found.high);
  return h("span", { "data-tip": ends ? `average ${number(found.score)}\n${100 * index.confidence} % interval: ${ends}` : null, tabindex: ends ? "0" : null }, h("b", {}, number(found.score)), ends ? h("small", {}, `${number(found.low, 0)}–${number(found.high, 0)}`) : null);
}

function sortMatrix(made) {
  const place = state.first === "average" ? index.columns.length + 1 : index.columns.indexOf(state.first) + 1;
  made.order(place > 0 ? [[place, "desc"]] : [[0, "asc"]]).draw();
}
