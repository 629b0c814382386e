"""Cells of a row: scores, rates and the judge's behaviour, each against a value worked out by hand."""

import json

import polars as pl
import pytest
from pinch import languages
from pinch.__main__ import main
from pinch.aggregate.behaviour import COUNTS, behaviour, spent
from pinch.aggregate.gated import gated_outcomes
from pinch.aggregate.row import described, diagonal_cell, schema
from pinch.config import Aggregate
from pinch.rows import GenerationRow, VerdictRow, read_rows, write_rows
from pinch.score import outcomes_of_verdicts, summarize

LANGS = languages.candidates(("en", "es"))
SPANISH = "Lava el arroz hasta que el agua salga clara y cuécelo tapado."
ENGLISH = "Rinse the rice until the water runs clear and simmer it covered."


def verdicts(**winners):
    """The two verdicts of each id: the winner with the baseline first, the winner with the candidate first."""
    return [
        VerdictRow(id=id, order=order, winner=winner)
        for id, pair in winners.items()
        for order, winner in zip(("baseline_first", "candidate_first"), pair, strict=True)
    ]


def response(id, text, finish_reason="stop", n_tokens=10, lang="es"):
    return GenerationRow(
        id=id, lang=lang, instruction="?", response=text, finish_reason=finish_reason, n_tokens=n_tokens
    )


def by_id(*rows):
    return {row.id: row for row in rows}


# --- what responses are like ---


def test_responses_are_described():
    rows = by_id(
        response("b", SPANISH, "length", 40),
        response("a", SPANISH, "stop", 10),
        response("c", ENGLISH, "stop", 12),
        response("d", "42 42 42 no no no", "stop", 2),
    )
    found = {"a": "es", "b": "es", "c": "en", "d": "undetermined"}
    assert described(rows, found, "es") == {
        "right_language": 2,
        "wrong_language": 1,
        "undetermined_language": 1,
        "response_language_rate": pytest.approx(100 * 2 / 3),
        "mean_tokens": 16.0,
        "length_cap_rate": 25.0,
        "repetition_rate": 25.0,
        "found_languages": ["es", "es", "en", "undetermined"],
    }


def test_no_rate_where_no_language_can_be_told():
    assert described(by_id(response("a", "42")), {"a": "undetermined"}, "es")["response_language_rate"] is None


@pytest.mark.parametrize(
    ("text", "lang", "found"),
    [
        (SPANISH, "es", "es"),
        (ENGLISH, "es", "en"),
        ("42", "es", "undetermined"),
        # A language that the identifier does not know: whatever it names would be wrong.
        (SPANISH, "gsw", "undetermined"),
    ],
)
def test_a_response_has_a_language_or_it_is_undetermined(text, lang, found):
    assert languages.found(text, lang, languages.candidates((lang,))) == found


@pytest.mark.parametrize("text", [SPANISH, ENGLISH, "42", ""])
@pytest.mark.parametrize("lang", ["en", "es", "gsw"])
def test_the_language_found_and_the_match_with_the_one_expected_agree(text, lang):
    found = languages.found(text, lang, LANGS)
    match = "right" if found == lang else "undetermined" if found == "undetermined" else "wrong"
    assert match == languages.match(text, lang, LANGS)


# --- the language-gated score ---


@pytest.mark.parametrize("outcome", [1.0, 0.5, 0.0, None])
@pytest.mark.parametrize(
    ("candidate", "baseline", "gated"),
    [
        ("es", "en", 1.0),
        ("en", "es", 0.0),
        ("en", "en", 0.5),
        ("en", "pt", 0.5),
        # The judge's outcome stands.
        ("es", "es", "judged"),
        ("undetermined", "es", "judged"),
        ("es", "undetermined", "judged"),
        ("undetermined", "en", "judged"),
        ("en", "undetermined", "judged"),
        ("undetermined", "undetermined", "judged"),
    ],
)
def test_the_right_language_beats_a_wrong_one(outcome, candidate, baseline, gated):
    found = gated_outcomes({"p": outcome}, {"p": candidate}, {"p": baseline}, "es")
    assert found == {"p": outcome if gated == "judged" else gated}


