"""What an experiment makes: every file, and every column of every table, with its unit.

For people, as docs/reference/outputs.md; a test holds it to what a run really makes. In the names of files `**` stands
for whatever is below a folder.
"""

Column = tuple[str, str]
"""Unit and meaning."""

FILES: dict[str, dict[str, str]] = {
    "The run": {
        "plan.md": "what the experiment takes, counted before anything ran (`python -m pinch plan`)",
        "plan.json": "the same for programs",
        "experiment.json": "which config file the folder belongs to, and its settings",
        "manifest.json": "of a run that ended well: its settings and software, and digests of all files "
        "(`python -m pinch reproduce`)",
        "arguments/**": "what jobs are told that is too long for a command line",
        "logs/**": "what each job said, by rule",
        "benchmarks/**": "seconds, memory and load of trainings and generations, as Snakemake measures them",
        "spending.sqlite": "what each judge with a price has cost, call by call; the ledger that `max_usd` goes by",
        ".run.lock": "held by a run, so that a second one is refused",
    },
    "Sources and translations": {
        "sources/{split}.jsonl": "the data in the pivot language: id, instruction, response; `{split}` is train, eval "
        "or natural",
        "sources/{split}.json": "where they come from, how many rows were read, left out, and held out",
        "sources/overlap.csv": "training rows that nearly repeat an evaluation prompt",
        "translations/{split}/{lang}.jsonl": "the same rows in a language: id, lang, instruction, response (in eval "
        "the reference), source, engine, flags, dropped",
        "translations/{split}/{lang}.json": "counts: rows in and out, flags, engines, calls, cost",
        "translations/{split}/{lang}.refused.jsonl": "the rows of a translation that the gate refused, so that its job "
        "failed",
        "translations/report.html": "how good the translations are, with the worst rows beside their source",
        "translations/report.csv": "the same counts as a table, a line a split and language",
    },
    "Training sets and models": {
        "mixtures/{mixture}/{draw}.jsonl": "a training set: id, lang, instruction, response; each id once",
        "mixtures/{mixture}/{draw}.dev.jsonl": "its development rows; empty without `data.held_out`",
        "mixtures/{mixture}/{draw}.json": "its counts by language, and which ids are in which",
        "base_models/{base}.json": "a base model: where it comes from, its digest, where it lies converted",
        "models/{base}/{mixture}/{seed}/weights/**": "a tuned model: the adapter alone (LoRA) or all weights, with "
        "tokenizer and chat template",
        "models/{base}/{mixture}/{seed}/manifest.json": "how it was made: digests of base and data, hyperparameters, "
        "versions, tokens by language, loss curve, checkpoint chosen, seconds, device",
    },
    "Responses and verdicts": {
        "generations/{base}/{mixture}/{seed}/{lang}.jsonl": "responses: id, lang, instruction, response, finish_reason "
        "(stop or length), n_tokens with the stop token",
        "generations/{base}/{mixture}/{seed}/{lang}.json": "what they depend on: digests of model and prompts, "
        "decoding, versions, device",
        "judgments/{judge}/{baseline}/{base}/{mixture}/{seed}/{lang}.jsonl": "verdicts, two a prompt: id, order, "
        "winner, reason, raw reply, tokens_in, tokens_out, cost in US dollars",
        "judgments/{judge}/{baseline}/{base}/{mixture}/{seed}/{lang}.json": "what they depend on: the judge's "
        "settings, digests of the responses",
        "audits/{judge}/{baseline}/{lang}.jsonl": "verdicts asked for the audit of a judge, and what was known of "
        "their pair",
        "audits/{judge}/{baseline}/{lang}.json": "what the audit found: shares with intervals, flags, status",
        "audits/none-is-red": "only with `audit.strict`: an empty file that says that no judge is red",
    },
    "Scores and figures": {
        "scores/rows/{judge}/{baseline}/{base}/{mixture}/{seed}.parquet": "the cells of one training set",
        "scores/scores.parquet": "all cells, with the outcome of every prompt",
        "scores/scores.csv": "all cells, without the lists of prompts",
        "scores/comparisons.csv": "any two training sets of a design against each other, on the same prompts",
        "answers/{figure}.txt": "how little of a pinch is enough, in words",
        "answers/{figure}.json": "the same in numbers: every percentage with its average, the best and the chosen one, "
        "the fitted curve",
        "figures/{figure}.png": "a figure",
        "figures/{figure}.pdf": "the same for print",
        "figures/{figure}.csv": "the numbers that it draws",
        "explorer/index.html": "the run as pages to click through, from a cell to its answers and verdicts",
        "explorer/**": "its scripts, and a data file for each language's prompts, model's answers, cell's verdicts",
    },
}
"""By part of the chain; paths are below the experiment's `results`."""

