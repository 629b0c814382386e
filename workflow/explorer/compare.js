"use strict";
// Any two training sets on one language, prompt by prompt.

function differenceOf(lines, a, b, lang) {
  // [difference, low, high, p, p_holm, prompts] of a less b, as `compare` has it; null where it has not.
  for (const [one, two, where, difference, low, high, p, holm, prompts] of lines) {
    if (where !== lang) continue;
    if (one === a && two === b) return { difference, low, high, p, holm, prompts };
    if (one === b && two === a) return { difference: -difference, low: high === null ? null : -high, high: low === null ? null : -low, p, holm, prompts };
  }
  return null;
}

const scoreOf = (pair, set, lang) => (isDiagonal(set, lang) ? 0.5 : pair.outcome);

async function showCompared(content, current) {
  const { lang, judge, base } = state;
  const seed = seedOf();
  const there = index.sets.filter((one) => one.columns.includes(lang));
  if (!lang || !there.length) return problem(content, "The address names no language.");
  const a = state.set || there[0].name;
  const b = state.other || (there.find((one) => one.name !== a) || there[0]).name;
  if (!state.other || !state.set) replace({ set: a, other: b });
  const options = there.map((one) => [one.name, one.label]);
  content.append(
    h("h1", {}, `${labelOf(a)} and ${labelOf(b)} in ${languageName(lang)}`),
    h(
      "div",
      { class: "controls" },
      choice("First training set", options, a, (set) => go({ set })),
      choice("Second training set", options, b, (other) => go({ other })),
      choice("Language", index.columns.map((one) => [one, languageName(one)]), lang, (chosen) => go({ lang: chosen })),
      index.seeds.length > 1 ? choice("Seed", index.seeds.map((one) => [one, one]), seed, (chosen) => go({ seed: chosen })) : null,
    ),
  );
  const name = `comparisons/${judge}/${base}`;
  const [first, second, lines] = await Promise.all([pairsOf(judge, base, a, seed, lang), pairsOf(judge, base, b, seed, lang), files.has(name) ? load(name) : []]);
  if (!current()) return;
  if (!first || !second) return problem(content, `${labelOf(first ? b : a)} has no responses in ${languageName(lang)} yet.`);
  const others = new Map(second.map((pair) => [pair.id, pair]));
  const both = first
    .map((pair) => ({ a: pair, b: others.get(pair.id), x: scoreOf(pair, a, lang), y: others.has(pair.id) ? scoreOf(others.get(pair.id), b, lang) : undefined }))
    .filter((one) => one.b);
  const valid = both.filter((one) => typeof one.x === "number" && typeof one.y === "number");
  content.append(comparedFacts(valid, both.length, differenceOf(lines, a, b, lang), a, b));
  const chartBox = differencesChart(lines, a, b);
  if (chartBox) content.append(chartBox);
  comparedList(content, both, lang, a, b);
}

function comparedFacts(valid, all, told, a, b) {
  const mean = valid.length ? (100 * valid.reduce((sum, one) => sum + one.x - one.y, 0)) / valid.length : null;
  const list = h("dl", { class: "facts" });
  const fact = (name, text) => list.append(h("dt", {}, name), h("dd", {}, text));
  fact("Difference of scores", mean === null ? "–" : `${signed(mean)} points on ${counted(valid.length, "prompt")} that are valid for both, of ${all}`);
  if (told)
    fact(index.seeds.length > 1 ? "Over all seeds" : "Interval", `${signed(told.difference)}${told.low === null ? "" : ` (${signed(told.low)} to ${signed(told.high)})`}, p ${small(told.p)}, Holm over the design ${small(told.holm)}`);
  else if (a !== b) fact("Interval", "none here: the two are not of one design; `python -m pinch compare` tells it of any two");
  const better = valid.filter((one) => one.x > one.y).length;
  const worse = valid.filter((one) => one.x < one.y).length;
  fact("By prompt", `${labelOf(a)} does better on ${better}, ${labelOf(b)} on ${worse}, alike on ${valid.length - better - worse}`);
  return list;
}