# --- how the judge behaved ---


def counted(rows, ours, theirs):
    found = behaviour(rows, ours, theirs)
    assert list(found) == list(COUNTS)
    return {name: count for name, count in found.items() if count}


LONG, SHORT = by_id(response("p", "a longer response")), by_id(response("p", "short"))


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        # (winner with the baseline first, winner with the candidate first); the candidate is longer
        (("candidate", "candidate"), {"named_first": 1, "named_second": 1, "named_longer": 2}),
        (("baseline", "baseline"), {"named_first": 1, "named_second": 1, "named_shorter": 2}),
        (("baseline", "candidate"), {"named_first": 2, "orders_disagree": 1, "named_longer": 1, "named_shorter": 1}),
        (("candidate", "baseline"), {"named_second": 2, "orders_disagree": 1, "named_longer": 1, "named_shorter": 1}),
        (("tie", "candidate"), {"named_first": 1, "orders_disagree": 1, "named_longer": 1}),
        (("tie", "tie"), {}),
        (("invalid", "candidate"), {"named_first": 1, "named_longer": 1, "invalid_verdicts": 1, "pairs_asked": 0}),
        (("invalid", "invalid"), {"invalid_verdicts": 2, "pairs_asked": 0}),
    ],
)
def test_what_a_judge_named_is_counted(pair, expected):
    expected = {"verdicts": 2, "pairs_asked": 1} | expected
    assert counted(verdicts(p=pair), LONG, SHORT) == {name: count for name, count in expected.items() if count}


def test_responses_of_the_same_length_are_neither_longer_nor_shorter():
    found = counted(verdicts(p=("candidate", "candidate")), SHORT, by_id(response("p", "trohs")))
    assert found == {"verdicts": 2, "named_first": 1, "named_second": 1, "pairs_asked": 1}


def test_length_is_in_characters_not_in_tokens():
    other = by_id(response("p", "short", n_tokens=99))
    assert counted(verdicts(p=("candidate", "tie")), LONG, other)["named_longer"] == 1


def test_identical_responses_say_nothing_of_the_judge():
    rows = [VerdictRow.tied("p", order, "identical") for order in ("baseline_first", "candidate_first")]
    assert counted(rows, SHORT, SHORT) == {}


@pytest.mark.parametrize(("costs", "usd"), [([0.25, 0.5], 0.75), ([0.25, None], None), ([None, None], None), ([], 0)])
def test_money_is_the_sum_where_all_of_it_is_known(costs, usd):
    rows = [VerdictRow(id="p", order="baseline_first", winner="tie", cost=cost) for cost in costs]
    free = VerdictRow.tied("q", "baseline_first", "identical")
    assert spent([*rows, free]) == usd


# --- the command ---

ROW_ARGUMENTS = ["--judge", "rubric", "--baseline", "monolingual", "--base", "tiny", "--mixture", "en4"]
SETTINGS = {"confidence": 0.9, "resamples": 200, "seed": 3}


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
    write_rows(tmp_path / "generations" / "en.jsonl", [response(f"p{n}", ENGLISH, lang="en") for n in (4, 3, 2, 1)])
    write_rows(tmp_path / "baselines" / "es.jsonl", [response(f"p{n}", SPANISH[: -2 * n]) for n in (4, 3, 2, 1)])
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


def aggregate_row(folder, output="row.parquet", **without):
    """Runs `aggregate row` on the row; its exit status."""
    files = {
        "judgments": [folder / "judgments" / "es.jsonl"],
        "baselines": [folder / "baselines" / "es.jsonl"],
        "generations": [folder / "generations" / f"{lang}.jsonl" for lang in ("en", "es")],
    }
    words = [word for name, paths in (files | without).items() for word in (f"--{name}", *map(str, paths))]
    columns = json.dumps([["en", "en4"], ["es", "es4"]])
    settings = json.dumps({**SETTINGS, "languages": ["en", "es"]})
    told = [*ROW_ARGUMENTS, "--seed", "d0t0", "--columns", columns, "--settings", settings]
    return main(["aggregate", "row", *told, *words, "--output", str(folder / output)])


