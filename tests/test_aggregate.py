"""Scores, intervals and rates, each against a value worked out by hand."""

import csv
import json

import polars as pl
import pytest
from pinch import languages
from pinch.__main__ import main
from pinch.aggregate import describe_responses, diagonal_cell, interval, pair_scores, score_cell
from pinch.config import Aggregate
from pinch.errors import PinchError
from pinch.rows import GenerationRow, VerdictRow, write_rows

SETTINGS = Aggregate(resamples=500)
LANGS = languages.candidates(("en", "es"))


def verdicts(**winners):
    """The two verdicts of each id: the winner with the baseline first, the winner with the candidate first."""
    return [
        VerdictRow(id=id, order=order, winner=winner)
        for id, pair in winners.items()
        for order, winner in zip(("baseline_first", "candidate_first"), pair, strict=True)
    ]


# --- pairs ---


@pytest.mark.parametrize(
    ("baseline_first", "candidate_first", "score"),
    [
        ("candidate", "candidate", 1.0),
        ("baseline", "baseline", 0.0),
        ("tie", "tie", 0.5),
        # What a judge says who prefers the first or the second place: a tie.
        ("baseline", "candidate", 0.5),
        ("candidate", "baseline", 0.5),
        # A win in one order alone is a tie too.
        ("candidate", "tie", 0.5),
        ("tie", "candidate", 0.5),
        ("baseline", "tie", 0.5),
        ("tie", "baseline", 0.5),
        ("invalid", "candidate", None),
        ("baseline", "invalid", None),
        ("tie", "invalid", None),
        ("invalid", "invalid", None),
    ],
)
def test_a_pair_is_won_in_both_orders_or_not_at_all(baseline_first, candidate_first, score):
    assert pair_scores(verdicts(p1=(baseline_first, candidate_first))) == {"p1": score}


def test_the_order_of_verdicts_does_not_matter():
    rows = verdicts(p1=("candidate", "candidate"), p2=("baseline", "tie"))
    assert pair_scores(rows[::-1]) == pair_scores(rows) == {"p1": 1.0, "p2": 0.5}


def test_a_missing_order_names_the_id():
    rows = verdicts(p1=("candidate", "candidate"), p2=("baseline", "tie"))
    with pytest.raises(PinchError, match=r"^id 'p2': the order candidate_first is missing; judge this cell again$"):
        pair_scores(rows[:3])


def test_an_order_that_is_there_twice_names_the_id():
    rows = verdicts(p1=("candidate", "candidate"), p2=("baseline", "tie"))
    with pytest.raises(PinchError, match=r"^id 'p1': the order baseline_first is there twice$"):
        pair_scores([*rows, rows[0]])


# --- cells ---


def test_a_cell_by_hand():
    cell = score_cell(
        verdicts(
            p1=("candidate", "candidate"),
            p2=("candidate", "candidate"),
            p3=("baseline", "candidate"),
            p4=("baseline", "baseline"),
            p5=("invalid", "candidate"),
        ),
        SETTINGS,
    )
    low, high = cell.pop("low"), cell.pop("high")
    # (1 + 1 + 0.5 + 0) / 4, the fifth being out of the mean
    assert cell == {
        **{"n": 5, "wins": 2, "ties": 1, "losses": 1, "invalid": 1, "score": 62.5},
        **{"ids": ["p1", "p2", "p3", "p4", "p5"], "outcomes": [1.0, 1.0, 0.5, 0.0, None]},
    }
    assert 0 <= low < 62.5 < high <= 100


def test_a_cell_of_invalid_verdicts_has_no_score():
    assert score_cell(verdicts(p1=("invalid", "tie")), SETTINGS) == {
        **{"n": 1, "wins": 0, "ties": 0, "losses": 0, "invalid": 1},
        **{"score": None, "low": None, "high": None, "ids": ["p1"], "outcomes": [None]},
    }


def test_the_diagonal_is_fifty():
    cell = diagonal_cell(["p2", "p1"])
    assert (cell["score"], cell["n"], cell["ties"], cell["low"], cell["high"]) == (50.0, 2, 2, None, None)
    assert (cell["ids"], cell["outcomes"]) == (["p1", "p2"], [0.5, 0.5])


def test_outcomes_stand_with_their_ids_whatever_the_order_of_verdicts():
    rows = verdicts(p2=("baseline", "baseline"), p10=("invalid", "tie"), p1=("candidate", "candidate"))
    for order in (rows, rows[::-1]):
        cell = score_cell(order, SETTINGS)
        assert dict(zip(cell["ids"], cell["outcomes"], strict=True)) == {"p1": 1.0, "p2": 0.0, "p10": None}
        assert cell["ids"] == ["p1", "p10", "p2"]


# --- intervals ---


@pytest.mark.parametrize(
    "scores",
    [[1, 0], [1, 0.5, 0.5, 0], [1] * 15 + [0], [0.5] * 15 + [0], [1, 0.5] * 8, [0, 0, 0, 1, 0.5, 0.5, 0]],
    ids=str,
)
def test_an_interval_contains_the_mean_and_stays_within_0_and_100(scores):
    low, high = interval(scores, SETTINGS)
    assert 0 <= low <= 100 * sum(scores) / len(scores) <= high <= 100
    assert low < high


