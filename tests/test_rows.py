"""Rows are read with the place of every fault, and written whole or not at all."""

import json
import os
import stat

import pytest
from pinch.errors import PinchError
from pinch.rows import (
    GenerationRow,
    SourceRow,
    VerdictRow,
    canonical,
    digest,
    file_digest,
    folder_digest,
    read_json,
    read_rows,
    replacing,
    write_json,
    write_rows,
    write_text,
)


def fault(path, kind=SourceRow, **options):
    with pytest.raises(PinchError) as caught:
        read_rows(path, kind, **options)
    said = str(caught.value)
    assert "\n" not in said
    return said.removeprefix(f"{path}")


# --- reading ---


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c"], ids=ascii)
def test_line_separators_of_unicode_end_no_line(tmp_path, mark):
    path = tmp_path / "rows.jsonl"
    # Raw in the file where JSON allows it: this is what other tools write.
    line = json.dumps({"id": "a", "instruction": f"one{mark}two"}, ensure_ascii=False)
    path.write_bytes((line + "\n" + '{"id": "b", "instruction": "three"}\n').encode())
    assert [row.instruction for row in read_rows(path, SourceRow)] == [f"one{mark}two", "three"]


def test_windows_line_ends_and_blank_lines_are_accepted(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"id": "a", "instruction": "one"}\r\n\r\n  \n{"id": "b", "instruction": "two"}')
    assert [row.id for row in read_rows(path, SourceRow)] == ["a", "b"]


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "a", "instruction": "one"}\n')
    assert read_rows(path, SourceRow) == [SourceRow(id="a", instruction="one")]


def test_numbers_as_ids_become_texts(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 7, "instruction": "one"}\n')
    assert read_rows(path, SourceRow)[0].id == "7"


def test_fields_that_nobody_knows_are_left_alone(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "a", "instruction": "one", "topic": "food"}\n')
    assert read_rows(path, SourceRow) == [SourceRow(id="a", instruction="one")]


def test_a_file_in_another_encoding_is_named_with_its_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"id": "a", "instruction": "one"}\n' + '{"id": "b", "instruction": "año"}\n'.encode("latin-1"))
    assert fault(path) == ":2: is not UTF-8 text; convert the file to UTF-8"


def test_a_missing_file_is_named(tmp_path):
    assert fault(tmp_path / "rows.jsonl") == ": no such file"


GOOD = '{"id": "a", "instruction": "one"}\n\n'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "b", "instruction": "two"', ":3: is not JSON (Expecting ',' delimiter at column 33); mend or remove"),
        ("[1]", ":3: is not a JSON object, but list"),
        ('{"instruction": "two"}', ":3: field 'id' is missing"),
        ('{"id": "", "instruction": "two"}', ":3: field 'id' is empty"),
        ('{"id": null, "instruction": "two"}', ":3: field 'id' Input should be a valid string"),
        ('{"id": "b"}', ":3: field 'instruction' is missing (id 'b')"),
        ('{"id": "b", "instruction": "\\n"}', ":3: field 'instruction' is empty (id 'b')"),
        ('{"id": "b", "instruction": 5}', ":3: field 'instruction' Input should be a valid string (id 'b')"),
        ('{"id": "a", "instruction": "two"}', ":3: repeats id 'a' of line 1; each may occur once"),
    ],
)
def test_a_malformed_row_is_named_with_its_line(tmp_path, line, said):
    path = tmp_path / "rows.jsonl"
    path.write_text(GOOD + line + "\n")
    assert fault(path).startswith(said)


def test_the_number_7_and_the_text_7_are_one_id(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 7, "instruction": "one"}\n{"id": "7", "instruction": "two"}\n')
    assert fault(path) == ":2: repeats id '7' of line 1; each may occur once"


