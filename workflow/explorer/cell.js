"use strict";
// A cell: its numbers, its column as a chart, and its prompts.

function cellFacts(cell, set, lang) {
  const audit = auditOf(state.judge, lang);
  const facts = [["Training set", `${labelOf(set)} (${set}), ${composition(sets.get(set))}`]];
  if (isDiagonal(set, lang)) facts.push(["Score", "50 by definition: this model is the baseline of the column"]);
  else if (cell) {
    facts.push(
      ["Score", `${number(cell.score)}${cell.low === null ? "" : ` (${interval(cell.low, cell.high)})`} against ${labelOf(index.baselines[lang])}`],
      ["Outcomes", `${counted(cell.wins, "win")}, ${counted(cell.ties, "tie")}, ${cell.losses} ${cell.losses === 1 ? "loss" : "losses"}, ${cell.invalid} invalid`],
      ["p against 50", `${small(cell.p)}, corrected (Holm) ${small(cell.p_holm)}`],
      ["Language-gated", number(cell.gated_score)],
      ["Length-controlled", number(cell.length_controlled)],
      ["Audit of the judge", audit.status === "red" ? `fails: ${audit.flags.map(words).join(", ")}` : audit.status],
    );
  }
  if (cell)
    facts.push(
      ["Response language", cell.response_language_rate === null ? "–" : `${number(cell.response_language_rate)} % in ${languageName(lang)}`],
      ["Length", `${number(cell.mean_tokens)} tokens on average, ${number(cell.length_cap_rate)} % cut at the limit`],
      ["Repetition", `${number(cell.repetition_rate)} %`],
    );
  const list = h("dl", { class: "facts" });
  for (const [name, text] of facts) list.append(h("dt", {}, name), h("dd", { class: text.startsWith("fails") ? "bad" : null }, text));
  return list;
}

function columnChart(lang, set) {
  const rows = rowsOfMatrix().filter((one) => one.columns.includes(lang));
  const values = rows
    .map((one) => ({ one, cell: cellOf(state.judge, state.base, one.name, seedOf(), lang) }))
    .filter(({ one, cell }) => cell && cell.score !== null && !isDiagonal(one.name, lang))
    .sort((a, b) => b.cell.score - a.cell.score)
    .map(({ one, cell }) => ({
      label: one.label,
      name: one.name,
      value: cell.score,
      low: cell.low,
      high: cell.high,
      mark: one.name === set,
      told: `${one.label}: ${number(cell.score)}${cell.low === null ? "" : ` (${interval(cell.low, cell.high)})`}`,
    }));
  if (values.length < 2) return null;
  const box = h("div", {}, h("p", { class: "dim" }, "Loading the chart …"));
  const details = h("details", { class: "panel" }, h("summary", {}, `All training sets in ${languageName(lang)}`), box);
  const draw = () => {
    const best = values[0];
    const words = `Scores of ${counted(values.length, "training set")} in ${languageName(lang)} with intervals, from ${best.told} down to ${values.at(-1).told}.`;
    chart(box, words, forest(values, `Score in ${languageName(lang)}`, 50, [0, 100]), (datum) => datum.name && go({ set: datum.name, prompt: "" })).catch((error) => box.replaceChildren(h("p", { class: "notice" }, error.message)));
  };
  details.addEventListener("toggle", () => details.open && !box.querySelector(".chart") && draw());
  if (values.length <= 20 && innerWidth > 700) details.open = true;
  return details;
}