_CELL: dict[str, Column] = {
    "judge": ("", "who compared"),
    "baseline": ("", "the training set that the row's model was compared with"),
    "base": ("", "the base model"),
    "mixture": ("", "the training set, by its rows: `en48`, `en40+es4+it4`; `untuned` for the base model as it is"),
    "seed": ("", "draw of rows and training: `d0t0`"),
    "lang": ("ISO 639", "the evaluation language"),
}

_SCORE: dict[str, Column] = {
    "score": ("percent", "wins plus half of the ties, of the valid pairs; 50 is as good as the baseline"),
    "low": ("percent", "lower end of its interval over prompts, at `aggregate.confidence`; empty on the diagonal"),
    "high": ("percent", "upper end"),
}

_AUDIT: dict[str, Column] = {
    "audit": ("", "`ok`, `not audited`, or what the judge is flagged for in the language, joined by `+`"),
}

_SPREAD: dict[str, Column] = {
    "seeds": ("seeds", "how many seeds have a score of the cell"),
    "sd": ("points", "standard deviation over seeds; empty for one seed"),
    "min": ("percent", "the least over seeds"),
    "max": ("percent", "the greatest over seeds"),
}

_ESTIMATE: dict[str, Column] = {
    "score": ("percent", "the score, averaged over what the line is of"),
    "low": ("percent", "lower end of its interval, from one bootstrap over prompts that all lines share"),
    "high": ("percent", "upper end"),
    "seeds_sd": ("points", "standard deviation over seeds; empty for one seed"),
}

_ROW: dict[str, Column] = {"mixture": _CELL["mixture"], "label": ("", "what the figure calls it")}

_FLAGS: dict[str, str] = {
    "empty": "a text of the source has no translation",
    "untranslated": "a part was left in the source language",
    "wrong_language": "the translation is in another language, as far as can be told",
    "copied": "the translation is its source, word for word",
    "cut_off": "the translation ends before its source does",
    "repetition": "the translation says the same again and again",
    "lost_verbatim": "code, a URL, LaTeX or the like is not there as it was",
    "lost_numbers": "the numbers of the source are not those of the translation",
    "length": "much longer or shorter than is usual in the language",
    "undetermined": "no language can be told; says nothing against the row",
}

SCORES: dict[str, Column] = {
    **_CELL,
    "diagonal": ("true, false", "a model against itself: 50 by definition, never judged"),
    "n": ("pairs", "valid pairs of responses, one a prompt"),
    "wins": ("pairs", "the row's model was chosen in both orders"),
    "ties": ("pairs", "the orders disagree, or a verdict is a tie"),
    "losses": ("pairs", "the baseline was chosen in both orders"),
    "invalid": ("pairs", "a verdict could not be read; not in `n`"),
    **_SCORE,
    "bound_low": ("percent", "the score if every invalid pair were lost"),
    "bound_high": ("percent", "the score if every invalid pair were won"),
    "p": ("", "exact sign test of wins against losses"),
    "gated_score": ("percent", "the score with language first: the right language beats another, two wrong ones tie"),
    "gated_low": ("percent", "lower end of its interval"),
    "gated_high": ("percent", "upper end"),
    "right_language": ("responses", "in the language of the prompt"),
    "wrong_language": ("responses", "in another language"),
    "undetermined_language": ("responses", "too short, or code: no language can be told"),
    "response_language_rate": ("percent", "right of right and wrong"),
    "mean_tokens": ("tokens", "mean length of the responses, stop token included"),
    "length_cap_rate": ("percent", "responses that ended at `generate.max_new_tokens`"),
    "repetition_rate": ("percent", "responses that loop"),
    "verdicts": ("verdicts", "those that the judge was asked for; identical responses are not"),
    "named_first": ("verdicts", "the response shown first was named"),
    "named_second": ("verdicts", "the response shown second was named"),
    "orders_disagree": ("pairs", "two valid verdicts with different winners"),
    "pairs_asked": ("pairs", "with two valid verdicts"),
    "named_longer": ("verdicts", "the response with more characters was named"),
    "named_shorter": ("verdicts", "the response with fewer characters was named"),
    "invalid_verdicts": ("verdicts", "that could not be read"),
    "judge_usd": ("US dollars", "what the verdicts cost; empty where no price is known"),
    "seeds": ("seeds", "how many seeds have a score of this cell"),
    "seeds_mean": ("percent", "mean score over them"),
    "seeds_sd": ("points", "standard deviation over them, of a sample; empty for one seed"),
    "p_holm": ("", "`p` corrected by Holm for all judged cells of the judge, base model and seed"),
    "p_bh": ("", "`p` corrected by Benjamini and Hochberg, over the same cells"),
    "length_controlled": (
        "percent",
        "what the score would be were both responses equally long; empty where not fitted",
    ),
    **_AUDIT,
}
"""scores.csv, in its order."""