def test_verdicts_are_unique_by_id_and_order(tmp_path):
    path = tmp_path / "rows.jsonl"
    one = VerdictRow(id="a", order="baseline_first", winner="tie")
    write_rows(path, [one, one.model_copy(update={"order": "candidate_first"})])
    assert len(read_rows(path, VerdictRow, unique=("id", "order"))) == 2
    write_rows(path, [one, one])
    said = fault(path, VerdictRow, unique=("id", "order"))
    assert said == ":2: repeats id 'a', order 'baseline_first' of line 1; each may occur once"


def test_a_winner_that_does_not_exist_is_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "a", "order": "baseline_first", "winner": "both"}\n')
    assert fault(path, VerdictRow).startswith(":1: field 'winner' Input should be 'baseline', 'candidate', 'tie'")


# --- writing ---


def test_rows_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "folder" / "rows.jsonl"
    rows = [
        GenerationRow(
            id=id, lang="he", instruction="?", response=response, finish_reason="stop", n_tokens=len(response)
        )
        for id, response in [("a", "שלום\u2028עולם"), ("b", ""), ("c", 'quotes " and \\ and \n and \r\n')]
    ]
    write_rows(path, rows)
    assert read_rows(path, GenerationRow) == rows
    assert path.read_bytes().count(b"\n") == 3
    assert "שלום" in path.read_text(encoding="utf-8")


def test_a_failing_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    write_text(path, "old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_generator_leaves_the_old_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_rows(path, [SourceRow(id="a", instruction="old")])

    def rows():
        yield SourceRow(id="a", instruction="new")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_rows(path, rows())
    assert read_rows(path, SourceRow)[0].instruction == "old"


def test_written_files_can_be_read_by_whom_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "text.txt", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "text.txt").stat().st_mode) == 0o640


def test_the_temporary_file_has_the_suffix_of_the_file(tmp_path):
    """The libraries that draw figures look at it."""
    with replacing(tmp_path / "figure.png") as temporary:
        assert (temporary.suffix, temporary.parent) == (".png", tmp_path)


def test_json_is_written_for_people_and_read_back(tmp_path):
    write_json(tmp_path / "a.json", {"b": "ä", "a": [1, None]})
    assert (tmp_path / "a.json").read_text() == '{\n  "b": "ä",\n  "a": [\n    1,\n    null\n  ]\n}\n'
    assert read_json(tmp_path / "a.json") == {"a": [1, None], "b": "ä"}


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no such file"), (b"{", "is not JSON"), (b'"\xff"', "is not JSON")]
)
def test_json_that_cannot_be_read_is_named(tmp_path, content, said):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PinchError, match=f"a.json: {said}"):
        read_json(path)


# --- digests ---


def test_canonical_json_has_sorted_keys_and_no_spaces():
    assert canonical({"b": [1, 2.5], "a": {"d": "ä", "c": None}}) == '{"a":{"c":null,"d":"ä"},"b":[1,2.5]}'


def test_digests_do_not_depend_on_the_order_of_keys():
    assert digest({"lr": 1, "epochs": 2}) == digest({"epochs": 2, "lr": 1})


def test_digests_depend_on_values_and_on_the_order_of_lists():
    assert len({digest([1, 2]), digest([2, 1]), digest([1, 3]), digest(1, 2), digest("1", "2"), digest("12")}) == 6


def test_a_digest_is_the_same_on_every_machine():
    # printf '["a",{"b":1}]' | sha256sum
    assert digest("a", {"b": 1}) == "3d6f51e1fd2489c7f062f0347a710fa6a5f238bdd8c8bf55741236400da86492"


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert file_digest(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_digest_of_a_folder_sees_names_and_contents_and_no_hidden_files(tmp_path):
    def folder(**files):
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        (place / "sub").mkdir(parents=True)
        for name, text in files.items():
            (place / "sub" / name).write_text(text)
        return place

    first = folder_digest(folder(a="1", b="2"))
    assert folder_digest(folder(b="2", a="1")) == first
    assert folder_digest(folder(**{"a": "1", "b": "2", ".hidden": "3"})) == first
    assert folder_digest(folder(a="2", b="1")) != first
    assert folder_digest(folder(a="1", c="2")) != first