async function showCell(content, current) {
  const { set, lang, judge, base } = state;
  if (!sets.has(set) || !lang) return problem(content, "The address names no cell.");
  const seed = seedOf();
  const cell = cellOf(judge, base, set, seed, lang);
  content.append(h("h1", {}, `${labelOf(set)} in ${languageName(lang)}`));
  content.append(
    h(
      "div",
      { class: "controls" },
      choice("Training set", index.sets.filter((one) => one.columns.includes(lang)).map((one) => [one.name, one.label]), set, (chosen) => go({ set: chosen, prompt: "" })),
      choice("Language", sets.get(set).columns.map((one) => [one, languageName(one)]), lang, (chosen) => go({ lang: chosen, prompt: "" })),
      index.judges.length > 1 ? choice("Judge", index.judges.map((one) => [one.name, one.name]), judge, (chosen) => go({ judge: chosen })) : null,
      index.bases.length > 1 ? choice("Base model", index.bases.map((one) => [one, one]), base, (chosen) => go({ base: chosen })) : null,
      index.seeds.length > 1 ? choice("Seed", index.seeds.map((one) => [one, one]), seed, (chosen) => go({ seed: chosen })) : null,
      link({ view: "compare", prompt: "", show: "", q: "", first: "" }, { class: "button" }, "Compare with another training set"),
    ),
    cellFacts(cell, set, lang),
  );
  const pairs = await pairsOf(judge, base, set, seed, lang);
  if (!current()) return;
  if (!pairs) {
    content.append(h("p", { class: "notice" }, "This cell has no responses yet."));
    return;
  }
  if (!pairs[0] || (!pairs[0].verdict && !isDiagonal(set, lang)))
    content.append(h("p", { class: "notice" }, pairs.length ? "The responses are there, the verdicts are not yet." : "This cell has no prompts."));
  const chartBox = columnChart(lang, set);
  if (chartBox) content.append(chartBox);
  promptList(content, pairs, lang);
}

function promptList(content, pairs, lang) {
  const holder = h("div", { class: "prompts" });
  const count = h("p", { class: "dim", role: "status" });
  let made;
  const draw = () => {
    const chosen = chosenPairs(pairs, lang);
    count.textContent = `${chosen.length === pairs.length ? "" : `${chosen.length} of `}${counted(pairs.length, "prompt")}`;
    made.clear().rows.add(chosen).draw();
  };
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Filters" });
  for (const [name, [text, test]] of Object.entries(FILTERS)) {
    const number = pairs.filter((pair) => test(pair, lang)).length;
    if (!number && !filtersOf().includes(name)) continue;
    const chip = h(
      "button",
      {
        type: "button",
        "aria-pressed": String(filtersOf().includes(name)),
        onclick: () => {
          const now = filtersOf().includes(name) ? filtersOf().filter((one) => one !== name) : [...filtersOf(), name];
          replace({ show: now.join(",") });
          chip.setAttribute("aria-pressed", String(now.includes(name)));
          draw();
        },
      },
      `${text} (${number})`,
    );
    chips.append(chip);
  }
  content.append(
    h("h2", {}, "Prompts"),
    chips,
    h(
      "div",
      { class: "controls" },
      h("label", { class: "choice wide" }, h("span", {}, "Search prompts, responses and reasons"), h("input", { type: "search", value: state.q, oninput: (event) => (replace({ q: event.target.value }), draw()) })),
      choice("Order", [["", "as evaluated"], ...Object.entries(ORDERS).map(([name, [text]]) => [name, text])], state.first in ORDERS ? state.first : "", (first) => (replace({ first }), draw())),
    ),
    count,
    holder,
  );
  const judged = pairs.some((pair) => pair.verdict);
  const columns = [
    column("#", (pair) => String(pair.place), (pair) => pair.place, { className: "place" }),
    judged ? column("Outcome", (pair) => (pair.verdict ? outcomeBadge(pair.outcome) : "–"), rank) : null,
    column("Prompt", (pair) => link({ view: "prompt", prompt: pair.id }, { class: "prompt" }, snippet(pair.prompt.instruction || pair.id, lang)), null),
    column("Response", (pair) => h("div", {}, snippet(pair.candidate.text, lang, 110), " ", tagList([...tagsOf(pair.candidate, lang), ...(disagrees(pair) ? [["bad", "judge disagrees with itself"]] : [])])), null, { className: "said" }),
    column(judged ? "Tokens, baseline's" : "Tokens", (pair) => `${pair.candidate.tokens}${pair.baseline ? ` : ${pair.baseline.tokens}` : ""}`, (pair) => pair.candidate.tokens, { className: "number" }),
  ].filter(Boolean);
  made = table(holder, columns, [], { label: "Prompts of the cell", more: { ordering: false, searching: false } });
  draw();
}
