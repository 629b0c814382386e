"use strict";
// How texts of models and judges are shown: whole, in their own direction, and as nothing but text.

const SHOWN = 4000; // characters at first

const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;
const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;

function clean(text) {
  // Control characters have no look of their own, so they get the symbols that Unicode has for them.
  return text.replace(HIDDEN, (character) => {
    const code = character.charCodeAt(0);
    return code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? "\u2421" : "\ufffd";
  });
}

function textBox(text, lang) {
  if (!text || !text.trim()) return h("p", { class: "text none" }, text ? "(white space only)" : "(empty)");
  const box = h("div", { class: "text", dir: "auto", lang: lang || null });
  const whole = clean(text);
  if (whole.length <= SHOWN * 1.25) {
    box.textContent = whole;
    return box;
  }
  box.textContent = `${whole.slice(0, SHOWN)}…`;
  const more = h(
    "button",
    {
      type: "button",
      class: "more",
      onclick: () => {
        box.textContent = whole;
        more.remove();
      },
    },
    `Show all ${counted(whole.length, "character")}`,
  );
  return h("div", {}, box, more);
}

function snippet(text, lang, length = 160) {
  const line = clean(text || "").replace(/\s+/g, " ").trim();
  if (!line) return h("span", { class: "none" }, "(empty)");
  return h("bdi", { lang: lang || null }, line.length > length ? `${line.slice(0, length)}…` : line);
}

const OUTCOMES = {
  1: ["win", "win", "chosen in both orders"],
  0.5: ["tie", "tie", "chosen in one of two orders, or called equal"],
  0: ["loss", "loss", "chosen in neither order"],
  null: ["invalid", "invalid", "a verdict names neither of the two"],
};

function outcomeBadge(outcome) {
  const [kind, word, meaning] = OUTCOMES[outcome];
  return h("span", { class: `badge ${kind}`, title: meaning }, word);
}

function tagsOf(said, lang) {
  // What is known of a response: [kind, words].
  const tags = [];
  if (said.language === "undetermined") tags.push(["plain", "language not told"]);
  else if (said.language !== lang) tags.push(["bad", `in ${languageName(said.language)}`]);
  if (said.cut) tags.push(["bad", "cut at the length limit"]);
  if (said.loops) tags.push(["bad", "repeats itself"]);
  if (!said.text.trim()) tags.push(["bad", "empty"]);
  const turning = (said.text.match(TURNING) || []).length;
  if (turning) tags.push(["bad", counted(turning, "direction mark")]);
  return tags;
}

const tagList = (tags) =>
  tags.length > 0 && h("span", { class: "tags" }, ...tags.map(([kind, text]) => h("span", { class: `tag ${kind}` }, text)));
