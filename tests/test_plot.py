"""Figures show the table's numbers, and their CSV holds what they show."""

import csv
import json
import re
import warnings
from pathlib import Path

import polars as pl
import pytest
from pinch import check
from pinch.__main__ import main
from pinch.experiment import Experiment
from pinch.plot import mean, shades

ROWS = [["en4", "English"], ["es4", "Spanish"], ["untuned", "untuned"]]
COLUMNS = ["en", "es"]
# mixture, language, score, low, high, share of responses in the right language
CELLS = [
    ("en4", "en", 50.0, None, None, 100.0),
    ("en4", "es", 37.5, 25.0, 50.0, 60.0),
    ("es4", "en", 62.5, 43.75, 75.0, 90.0),
    ("es4", "es", 50.0, None, None, 95.0),
    ("untuned", "en", 12.5, 0.0, 31.25, 80.0),
    ("untuned", "es", 0.0, 0.0, 20.6, None),
]


def scores(path, cells=CELLS, seeds=("d0t0",), shift=0.0):
    """A table as aggregate writes it; each seed after the first has `shift` points more."""
    lines = [
        {
            **{"judge": "rubric", "baseline": f"{lang}4", "base": "tiny", "mixture": mixture, "seed": seed},
            **{"lang": lang, "diagonal": mixture == f"{lang}4", "n": 16},
            "score": score if score is None or mixture == f"{lang}4" else score + shift * number,
            **{"low": low, "high": high, "response_language_rate": rate},
            **{"right_language": 12, "wrong_language": 3, "undetermined_language": 1},
        }
        for number, seed in enumerate(seeds)
        for mixture, lang, score, low, high, rate in cells
    ]
    numbers = dict.fromkeys(("score", "low", "high", "response_language_rate"), pl.Float64)
    pl.DataFrame(lines, schema_overrides=numbers).write_parquet(path)


@pytest.fixture
def draw(tmp_path):
    """Runs the command and returns its exit status and the lines of its CSV."""

    def run(kind="heatmap", rows=ROWS, columns=COLUMNS, **more):
        settings = {
            **{"kind": kind, "base": "tiny", "judge": "rubric", "baseline": "monolingual"},
            **{"rows": rows, "columns": columns, "colormap": "YlGnBu", "dpi": 60, "title": "A title"},
            **more,
        }
        files = [part for kind in ("png", "pdf", "csv") for part in (f"--{kind}", str(tmp_path / f"figure.{kind}"))]
        command = ["plot", "--scores", str(tmp_path / "scores.parquet"), "--settings", json.dumps(settings), *files]
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # matplotlib warns of glyphs that no font has
            status = main(command)
        if not (tmp_path / "figure.csv").exists():
            return status, None
        with (tmp_path / "figure.csv").open(newline="", encoding="utf-8") as file:
            return status, list(csv.DictReader(file))

    return run


# --- the heatmap ---


def test_a_heatmap_is_drawn_as_png_and_pdf(draw, tmp_path):
    scores(tmp_path / "scores.parquet")
    status, _ = draw()
    assert status == 0
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")


def test_the_csv_holds_the_numbers_of_the_table(draw, tmp_path):
    scores(tmp_path / "scores.parquet")
    _, lines = draw()
    cells = [(line["mixture"], line["lang"], line["score"], line["diagonal"]) for line in lines]
    assert cells == [
        ("en4", "en", "50.000", "true"),
        ("en4", "es", "37.500", "false"),
        ("es4", "en", "62.500", "false"),
        ("es4", "es", "50.000", "true"),
        ("untuned", "en", "12.500", "false"),
        ("untuned", "es", "0.000", "false"),
        # The averages leave the diagonal out: 37.5 alone, 62.5 alone, (12.5 + 0) / 2.
        ("en4", "average", "37.500", "false"),
        ("es4", "average", "62.500", "false"),
        ("untuned", "average", "6.250", "false"),
    ]
    assert [(line["low"], line["high"]) for line in lines[:3]] == [("", ""), ("25.000", "50.000"), ("43.750", "75.000")]


def test_rows_and_columns_are_in_the_order_asked_for(draw, tmp_path):
    scores(tmp_path / "scores.parquet")
    _, lines = draw(rows=ROWS[::-1], columns=COLUMNS[::-1])
    assert [(line["mixture"], line["lang"]) for line in lines[:4]] == [
        *[("untuned", "es"), ("untuned", "en")],
        *[("es4", "es"), ("es4", "en")],
    ]


def test_a_missing_cell_is_empty_and_out_of_the_average(draw, tmp_path):
    scores(tmp_path / "scores.parquet", CELLS[:5])
    status, lines = draw()
    assert status == 0
    found = {(line["mixture"], line["lang"]): line["score"] for line in lines}
    assert found["untuned", "es"] == ""
    assert found["untuned", "average"] == "12.500"


def test_a_cell_without_a_score_is_empty(draw, tmp_path):
    scores(tmp_path / "scores.parquet", [*CELLS[:5], ("untuned", "es", None, None, None, None)])
    status, lines = draw()
    assert status == 0
    assert {(line["mixture"], line["lang"]): line["score"] for line in lines}["untuned", "es"] == ""


def test_a_row_of_nothing_but_the_diagonal_has_no_average(draw, tmp_path):
    scores(tmp_path / "scores.parquet", CELLS[:1])
    status, lines = draw(rows=ROWS[:1], columns=["en"])
    assert status == 0
    assert [(line["lang"], line["score"]) for line in lines] == [("en", "50.000"), ("average", "")]