def test_a_row_has_a_line_a_cell(cells, capsys):
    assert aggregate_row(cells) == 0
    assert capsys.readouterr().out == "aggregate: en4: 2 cells, 1 on the diagonal\n"
    row = pl.read_parquet(cells / "row.parquet")
    assert dict(row.schema) == schema()
    assert row["lang"].to_list() == ["en", "es"]


def test_a_judged_cell_by_hand(cells):
    aggregate_row(cells)
    _, spanish = pl.read_parquet(cells / "row.parquet").to_dicts()
    gated_low, gated_high = spanish.pop("gated_low"), spanish.pop("gated_high")
    low, high = spanish.pop("low"), spanish.pop("high")
    assert spanish == {
        **{"judge": "rubric", "baseline": "es4", "base": "tiny", "mixture": "en4", "seed": "d0t0", "lang": "es"},
        "diagonal": False,
        **{"n": 3, "wins": 2, "ties": 1, "losses": 0, "invalid": 1},
        "score": pytest.approx(250 / 3),  # (1 + 0.5 + 1) / 3
        **{"bound_low": 62.5, "bound_high": 87.5},  # p4 lost, p4 won
        "p": 0.5,  # two wins, no loss: 2 * 0.5 ** 2
        "gated_score": pytest.approx(200 / 3),  # (1 + 0 + 1) / 3: p2 is English and its baseline Spanish
        **{"right_language": 2, "wrong_language": 1, "undetermined_language": 1},
        "response_language_rate": pytest.approx(200 / 3),
        "mean_tokens": 15.0,  # (10 + 40 + 2 + 8) / 4
        **{"length_cap_rate": 25.0, "repetition_rate": 0.0},
        **{"verdicts": 8, "named_first": 3, "named_second": 3, "orders_disagree": 1, "pairs_asked": 3},
        # The candidate is longer in p1, p2 and p4, and "7" is shorter in p3.
        **{"named_longer": 4, "named_shorter": 2, "invalid_verdicts": 1},
        "judge_usd": None,
        "ids": ["p1", "p2", "p3", "p4"],
        "outcomes": [1.0, 0.5, 1.0, None],
        "gated_outcomes": [1.0, 0.0, 1.0, None],
        "length_differences": [0, 30, -8, -2],
        "found_languages": ["es", "en", "undetermined", "es"],
    }
    assert 0 <= low < 250 / 3 < high <= 100
    assert 0 <= gated_low < 200 / 3 < gated_high <= 100


def test_the_diagonal_is_fifty(cells):
    aggregate_row(cells)
    english, _ = pl.read_parquet(cells / "row.parquet").to_dicts()
    assert english == {
        **{"judge": "rubric", "baseline": "en4", "base": "tiny", "mixture": "en4", "seed": "d0t0", "lang": "en"},
        "diagonal": True,
        **{"n": 4, "wins": 0, "ties": 4, "losses": 0, "invalid": 0, "score": 50.0, "low": None, "high": None},
        **{"bound_low": 50.0, "bound_high": 50.0, "p": None},
        **{"gated_score": 50.0, "gated_low": None, "gated_high": None},
        **{"right_language": 4, "wrong_language": 0, "undetermined_language": 0, "response_language_rate": 100.0},
        **{"mean_tokens": 10.0, "length_cap_rate": 0.0, "repetition_rate": 0.0},
        **dict.fromkeys(COUNTS, 0),
        "judge_usd": 0.0,
        **{"ids": ["p1", "p2", "p3", "p4"], "outcomes": [0.5] * 4, "gated_outcomes": [0.5] * 4},
        **{"length_differences": [0] * 4, "found_languages": ["en"] * 4},
    }