function differencesChart(lines, a, b) {
  const values = [...index.columns, "average"]
    .map((lang) => ({ lang, told: differenceOf(lines, a, b, lang) }))
    .filter(({ told }) => told)
    .map(({ lang, told }) => ({
      label: lang === "average" ? "average" : languageName(lang),
      lang,
      value: told.difference,
      low: told.low,
      high: told.high,
      mark: lang === state.lang,
      told: `${lang === "average" ? "average" : languageName(lang)}: ${signed(told.difference)}${told.low === null ? "" : ` (${signed(told.low)} to ${signed(told.high)})`}`,
    }));
  if (values.length < 2) return null;
  const box = h("div", {}, h("p", { class: "dim" }, "Loading the chart …"));
  const details = h("details", { class: "panel" }, h("summary", {}, "The difference in all languages"), box);
  details.addEventListener("toggle", () => {
    if (!details.open || box.querySelector(".chart")) return;
    const description = `Differences of ${labelOf(a)} less ${labelOf(b)} by language, with intervals: ${values.map((one) => one.told).join("; ")}.`;
    chart(box, description, forest(values, `${labelOf(a)} less ${labelOf(b)}, points`, 0), (datum) => datum.lang && datum.lang !== "average" && go({ lang: datum.lang })).catch((error) => box.replaceChildren(h("p", { class: "notice" }, error.message)));
  });
  details.open = innerWidth > 700;
  return details;
}

const COMPARED = {
  first: ["the first does better", (one) => one.x > one.y],
  second: ["the second does better", (one) => one.x < one.y],
  alike: ["alike", (one) => one.x === one.y],
};

function comparedList(content, both, lang, a, b) {
  const holder = h("div", { class: "prompts" });
  const count = h("p", { class: "dim", role: "status" });
  let made;
  const draw = () => {
    const test = COMPARED[state.show] ? COMPARED[state.show][1] : () => true;
    const chosen = both.filter((one) => test(one) && (matches(one.a, state.q) || matches(one.b, state.q)));
    count.textContent = `${chosen.length === both.length ? "" : `${chosen.length} of `}${counted(both.length, "prompt")}`;
    made.clear().rows.add(chosen).draw();
  };
  content.append(
    h("h2", {}, "Prompts"),
    h(
      "div",
      { class: "controls" },
      choice("Show", [["", "all"], ...Object.entries(COMPARED).map(([name, [text, test]]) => [name, `${text} (${both.filter(test).length})`])], state.show in COMPARED ? state.show : "", (show) => (replace({ show }), draw())),
      h("label", { class: "choice wide" }, h("span", {}, "Search prompts and responses"), h("input", { type: "search", value: state.q, oninput: (event) => (replace({ q: event.target.value }), draw()) })),
    ),
    count,
    holder,
  );
  const outcome = (value) => (value === undefined ? "–" : outcomeBadge(value));
  const columns = [
    column("#", (one) => String(one.a.place), (one) => one.a.place, { className: "place" }),
    column("Prompt", (one) => link({ view: "prompt", prompt: one.a.id, show: "", q: "" }, { class: "prompt" }, snippet(one.a.prompt.instruction || one.a.id, lang, 120)), null),
    column(h("bdi", {}, labelOf(a)), (one) => outcome(one.x), (one) => one.x),
    column(h("bdi", {}, labelOf(b)), (one) => outcome(one.y), (one) => one.y),
    column("First's response", (one) => h("div", {}, snippet(one.a.candidate.text, lang, 90)), null, { className: "said" }),
    column("Second's response", (one) => h("div", {}, snippet(one.b.candidate.text, lang, 90)), null, { className: "said" }),
  ];
  made = table(holder, columns, [], { label: "Prompts of both", more: { searching: false, order: [[0, "asc"]] } });
  draw();
}
