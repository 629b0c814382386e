"use strict";
// A cell as pairs: prompt, candidate's response, baseline's response, the judge's verdicts in both orders.

function responsesOf(base, set, seed, lang) {
  const name = `responses/${base}/${set}/${seed}/${lang}`;
  return files.has(name) ? load(name) : Promise.resolve(null);
}

function by(data, make) {
  const found = new Map();
  if (data) data.ids.forEach((id, place) => found.set(id, make(place)));
  return found;
}

const saidBy = (data) =>
  by(data, (place) => ({
    text: data.responses[place],
    tokens: data.tokens[place],
    cut: Boolean(data.cut[place]),
    language: data.languages[place],
    loops: Boolean(data.loops[place]),
  }));

const VALUE = { candidate: 1, tie: 0.5, baseline: 0 };

function outcomeOf(winners) {
  if (winners.includes("invalid")) return null;
  return winners[0] === winners[1] ? VALUE[winners[0]] : 0.5;
}

async function promptsOf(lang) {
  const data = files.has(`prompts/${lang}`) ? await load(`prompts/${lang}`) : null;
  return by(data, (place) => ({
    instruction: data.instructions[place],
    reference: data.references[place],
    source: data.sources[place],
    engine: data.engines[place],
    flags: data.flags[place],
  }));
}

async function pairsOf(judge, base, set, seed, lang) {
  // All pairs of a cell in the order of the prompts; null where the responses are not there.
  const verdictsName = `verdicts/${judge}/${base}/${set}/${seed}/${lang}`;
  const [prompts, candidates, baselines, verdicts] = await Promise.all([
    promptsOf(lang),
    responsesOf(base, set, seed, lang),
    isDiagonal(set, lang) ? null : responsesOf(base, index.baselines[lang], seed, lang),
    files.has(verdictsName) ? load(verdictsName) : null,
  ]);
  if (!candidates) return null;
  const mine = saidBy(candidates);
  const theirs = saidBy(baselines);
  const said = by(verdicts, (place) => ({
    winners: verdicts.winners.map((one) => one[place]),
    reasons: verdicts.reasons.map((one) => one[place]),
    replies: verdicts.replies.map((one) => one[place]),
  }));
  return candidates.ids.map((id, place) => {
    const verdict = said.get(id) || null;
    return {
      id,
      place: place + 1,
      prompt: prompts.get(id) || { instruction: "", reference: null, source: "", engine: "", flags: [] },
      candidate: mine.get(id),
      baseline: theirs.get(id) || null,
      verdict,
      outcome: verdict ? outcomeOf(verdict.winners) : undefined,
    };
  });
}

const wrongLanguage = (said, lang) => said.language !== lang && said.language !== "undetermined";

const FILTERS = {
  wins: ["wins", (pair) => pair.outcome === 1],
  ties: ["ties", (pair) => pair.outcome === 0.5],
  losses: ["losses", (pair) => pair.outcome === 0],
  invalid: ["invalid verdicts", (pair) => pair.outcome === null],
  lost_language: ["lost, in the wrong language", (pair, lang) => pair.outcome === 0 && wrongLanguage(pair.candidate, lang)],
  disagrees: ["judge disagrees with itself", (pair) => disagrees(pair)],
  language: ["wrong language", (pair, lang) => wrongLanguage(pair.candidate, lang)],
  cut: ["cut at the limit", (pair) => pair.candidate.cut],
  repeats: ["repeats itself", (pair) => pair.candidate.loops],
  empty: ["empty response", (pair) => !pair.candidate.text.trim()],
  translation: ["translation flagged", (pair) => pair.prompt.flags.some((flag) => flag !== "undetermined")],
};

function disagrees(pair) {
  // It names one response in one order and the other one in the other: what it chose was a place.
  const winners = pair.verdict ? pair.verdict.winners : [];
  return winners.includes("candidate") && winners.includes("baseline");
}

const filtersOf = () => state.show.split(",").filter((name) => name in FILTERS);

function matches(pair, query) {
  const parts = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  if (!parts.length) return true;
  const { prompt, candidate, baseline, verdict } = pair;
  const whole = [pair.id, prompt.instruction, prompt.source, candidate.text, baseline ? baseline.text : "", verdict ? verdict.reasons.join("\n") : ""]
    .join("\n")
    .toLocaleLowerCase();
  return parts.every((part) => whole.includes(part));
}

const ORDERS = {
  longest: ["longest response first", (a, b) => b.candidate.tokens - a.candidate.tokens],
  longer: ["longest against the baseline first", (a, b) => lead(b) - lead(a)],
  shortest: ["shortest response first", (a, b) => a.candidate.tokens - b.candidate.tokens],
  worst: ["losses first", (a, b) => rank(a) - rank(b)],
};
const lead = (pair) => pair.candidate.tokens - (pair.baseline ? pair.baseline.tokens : 0);
const rank = (pair) => (pair.outcome === null || pair.outcome === undefined ? 2 : pair.outcome);

function chosenPairs(pairs, lang) {
  // As the address asks: filtered, searched, sorted. The list and next and previous go by it.
  const filters = filtersOf().map((name) => FILTERS[name][1]);
  const found = pairs.filter((pair) => filters.every((test) => test(pair, lang)) && matches(pair, state.q));
  return state.first in ORDERS ? [...found].sort(ORDERS[state.first][1]) : found;
}