def test_a_cell_has_the_numbers_of_the_scorer_that_stands_alone(cells):
    aggregate_row(cells)
    _, spanish = pl.read_parquet(cells / "row.parquet").to_dicts()
    rows = read_rows(cells / "judgments" / "es.jsonl", VerdictRow, unique=("id", "order"))
    expected = summarize(outcomes_of_verdicts(rows).values(), Aggregate(**SETTINGS))
    assert {name: spanish[name] for name in expected} == expected


def test_a_row_does_not_depend_on_the_order_of_its_files_lines(cells):
    aggregate_row(cells, "one.parquet")
    for file in cells.glob("*/*.jsonl"):
        file.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[::-1]), encoding="utf-8")
    aggregate_row(cells, "two.parquet")
    assert (cells / "one.parquet").read_bytes() == (cells / "two.parquet").read_bytes()


def test_a_cell_of_invalid_verdicts_alone_has_no_score_and_the_same_types(cells):
    write_rows(cells / "judgments" / "es.jsonl", verdicts(**{f"p{n}": ("invalid", "tie") for n in (1, 2, 3, 4)}))
    aggregate_row(cells)
    row = pl.read_parquet(cells / "row.parquet")
    assert dict(row.schema) == schema()
    cell = row.to_dicts()[1]
    nothing = ("score", "low", "high", "p")
    assert [cell[name] for name in nothing] == [None] * 4
    assert (cell["n"], cell["invalid"], cell["bound_low"], cell["bound_high"]) == (0, 4, 0.0, 100.0)


def test_a_row_of_the_diagonal_alone_needs_no_judgments(tmp_path):
    assert diagonal_cell(by_id(response("p", ENGLISH)))["score"] == 50
    write_rows(tmp_path / "en.jsonl", [response("p", ENGLISH, lang="en")])
    files = ["--generations", str(tmp_path / "en.jsonl"), "--output", str(tmp_path / "row.parquet")]
    assert main(["aggregate", "row", *ROW_ARGUMENTS, "--seed", "d0t0", "--columns", '[["en", "en4"]]', *files]) == 0


# --- what does not fit together ---


def refused(cells, capsys, **without):
    """What `aggregate row` says of files that do not fit; no row is written."""
    assert aggregate_row(cells, **without) == 1
    assert not (cells / "row.parquet").exists()
    return capsys.readouterr().err.replace(f"{cells}/", "")


def test_verdicts_of_other_prompts_are_refused(cells, capsys):
    write_rows(cells / "judgments" / "es.jsonl", verdicts(p1=("tie", "tie"), p9=("tie", "tie")))
    assert refused(cells, capsys) == (
        "aggregate: error: judgments/es.jsonl: its ids are not those of generations/es.jsonl; judge this cell again\n"
    )


def test_a_baseline_of_other_prompts_is_refused(cells, capsys):
    write_rows(cells / "baselines" / "es.jsonl", [response("p1", SPANISH)])
    assert refused(cells, capsys) == (
        "aggregate: error: baselines/es.jsonl: its ids are not those of generations/es.jsonl; "
        "delete the older of the two and run again\n"
    )


def test_half_a_pair_of_verdicts_is_refused_with_its_file(cells, capsys):
    rows = verdicts(**{f"p{number}": ("tie", "tie") for number in (1, 2, 3, 4)})
    write_rows(cells / "judgments" / "es.jsonl", rows[:-1])
    said = refused(cells, capsys)
    assert said.startswith("aggregate: error: judgments/es.jsonl: id 'p4': the order candidate_first is missing;")


@pytest.mark.parametrize("option", ["judgments", "baselines", "generations"])
def test_a_file_that_is_not_given_is_named(cells, capsys, option):
    given = [cells / "generations" / "en.jsonl"] if option == "generations" else []
    assert refused(cells, capsys, **{option: given}) == (
        f"aggregate: error: --{option}: there is no es.jsonl for the column es; give it\n"
    )