def test_the_interval_of_wins_alone_is_the_exact_binomial_one():
    # Clopper and Pearson: the lower end is (alpha / 2) ** (1 / n) = 0.025 ** 0.25
    assert interval([1.0] * 4, SETTINGS) == pytest.approx((39.764, 100), abs=0.001)
    assert interval([0.0] * 4, SETTINGS) == pytest.approx((0, 60.236), abs=0.001)


def test_one_tie_says_nothing():
    assert interval([0.5], SETTINGS) == (0, 100)


def test_an_interval_is_the_same_for_the_same_seed():
    scores = [0, 0, 0.5, 1, 1, 0.5, 0, 1, 0.5, 0.5, 1]
    assert interval(scores, SETTINGS) == interval(scores, SETTINGS)


def test_an_interval_depends_on_the_seed():
    scores = [number / 97 for number in range(97)]
    assert interval(scores, SETTINGS) != interval(scores, SETTINGS.model_copy(update={"seed": 1}))


def test_a_bootstrap_interval_is_about_as_wide_as_theory_says():
    # A proportion of 0.5 with n = 400: 1.96 * sqrt(0.25 / 400) = 4.9 points to either side.
    low, high = interval([0.0, 1.0] * 200, Aggregate(resamples=5000))
    assert (low, high) == pytest.approx((45.1, 54.9), abs=0.7)


