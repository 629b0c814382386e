"use strict";
// One prompt: the responses side by side, and what the judge said in both orders.

function responseBox(title, said, lang, kind) {
  const tags = tagsOf(said, lang);
  return h(
    "section",
    { class: `response ${kind}`, "aria-label": title },
    h("h2", {}, title),
    h("p", { class: "dim" }, `${counted(said.tokens, "token")} `, said.language === lang ? h("span", { class: "tag good" }, `in ${languageName(lang)}`) : null, " ", tagList(tags)),
    textBox(said.text, lang),
  );
}

function verdictTable(pair) {
  const winner = { candidate: "the candidate", baseline: "the baseline", tie: "a tie", invalid: "neither: invalid" };
  const rows = [
    ["Baseline shown first", 0],
    ["Candidate shown first", 1],
  ].map(([title, place]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, title),
      h("td", {}, h("span", { class: `badge ${{ candidate: "win", baseline: "loss", tie: "tie", invalid: "invalid" }[pair.verdict.winners[place]]}` }, winner[pair.verdict.winners[place]])),
      h("td", {}, pair.verdict.reasons[place] ? textBox(pair.verdict.reasons[place]) : "–"),
      h("td", {}, pair.verdict.replies[place] ? textBox(pair.verdict.replies[place]) : "–"),
    ),
  );
  const head = h("tr", {}, ...["Order", "The judge chose", "Its reason", "Its reply"].map((text) => h("th", { scope: "col" }, text)));
  return h("div", { class: "scrolling", tabindex: "0", role: "region", "aria-label": "Verdicts" }, h("table", { class: "verdicts" }, h("thead", {}, head), h("tbody", {}, ...rows)));
}

const ENGINES = { none: "as written", memory: "from the translation memory" };

function instructionBox(pair, lang) {
  const { prompt } = pair;
  const more = [];
  if (prompt.source && prompt.source !== prompt.instruction)
    more.push(h("details", {}, h("summary", {}, `In ${languageName(index.pivot)}`), textBox(prompt.source, index.pivot)));
  if (prompt.reference) more.push(h("details", {}, h("summary", {}, "Reference"), textBox(prompt.reference, lang)));
  const flags = prompt.flags.filter((flag) => flag !== "undetermined");
  return h(
    "section",
    { class: "instruction", "aria-label": "Prompt" },
    h("h2", {}, "Prompt ", h("span", { class: "dim" }, `${pair.id}${prompt.engine ? ` · ${ENGINES[prompt.engine] || `translated by ${prompt.engine}`}` : ""}`)),
    textBox(prompt.instruction, lang),
    flags.length ? h("p", {}, tagList(flags.map((flag) => ["bad", `translation: ${words(flag)}`]))) : null,
    ...more,
  );
}

let move = null; // (step) => goes to the next or previous prompt, where one is shown

async function showPrompt(content, current) {
  const { set, lang, judge, base, other } = state;
  const seed = seedOf();
  if (!sets.has(set) || !lang) return problem(content, "The address names no cell.");
  const [pairs, others] = await Promise.all([pairsOf(judge, base, set, seed, lang), other ? pairsOf(judge, base, other, seed, lang) : null]);
  if (!current()) return;
  if (!pairs) return problem(content, `${labelOf(set)} has no responses in ${languageName(lang)} yet.`);
  let chosen = chosenPairs(pairs, lang);
  let at = chosen.findIndex((pair) => pair.id === state.prompt);
  if (at < 0) {
    // A link may come from a list that was filtered in another way.
    chosen = pairs;
    at = chosen.findIndex((pair) => pair.id === state.prompt);
  }
  if (at < 0) return problem(content, `There is no prompt ${state.prompt} in this cell.`);
  const pair = chosen[at];
  const step = (by, text, key) => {
    const to = chosen[at + by];
    return to ? link({ prompt: to.id }, { class: "button", rel: by > 0 ? "next" : "prev" }, `${text} `, h("kbd", {}, key)) : h("span", { class: "button off", "aria-disabled": "true" }, text);
  };
  move = (by) => (by === 0 ? go({ view: other ? "compare" : "cell", prompt: "" }) : chosen[at + by] && go({ prompt: chosen[at + by].id }));
  content.append(
    h("h1", {}, `Prompt ${at + 1} of ${chosen.length} · ${labelOf(set)} in ${languageName(lang)}`),
    h(
      "div",
      { class: "controls" },
      step(-1, "Previous", "k"),
      step(1, "Next", "j"),
      link({ view: other ? "compare" : "cell", prompt: "" }, { class: "button" }, "Up ", h("kbd", {}, "u")),
      link({ view: "sets", show: "", q: "", first: "", other: "" }, { class: "button" }, "This prompt in all training sets"),
      link({ view: "languages", show: "", q: "", first: "", other: "" }, { class: "button" }, "This prompt in all languages"),
    ),
    instructionBox(pair, lang),
  );
  const boxes = [responseBox(`${labelOf(set)}${pair.baseline ? " (candidate)" : ""}`, pair.candidate, lang, "candidate")];
  const another = others && others.find((one) => one.id === pair.id);
  if (another) boxes.push(responseBox(labelOf(other), another.candidate, lang, "other"));
  if (pair.baseline && index.baselines[lang] !== other) boxes.push(responseBox(`${labelOf(index.baselines[lang])} (baseline)`, pair.baseline, lang, "baseline"));
  content.append(h("div", { class: `side-by-side of-${boxes.length}` }, ...boxes));
  const told = [[pair, set], ...(another ? [[another, other]] : [])].filter(([one]) => one.verdict);
  for (const [one, name] of told)
    content.append(h("h2", {}, `Verdicts${another ? ` on ${labelOf(name)}` : ""} `, outcomeBadge(one.outcome), disagrees(one) ? h("span", { class: "tag bad" }, "the judge disagrees with itself") : null), h("p", { class: "dim" }, `Judge ${judge}, against ${labelOf(index.baselines[lang])}`), verdictTable(one));
  if (!told.length) content.append(h("p", { class: "notice" }, isDiagonal(set, lang) ? "This model is the baseline of the column: it is not judged against itself." : "No verdict on this pair yet."));
}

document.addEventListener("keydown", (event) => {
  if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.target.closest("input, select, textarea, .scrolling")) return;
  const by = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1, u: 0, Escape: 0 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  move(by);
});
