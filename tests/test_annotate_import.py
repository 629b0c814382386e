"""Filled sheets come back whole: every item counted, every fault named, the answers no longer blind."""

import json
import re

import pytest

from tests.annotations import bring_back, edit_csv, export, fill, make_run, read_key


@pytest.fixture
def pairs(tmp_path):
    """Sheets of the two languages for two annotators."""
    return export(make_run(tmp_path / "a run"))[1]


def sides(annotator, item):
    """The first annotator prefers the candidate, the second cannot decide about the first prompts."""
    return "candidate" if annotator == 1 or item["id"] > "e003" else "tie"


def change(path, edit):
    """Edits a saved file; edit(data) changes it in place."""
    data = json.loads(path.read_text(encoding="utf-8"))
    edit(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def refused(capsys, folder, files):
    """What the import says against these files."""
    status, _, _ = bring_back(folder, files)
    assert status == 1
    return capsys.readouterr().err


def table_as(word):
    def fill_in(row):
        row["choice"] = word

    return fill_in


# --- whole ---


def test_answers_come_back_as_what_they_were_about(pairs):
    _, _, rows = bring_back(pairs, fill(pairs, sides))
    key = read_key(pairs)
    assert len(rows) == len(key["items"])
    for row in rows:
        assert row["choice"] == sides(int(row["annotator"]), row)
        assert key["items"][row["item"]]["first"] == row["first"]


def test_a_spreadsheet_says_the_same_as_the_page(pairs):
    """First and second, whichever side that is, in another case and with blanks."""
    tables = sorted(pairs.glob("annotator-*/*.csv"))
    _, _, by_table = bring_back(pairs, [edit_csv(path, table_as(" First ")) for path in tables])
    _, _, by_page = bring_back(pairs, fill(pairs, lambda _, item: item["first"]))
    assert by_table == by_page


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8"), ("\t", "utf-16")])
def test_tables_are_read_as_spreadsheets_of_other_countries_save_them(pairs, delimiter, encoding):
    def second(row):
        row["choice"] = "tie"
        row["second"] = row["second"].replace("\n", "\r\n") + " "

    table = edit_csv(pairs / "annotator-1/he.csv", second, delimiter, encoding)
    _, numbers, _ = bring_back(pairs, [table])
    assert sum(line["answered"] for line in numbers["counts"]) == 12


def test_formulas_in_a_table_come_back_with_and_without_their_apostrophe(tmp_path):
    _, folder = export(make_run(tmp_path / "a run"), "--mixtures", "untuned", task="ratings", prompts=6)

    def rate(row):
        row["choice"] = "fail"
        row["response"] = row["response"].lstrip("'")

    files = [edit_csv(folder / "annotator-1/en.csv", rate), edit_csv(folder / "annotator-2/en.csv", table_as("pass"))]
    _, _, rows = bring_back(folder, files)
    assert sorted(row["rating"] for row in rows) == ["fail"] * 6 + ["pass"] * 6


def test_what_is_unanswered_or_not_returned_is_counted(pairs):
    files = fill(pairs, lambda annotator, item: None if item["id"] == "e001" else "tie")
    empty = sum(item["id"] == "e001" for item in read_key(pairs)["items"].values())
    _, numbers, rows = bring_back(pairs, files)
    total = {name: sum(line[name] for line in numbers["counts"]) for name in ("asked", "answered", "unanswered")}
    assert total == {"asked": 40, "answered": 40 - empty, "unanswered": empty}
    assert len(rows) == 40 - empty
    _, numbers, _ = bring_back(pairs, files[:1])
    assert [line["not_returned"] for line in numbers["counts"]] == [0, 8, 12, 12]


def test_rows_taken_out_of_a_sheet_are_unanswered(pairs):
    files = fill(pairs, sides)
    change(files[0], lambda data: data["answers"].pop())
    _, numbers, _ = bring_back(pairs, files)
    assert numbers["counts"][0]["unanswered"] == 1


def test_a_later_save_of_the_same_sheet_adds_to_the_earlier(pairs):
    half = fill(pairs, lambda _, item: "tie" if item["id"] > "e003" else None, "half")
    _, numbers, rows = bring_back(pairs, [*half, *fill(pairs, lambda *_: "tie")])
    assert len(rows) == 40
    assert sum(line["unanswered"] for line in numbers["counts"]) == 0


def test_comments_come_along(pairs):
    files = fill(pairs, sides)
    change(files[0], lambda data: data["answers"][0].update(comment="not Hebrew"))
    assert [row["comment"] for row in bring_back(pairs, files)[2] if row["comment"]] == ["not Hebrew"]


def test_figure_and_tables_are_written(pairs):
    bring_back(pairs, fill(pairs, sides), draw=True)
    output = pairs.parent / "people"
    assert {path.name for path in output.iterdir()} == {
        *("choices.csv", "agreement.json", "summary.md"),
        *(f"distribution.{kind}" for kind in ("png", "pdf", "csv")),
    }
    assert (output / "distribution.png").read_bytes().startswith(b"\x89PNG")


# --- faults ---


def test_an_unknown_item_is_named_with_its_place(pairs, capsys):
    files = fill(pairs, sides)
    change(files[0], lambda data: data["answers"][2].update(item="bbbbbbbbbb"))
    assert re.search(
        r"filled-en-1\.json: answer 3: item 'bbbbbbbbbb' is not on the sheet", refused(capsys, pairs, files)
    )


def test_an_item_of_another_sheet_is_not_taken(pairs, capsys):
    files = fill(pairs, sides)
    token = json.loads(files[1].read_text())["answers"][0]["item"]
    change(files[0], lambda data: data["answers"][0].update(item=token))
    assert f"answer 1: item '{token}' is not on the sheet" in refused(capsys, pairs, files)


def test_answers_that_contradict_each_other_are_named_both(pairs, capsys):
    table = edit_csv(pairs / "annotator-1/en.csv", table_as("tie"))
    said = refused(capsys, pairs, [*fill(pairs, lambda *_: "candidate"), table])
    assert re.search(r"en\.csv:\d+: says 'tie', but .+/filled-en-1\.json: answer 1 says '(first|second)'", said)


@pytest.mark.parametrize("choice", ["best", "candidate", 1])
def test_a_choice_that_there_is_not_is_named(pairs, capsys, choice):
    files = fill(pairs, sides)
    change(files[0], lambda data: data["answers"][0].update(choice=choice))
    said = refused(capsys, pairs, files)
    assert re.search(rf"answer 1: item '\w+': '{choice}' is none of first, second, tie", said)


def test_a_changed_text_is_named_with_its_line(pairs, capsys):
    def edit(row):
        row["choice"] = "tie"
        if row["item"] == read_key(pairs)["sheets"][row["sheet"]]["items"][1]:
            row["first"] += "!"

    said = refused(capsys, pairs, [edit_csv(pairs / "annotator-2/he.csv", edit)])
    assert re.search(r"annotator-2/he\.csv:3: the texts of item '\w+' were changed", said)


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_sheet_of_another_export_is_refused(pairs, capsys, kind):
    _, other = export(pairs.parent / "experiment.yaml", "--shuffle-seed", "1", output="other")
    file = fill(other, sides)[0] if kind == "json" else other / "annotator-1/en.csv"
    assert re.search(r"of (the|another) export", refused(capsys, pairs, [file]))


def test_many_faults_are_told_at_once_and_counted(pairs, capsys):
    files = fill(pairs, lambda *_: "best")
    said = refused(capsys, pairs, files)
    assert said.count("is none of") == 5
    assert said.rstrip().endswith("; and 35 more")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("half.json", b'{"format": "pinch-ann', "is not JSON .*was the file cut off"),
        ("other.json", b"[]", "is not a sheet that the page saved"),
        ("sheet.ods", b"PK", "is neither .json, as the page saves it, nor .csv"),
        ("latin.csv", "sheet,item,instrucción".encode("latin-1"), "is not UTF-8; save the sheet as CSV with UTF-8"),
        ("short.csv", b"sheet,item,choice\r\n", "lacks the column 'instruction' of a sheet for pairs"),
    ],
)
def test_files_that_are_no_sheets_are_refused(pairs, capsys, name, content, said):
    path = pairs / name
    path.write_bytes(content)
    assert re.search(rf"{name}(:1)?: {said}", refused(capsys, pairs, [path]))


def test_a_folder_without_its_key_is_refused(pairs, capsys):
    files = fill(pairs, sides)
    (pairs / "key.json").unlink()
    assert "key.json: no such file" in refused(capsys, pairs, files)


def test_an_annotator_whose_number_no_column_holds_is_refused(pairs, capsys):
    files = fill(pairs, sides)
    key = json.loads((pairs / "key.json").read_text())
    next(iter(key["sheets"].values()))["annotator"] = 10**30
    (pairs / "key.json").write_text(json.dumps(key))
    said = refused(capsys, pairs, files)
    assert "key.json" in said and "annotator" in said


def test_sheets_without_an_answer_are_refused(pairs, capsys):
    assert "no item is answered" in refused(capsys, pairs, fill(pairs, lambda *_: None))