def test_more_confidence_is_a_wider_interval():
    scores = [0.0, 1.0] * 20
    narrow, wide = (interval(scores, Aggregate(confidence=level)) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


# --- responses ---


def response(id, text, finish_reason="stop", n_tokens=10, lang="es"):
    return GenerationRow(
        id=id, lang=lang, instruction="?", response=text, finish_reason=finish_reason, n_tokens=n_tokens
    )


SPANISH = "Lava el arroz hasta que el agua salga clara y cuécelo tapado."
ENGLISH = "Rinse the rice until the water runs clear and simmer it covered."


def test_responses_are_described():
    rows = [
        response("a", SPANISH, "stop", 10),
        response("b", SPANISH, "length", 40),
        response("c", ENGLISH, "stop", 12),
        response("d", "42", "stop", 2),
    ]
    assert describe_responses(rows, "es", LANGS) == {
        "right_language": 2,
        "wrong_language": 1,
        "undetermined_language": 1,
        "response_language_rate": pytest.approx(100 * 2 / 3),
        "mean_tokens": 16.0,
        "stopped_rate": 75.0,
    }


def test_no_rate_where_no_language_can_be_told():
    assert describe_responses([response("a", "42")], "es", LANGS)["response_language_rate"] is None


# --- the commands ---


@pytest.fixture
def cells(tmp_path):
    """One row of a matrix: the model en4, English on the diagonal, Spanish judged."""
    write_rows(
        tmp_path / "generations" / "es.jsonl",
        [
            response("p1", SPANISH),
            response("p2", ENGLISH, "length", 40),
            response("p3", "7", n_tokens=2),
            response("p4", SPANISH, n_tokens=8),
        ],
    )
    write_rows(
        tmp_path / "generations" / "en.jsonl", [response(f"p{number}", ENGLISH, lang="en") for number in (1, 2, 3, 4)]
    )
    write_rows(
        tmp_path / "judgments" / "es.jsonl",
        verdicts(
            p1=("candidate", "candidate"),
            p2=("candidate", "tie"),
            p3=("candidate", "candidate"),
            p4=("invalid", "candidate"),
        ),
    )
    return tmp_path


def aggregate_row(folder, output="row.parquet"):
    names = ["--judge", "rubric", "--baseline", "monolingual", "--base", "tiny", "--mixture", "en4", "--seed", "d0t0"]
    columns = json.dumps([["en", "en4"], ["es", "es4"]])
    settings = json.dumps({"confidence": 0.9, "resamples": 200, "seed": 3, "languages": ["en", "es"]})
    generations = [str(folder / "generations" / f"{lang}.jsonl") for lang in ("en", "es")]
    files = ["--judgments", str(folder / "judgments" / "es.jsonl"), "--generations", *generations]
    files += ["--output", str(folder / output)]
    return main(["aggregate", "row", *names, "--columns", columns, "--settings", settings, *files])


def table(folder, *rows):
    files = ["--parquet", str(folder / "scores.parquet"), "--csv", str(folder / "scores.csv")]
    assert main(["aggregate", "table", "--rows", *(str(folder / row) for row in rows), *files]) == 0
    with (folder / "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


ONE_SEED = {"seeds": "1", "seeds_sd": ""}


def test_a_row_becomes_a_table(cells, capsys):
    assert aggregate_row(cells) == 0
    assert capsys.readouterr().out == "aggregate: en4: 2 cells, 1 on the diagonal\n"
    english, spanish = table(cells, "row.parquet")
    low, high = float(spanish.pop("low")), float(spanish.pop("high"))
    assert spanish == {
        **{"judge": "rubric", "baseline": "es4", "base": "tiny", "mixture": "en4", "seed": "d0t0", "lang": "es"},
        **{"diagonal": "false", "n": "4", "wins": "2", "ties": "1", "losses": "0", "invalid": "1"},
        "score": "83.333",  # (1 + 0.5 + 1) / 3
        **{"right_language": "2", "wrong_language": "1", "undetermined_language": "1"},
        "response_language_rate": "66.667",
        "mean_tokens": "15.000",  # (10 + 40 + 2 + 8) / 4
        "stopped_rate": "75.000",
        **ONE_SEED,
        "seeds_mean": "83.333",
    }
    assert low < 83.333 < high
    assert english == {
        **{"judge": "rubric", "baseline": "en4", "base": "tiny", "mixture": "en4", "seed": "d0t0", "lang": "en"},
        **{"diagonal": "true", "n": "4", "wins": "0", "ties": "4", "losses": "0", "invalid": "0"},
        **{"score": "50.000", "low": "", "high": ""},
        **{"right_language": "4", "wrong_language": "0", "undetermined_language": "0"},
        **{"response_language_rate": "100.000", "mean_tokens": "10.000", "stopped_rate": "100.000"},
        **ONE_SEED,
        "seeds_mean": "50.000",
    }


def test_the_table_holds_the_outcome_of_every_prompt_and_its_csv_does_not(cells):
    aggregate_row(cells)
    assert not {"ids", "outcomes"} & set(table(cells, "row.parquet")[0])
    kept = pl.read_parquet(cells / "scores.parquet").select("lang", "ids", "outcomes").rows()
    ids = ["p1", "p2", "p3", "p4"]
    assert kept == [("en", ids, [0.5, 0.5, 0.5, 0.5]), ("es", ids, [1.0, 0.5, 1.0, None])]


def test_a_cell_of_invalid_verdicts_alone_keeps_the_types_of_the_table(cells):
    write_rows(
        cells / "judgments" / "es.jsonl", verdicts(**{f"p{number}": ("invalid", "tie") for number in (1, 2, 3, 4)})
    )
    aggregate_row(cells)
    schema = pl.read_parquet(cells / "row.parquet").schema
    assert (schema["ids"], schema["outcomes"]) == (pl.List(pl.String), pl.List(pl.Float64))


def test_a_table_has_the_spread_of_each_cell_over_seeds(cells):
    aggregate_row(cells)
    row = pl.read_parquet(cells / "row.parquet")
    other = row.with_columns(seed=pl.lit("d1t1"), score=pl.col("score") - 10)
    lone = row.with_columns(mixture=pl.lit("es4"))
    for name, rows in (("a", row), ("b", other), ("c", lone)):
        rows.write_parquet(cells / f"{name}.parquet")
    english = [line for line in table(cells, "a.parquet", "b.parquet", "c.parquet") if line["lang"] == "en"]
    spread = [(line["mixture"], line["seeds"], line["seeds_mean"], line["seeds_sd"]) for line in english]
    # 50 and 40: the mean is 45, the deviation of the sample 10 / sqrt(2).
    assert spread == [("en4", "2", "45.000", "7.071"), ("en4", "2", "45.000", "7.071"), ("es4", "1", "50.000", "")]


def test_rows_are_put_under_each_other(cells):
    aggregate_row(cells, "one.parquet")
    aggregate_row(cells, "two.parquet")
    assert [cell["lang"] for cell in table(cells, "one.parquet", "two.parquet")] == ["en", "es", "en", "es"]


def test_a_row_of_missing_values_fits_under_the_others(cells):
    """All verdicts invalid: the column of scores has no number from which its type could be guessed."""
    aggregate_row(cells, "one.parquet")
    write_rows(
        cells / "judgments" / "es.jsonl", verdicts(**{f"p{number}": ("invalid", "tie") for number in (1, 2, 3, 4)})
    )
    aggregate_row(cells, "two.parquet")
    assert [cell["score"] for cell in table(cells, "two.parquet", "one.parquet")] == ["50.000", "", "50.000", "83.333"]


def test_verdicts_of_other_prompts_are_refused(cells, capsys):
    write_rows(cells / "judgments" / "es.jsonl", verdicts(p1=("tie", "tie"), p9=("tie", "tie")))
    assert aggregate_row(cells) == 1
    said = capsys.readouterr().err.replace(f"{cells}/", "")
    assert said == (
        "aggregate: error: judgments/es.jsonl: its ids are not those of generations/es.jsonl; judge this cell again\n"
    )
    assert not (cells / "row.parquet").exists()


def test_half_a_pair_of_verdicts_is_refused_with_its_file(cells, capsys):
    rows = verdicts(**{f"p{number}": ("tie", "tie") for number in (1, 2, 3, 4)})
    write_rows(cells / "judgments" / "es.jsonl", rows[:-1])
    assert aggregate_row(cells) == 1
    said = capsys.readouterr().err.replace(f"{cells}/", "")
    assert said == (
        "aggregate: error: judgments/es.jsonl: id 'p4': the order candidate_first is missing; judge this cell again\n"
    )