LISTS: dict[str, Column] = {
    "ids": ("list", "ids of the prompts, sorted; the other lists are in this order"),
    "outcomes": ("list of 0, 0.5, 1", "lost, tied, won; none where invalid"),
    "gated_outcomes": ("list of 0, 0.5, 1", "the same with language first"),
    "length_differences": ("list, tokens", "the response's tokens less the baseline's"),
    "found_languages": ("list, ISO 639", "the language found in each response, or `undetermined`"),
}
"""What scores.parquet has besides."""

_SHARES = {
    "agreement": "agreement with known winners, a tie counting half; 50 is chance",
    "named_first": "verdicts that name the response shown first",
    "orders_disagree": "pairs whose two orders have different winners",
    "consistency": "questions that get the same verdict when they are asked again",
    "named_longer": "verdicts that name the longer response",
    "invalid": "verdicts that could not be read",
    "accuracy": "known winners that won in both orders",
}

_ENDS = {"low": "lower end of its interval", "high": "upper end"}

FIGURES: dict[str, dict[str, Column]] = {
    "heatmap": {
        **_ROW,
        "lang": ("ISO 639", "the evaluation language, or `average` over those off the diagonal"),
        **_SCORE,
        "diagonal": SCORES["diagonal"],
        **_SPREAD,
        "p": SCORES["p"],
        "p_corrected": (
            "",
            "`p` corrected for the cells of the figure by `aggregate.correction`; a star is below `alpha`",
        ),
        "bound_low": SCORES["bound_low"],
        "bound_high": SCORES["bound_high"],
        **_AUDIT,
    },
    "response_language": {
        **_ROW,
        "lang": _CELL["lang"],
        "response_language_rate": SCORES["response_language_rate"],
        **{name: SCORES[name] for name in ("right_language", "wrong_language", "undetermined_language")},
        **_SPREAD,
    },
    "language_confusion": {
        "mixture": ("", "the training set, or `all` tuned ones together"),
        "label": ("", "what the figure calls it"),
        "lang": _CELL["lang"],
        "found": ("ISO 639", "the language found in responses, or `undetermined`"),
        "column": ("", "the column of the figure that it is drawn in: rare languages share one"),
        "responses": ("responses", "how many"),
        "share": ("percent", "of the responses to prompts in `lang`"),
    },
    "pinch": {
        "percent": ("percent", "rows spread evenly over the set's languages"),
        "mixture": _CELL["mixture"],
        "rows_not_pivot": ("rows", "how many are not in the pivot"),
        "series": ("", "`pivot`, `seen` and `unseen` are averages over those languages, `language` is one by itself"),
        "lang": ("ISO 639", "the languages of the line"),
        **_ESTIMATE,
        **_AUDIT,
    },
    "incremental": {
        "languages": ("languages", "in how many the rows are"),
        "training_sets": ("training sets", "of that size, averaged over"),
        "lang": ("ISO 639", "the evaluation language, or `average`"),
        **_ESTIMATE,
        **_AUDIT,
    },
    "pairs": {
        "pair": ("ISO 639", "the two languages, joined by `+`"),
        "mixture": _CELL["mixture"],
        "label": ("", "one of the languages, or `both`"),
        "columns": ("ISO 639", "the evaluation languages that are averaged over"),
        **_ESTIMATE,
        **_AUDIT,
    },
    "untuned": {
        "lang": _CELL["lang"],
        "mixture": ("", "the language's monolingual training set"),
        **{**_ESTIMATE, "score": ("percent", "of the monolingual model against the untuned one")},
        **_AUDIT,
    },
    "pretraining_share": {
        "series": ("", "`language`: a point; `regression`: the line; `pearson`, `spearman`: the correlations"),
        "lang": ("ISO 639", "the language of the training set"),
        "mixture": ("", "its monolingual training set"),
        "share": ("percent", "of the language in pretraining"),
        "value": ("percent", "the average score in the other languages; of a correlation its coefficient"),
        "low": ("percent", "lower end of its interval"),
        "high": ("percent", "upper end"),
        "seeds_sd": _ESTIMATE["seeds_sd"],
        "p": ("", "of a correlation"),
        **_AUDIT,
    },
    "similarity": {
        "predictor": ("", "kind of likeness: script, family, branch, intelligible, distance"),
        "r": ("", "correlation of transfer with likeness, without the effects of rows and columns"),
        "low": ("", "lower end of its interval"),
        "high": ("", "upper end"),
        "p": ("", "share of the permutations of the languages with as strong a correlation"),
        "n_languages": ("languages", "how many there are"),
        "permutations": ("permutations", "how many were looked at"),
        "exact": ("true, false", "whether these are all that there are"),
        "reason": ("", "why there is no correlation, where there is none"),
        **_AUDIT,
    },
    "languages": {
        "language": ("", "its English name"),
        "code": ("ISO 639", "what the config calls it"),
        "family": ("", "language family"),
        "branch": ("", "branch of the family; only where all languages are of one family"),
        "script": ("", "as it is mostly written"),
        "mutually_intelligible_with": ("", "languages of the experiment; only where there are some"),
    },
    "translations": {
        "split": ("", "train or eval"),
        "lang": ("ISO 639", "the language translated into"),
        "n": ("rows", "how many were translated"),
        "passing": ("percent", "rows without a flag against them"),
        **{f"flag_{flag}": ("percent", said) for flag, said in _FLAGS.items()},
    },
    "audit": {
        "judge": _CELL["judge"],
        "lang": ("ISO 639", "the language that it was audited in"),
        "status": ("", "`ok`, `red` or `not audited`"),
        "flags": ("", "why it is red, joined by `+`"),
        **{
            column: told
            for name, said in _SHARES.items()
            for column, told in {
                name: ("percent", said),
                **{f"{name}_{end}": ("percent", which) for end, which in _ENDS.items()},
            }.items()
        },
        "cells": ("cells", "judged cells of the language"),
        "verdicts": ("verdicts", "in cells and audit"),
        "part": ("", "where the known winners come from: `labelled` or `contrast`"),
        "pairs": ("pairs", "with a known winner"),
        "right": ("pairs", "the better response won in both orders"),
        "tied": ("pairs", "neither did"),
        "wrong": ("pairs", "the other one won in both orders"),
    },
}
"""By kind of figure: the columns of its CSV."""