def test_cells_of_several_seeds_are_averaged(draw, tmp_path):
    scores(tmp_path / "scores.parquet", seeds=["d0t0", "d1t0"], shift=10)
    _, lines = draw()
    found = {(line["mixture"], line["lang"]): line["score"] for line in lines}
    # (37.5 + 47.5) / 2, and the diagonal is 50 in both
    assert found["en4", "es"] == "42.500"
    assert found["en4", "en"] == "50.000"
    assert found["en4", "average"] == "42.500"


@pytest.mark.parametrize("column", ["judge", "base"])
def test_other_judges_and_bases_in_the_table_are_left_out(draw, tmp_path, column):
    scores(tmp_path / "scores.parquet")
    _, alone = draw()
    table = pl.read_parquet(tmp_path / "scores.parquet")
    other = table.with_columns(pl.lit("other").alias(column), score=pl.lit(99.0))
    pl.concat([table, other]).write_parquet(tmp_path / "scores.parquet")
    _, lines = draw()
    assert lines == alone


def test_drawing_again_gives_the_same_files(draw, tmp_path):
    scores(tmp_path / "scores.parquet")
    draw()
    first = {kind: (tmp_path / f"figure.{kind}").read_bytes() for kind in ("png", "pdf", "csv")}
    draw()
    assert {kind: (tmp_path / f"figure.{kind}").read_bytes() for kind in first} == first


def test_the_title_changes_the_figure(draw, tmp_path):
    scores(tmp_path / "scores.parquet")
    draw()
    first = (tmp_path / "figure.png").read_bytes()
    draw(title="Another title")
    assert (tmp_path / "figure.png").read_bytes() != first


@pytest.mark.parametrize("change", [{"colormap": "magma"}, {"dpi": 90}, {"baseline": "untuned"}], ids=str)
def test_settings_change_the_figure_and_not_its_numbers(draw, tmp_path, change):
    scores(tmp_path / "scores.parquet")
    _, lines = draw()
    first = (tmp_path / "figure.png").read_bytes()
    _, again = draw(**change)
    assert (tmp_path / "figure.png").read_bytes() != first
    assert again == lines


# --- response languages ---


def test_response_languages_are_drawn_with_their_counts(draw, tmp_path):
    scores(tmp_path / "scores.parquet")
    status, lines = draw(kind="response_language")
    assert status == 0
    assert [line["response_language_rate"] for line in lines] == ["100.000", "60.000", "90.000", "95.000", "80.000", ""]
    assert [lines[0][count] for count in ("right_language", "wrong_language", "undetermined_language")] == [
        "12.000",
        "3.000",
        "1.000",
    ]
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


# --- errors ---


def test_an_unknown_colormap_is_an_error(draw, tmp_path, capsys):
    scores(tmp_path / "scores.parquet")
    assert draw(colormap="YlGnBlue") == (1, None)
    assert capsys.readouterr().err == (
        "plot: error: plot.colormap: 'YlGnBlue' is not a colormap of matplotlib, such as YlGnBu\n"
    )


def test_a_table_without_the_cells_is_an_error(draw, tmp_path, capsys):
    scores(tmp_path / "scores.parquet")
    assert draw(judge="gpt") == (1, None)
    assert capsys.readouterr().err.endswith("scores.parquet: has no cells of base tiny and judge gpt\n")


# --- labels ---


def test_the_quickstarts_own_labels_need_no_glyph_that_is_missing(draw, tmp_path, monkeypatch):
    """`draw` makes errors of warnings."""
    monkeypatch.chdir(Path(__file__).parents[1])
    config = check.read("config.yaml").model_copy(update={"languages": ["en", "es", "it", "ru", "fi", "he"]})
    experiment = Experiment(config)
    rows = [[item.name, item.label] for item in experiment.rows.values()]
    columns = config.languages
    cells = [(name, lang, 40.0, 30.0, 50.0, 90.0) for name, _ in rows for lang in columns]
    scores(tmp_path / "scores.parquet", cells)
    for kind in ("heatmap", "response_language"):
        status, lines = draw(kind=kind, rows=rows, columns=columns)
        assert status == 0
        assert lines[0]["label"] == "English"
        assert all(re.fullmatch(r"[^\n]+", line["label"]) for line in lines)


# --- colours ---


def test_shades_go_from_the_least_to_the_greatest_of_each_column():
    assert shades([[10, 1], [20, 3], [30, 2]], [[False] * 2] * 3) == [[0, 0], [0.5, 1], [1, 0.5]]


def test_shades_leave_the_diagonal_out():
    values = [[50, 10], [20, 50], [30, 30]]
    left_out = [[True, False], [False, True], [False, False]]
    assert shades(values, left_out) == [[None, 0], [0, None], [1, 1]]


def test_shades_leave_missing_cells_out():
    assert shades([[None], [20], [30]], [[False]] * 3) == [[None], [0], [1]]


def test_a_column_of_one_value_is_in_the_middle():
    assert shades([[20], [20]], [[False]] * 2) == [[0.5], [0.5]]


@pytest.mark.parametrize(("values", "expected"), [([1, 2, None], 1.5), ([None], None), ([], None), ([0], 0)])
def test_means_leave_out_what_is_missing(values, expected):
    assert mean(values) == expected
