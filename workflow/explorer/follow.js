"use strict";
// One prompt down all training sets, or across all languages.

async function showFollowed(content, current, across) {
  const { set, lang, judge, base } = state;
  const seed = seedOf();
  if (!state.prompt || !lang) return problem(content, "The address names no prompt.");
  const places = across
    ? (sets.get(set) ? sets.get(set).responds : []).map((one) => [set, one])
    : index.sets.filter((one) => one.responds.includes(lang)).map((one) => [one.name, lang]);
  content.append(
    h("h1", {}, across ? `Prompt ${state.prompt} in all languages` : `Prompt ${state.prompt} in all training sets`),
    h(
      "div",
      { class: "controls" },
      across
        ? choice("Training set", index.sets.filter((one) => one.responds.includes(lang)).map((one) => [one.name, one.label]), set, (chosen) => go({ set: chosen }))
        : choice("Language", (sets.get(set) || index.sets[0]).responds.map((one) => [one, languageName(one)]), lang, (chosen) => go({ lang: chosen })),
      link({ view: across ? "sets" : "languages" }, { class: "button" }, across ? "In all training sets" : "In all languages"),
      link({ view: "prompt" }, { class: "button" }, "Back to the pair"),
    ),
  );
  const waits = h("p", { class: "dim", role: "status" }, `Loading ${counted(places.length, "cell")} …`);
  content.append(waits);
  const found = await Promise.all(
    places.map(async ([one, its]) => {
      const pairs = await pairsOf(judge, base, one, seed, its);
      return { set: one, lang: its, pair: pairs ? pairs.find((pair) => pair.id === state.prompt) || null : null };
    }),
  );
  if (!current()) return;
  waits.remove();
  const first = found.find((one) => one.pair);
  if (!first) return problem(content, `Nobody has responded to a prompt ${state.prompt} yet.`);
  if (!across) content.append(instructionBox(first.pair, lang));
  const holder = h("div", { class: "prompts" });
  content.append(holder);
  const missing = (one) => h("span", { class: "none" }, one.pair ? "" : "missing");
  const columns = [
    column(across ? "Language" : "Training set", (one) => link({ view: one.pair ? "prompt" : "cell", set: one.set, lang: one.lang, other: "" }, {}, across ? languageName(one.lang) : labelOf(one.set)), (one) => found.indexOf(one)),
    column("Outcome", (one) => (!one.pair ? missing(one) : one.pair.verdict ? outcomeBadge(one.pair.outcome) : isDiagonal(one.set, one.lang) ? h("span", { class: "badge tie" }, "baseline") : "–"), (one) => (one.pair ? rank(one.pair) : null)),
    across ? column("Prompt", (one) => (one.pair ? snippet(one.pair.prompt.instruction, one.lang, 200) : ""), null) : null,
    column("Response", (one) => (one.pair ? h("div", {}, tagList(tagsOf(one.pair.candidate, one.lang)), textBox(one.pair.candidate.text, one.lang)) : missing(one)), null, { className: "said" }),
    column("Tokens", (one) => (one.pair ? String(one.pair.candidate.tokens) : ""), (one) => (one.pair ? one.pair.candidate.tokens : null), { className: "number" }),
  ].filter(Boolean);
  table(holder, columns, found, { label: "Responses to the prompt", more: { searching: false, pageLength: 100, order: [[0, "asc"]] } });
}