TABLES: dict[str, tuple[str, dict[str, Column]]] = {
    "scores/scores.csv": (
        "One line a cell: a training set (row of the matrix) evaluated in a language (column). "
        "[Statistics](../statistics.md) has the formulas.",
        SCORES,
    ),
    "scores/scores.parquet": ("All columns of `scores.csv`, and these.", LISTS),
    "scores/comparisons.csv": (
        "One line for two training sets of a design, a and b, and a language.",
        {
            "judge": _CELL["judge"],
            "base": _CELL["base"],
            "design": ("", "the design that asks for both"),
            "a": ("", "a training set"),
            "b": ("", "another"),
            "lang": ("ISO 639", "or `average` over the languages that both were judged in"),
            "difference": ("points", "score of a less that of b, on the prompts valid for both"),
            "low": ("points", "lower end of its interval"),
            "high": ("points", "upper end"),
            "p": ("", "sign-flip test over prompts; from five seeds on a t-test over seeds"),
            "p_holm": ("", "corrected by Holm for all lines of the design, judge and base model"),
            "p_bh": ("", "the same by Benjamini and Hochberg"),
            "prompts": ("prompts", "valid for both"),
            "seeds": ("seeds", "how many both have"),
        },
    ),
    "sources/overlap.csv": (
        "One line a training row and evaluation prompt that are nearly the same.",
        {
            "train_id": ("", "id of the training row"),
            "eval_id": ("", "id of the prompt"),
            "similarity": ("percent", "100 is the same text, but for case and white space"),
            "train_instruction": ("", "its text"),
            "eval_instruction": ("", "the prompt's text"),
        },
    ),
    "translations/report.csv": (
        "One line a split and language.",
        {
            "split": ("", "train or eval"),
            "lang": ("ISO 639", "the language translated into"),
            "rows_in": ("rows", "of the source"),
            "rows_out": ("rows", "that are used"),
            "rows_dropped": ("rows", "that are not, by `translate.gate`"),
            "flagged": ("rows", "with a flag against them"),
            "passing_percent": ("percent", "rows without one"),
            "policy": ("", "`keep`, `drop` or `fail`"),
            "ignored": ("", "flags that the config says to ignore"),
            **{f"flag_{flag}": ("rows", said) for flag, said in _FLAGS.items()},
            "length_ratio_median": ("", "characters of a translation to those of its source"),
            "engines": ("rows", "by who translated them"),
            "segments_all": ("segments", "pieces that engines were to translate"),
            "segments_cached": ("segments", "of them, answered from the cache"),
            "segments_retried": ("segments", "cut finer and asked again"),
            "segments_left": ("segments", "left in the source language"),
            "calls": ("calls", "of engines, cached ones too"),
            "calls_now": ("calls", "made by the last job"),
            "characters": ("characters", "sent"),
            "tokens_in": ("tokens", "read by a language model"),
            "tokens_out": ("tokens", "written by it"),
            "usd": ("US dollars", "empty where no price is known"),
            "seconds": ("s", "that the job took"),
        },
    ),
    **{
        f"figures: {kind.replace('_', ' ')}": ("The CSV beside each figure of this kind.", columns)
        for kind, columns in FIGURES.items()
    },
}
"""By file: what a line is, and the columns in their order."""
