"""Instruction data from files and datasets: what is kept, what is left out and why, and every fault with its place."""

import argparse
import json
from pathlib import Path

import pytest
from pinch import overlap, sources
from pinch.config.sources import NaturalList, NaturalSource, Source, SourceList
from pinch.errors import PinchError
from pinch.held_out import held_out_ids
from pinch.rows import SourceRow, read_json, read_rows, write_rows
from pydantic import TypeAdapter, ValidationError

REAL = Path(__file__).parents[2] / "shared/data"
LIMA = REAL / "lima/lima.jsonl"
OASST = REAL / "oasst1/en-validation.jsonl"
ALPACA = REAL / "alpaca_eval/example_outputs_805.json"
REVISION = "0123456789abcdef0123456789abcdef01234567"

real = pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not beside this checkout")


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(number, **more):
    return {"id": f"r{number}", "instruction": f"Name {number}.", "response": f"{number}."} | more


def command(module, **options):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.run(parser.parse_args([part for key in options for part in (f"--{key}", str(options[key]))]))


def bring(folder, wanted, split="train", **options):
    """The rows and the record that the link writes."""
    place = {"output": folder / "out.jsonl", "record": folder / "out.json"}
    command(sources, split=split, sources=json.dumps(wanted), **place, **{"pivot": "en"} | options)
    return read_rows(place["output"], SourceRow), read_json(place["record"])


def fault(call, *arguments, **options):
    with pytest.raises(PinchError) as caught:
        call(*arguments, **options)
    said = str(caught.value)
    assert "\n" not in said
    return said


def loaded(path, **settings):
    return sources.load(Source(path=str(path), **settings), "en")


def config_fault(kind, data):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(data)
    return caught.value.errors()[0]["msg"]


# --- the real files ---


@real
def test_lima_gives_the_papers_1000_rows(tmp_path):
    rows, record = bring(tmp_path, {"path": str(LIMA), "format": "lima", "limit": 1000, "expected_rows": 1000})
    assert len(rows) == 1000
    assert (rows[0].id, rows[-1].id) == ("lima-0001", "lima-1000")
    entry = {"name": str(LIMA), "read": 1022, "kept": 1000, "left_out": {"after the first 1000": 22}, "expected": 1000}
    assert record == {"sources": [entry], "total": 1000, "held_out": []}


@real
def test_conversations_of_several_turns_are_left_out_of_lima(tmp_path):
    """In the schema of the hub; the last 30 rows of the real file are the dialogues' first exchanges."""
    flat = [json.loads(line) for line in LIMA.read_text(encoding="utf-8").split("\n") if line]
    conversations = [[item["instruction"], item["response"]] for item in flat]
    conversations[-30:] = [[*turns, "And then?", "That was all."] for turns in conversations[-30:]]
    path = write_lines(tmp_path / "train.jsonl", [{"conversations": turns, "source": "x"} for turns in conversations])
    rows, entry = loaded(path, format="lima")
    assert (entry["kept"], entry["left_out"]) == (992, {"several turns": 30})
    assert [rows[0].instruction, rows[0].response] == conversations[0]


@real
def test_openassistant_gives_first_turns_with_their_best_reply():
    rows, entry = loaded(OASST, format="oasst")
    # 186 with a reply of rank 0, one whose only reply in the export has rank 2, one without a ranked reply.
    assert (entry["read"], entry["kept"]) == (2022, 187)
    assert entry["left_out"] == {"no ranked reply": 1, "not a first turn": 1834}
    messages = {m["message_id"]: m for m in map(json.loads, OASST.read_text(encoding="utf-8").strip().split("\n"))}
    # One reply is there twice, with ranks 0 and 2: the lower of them is written last.
    ranked = sorted((m for m in messages.values() if m["rank"] is not None), key=lambda m: -m["rank"])
    ranks = {(m["parent_id"], m["text"]): m["rank"] for m in ranked}
    assert all(found.instruction == messages[found.id]["text"] for found in rows)
    assert sorted(ranks[found.id, found.response] for found in rows) == [0] * 186 + [2]


@real
def test_alpacafarm_less_openassistant_is_617():
    rows, entry = loaded(ALPACA, format="alpaca_farm", expected_rows=617)
    assert (len(rows), entry["left_out"]) == (617, {"from oasst": 188})
    assert all(found.response for found in rows)


@real
def test_ids_of_alpacafarm_do_not_depend_on_the_filter():
    every, _ = loaded(ALPACA, format="alpaca_farm", exclude=[])
    some, _ = loaded(ALPACA, format="alpaca_farm", exclude=["oasst", "koala"])
    assert (len(every), every[0].id, every[-1].id) == (805, "alpaca_farm-0001", "alpaca_farm-0805")
    assert set(map(str, some)) < set(map(str, every))
    assert len(some) == 805 - 188 - 156


@real
def test_real_training_rows_that_resemble_real_prompts_are_found(tmp_path):
    train, prompts = loaded(LIMA, format="lima")[0], loaded(ALPACA, format="alpaca_farm")[0]
    assert overlap.near_repeats(train, prompts, 90) == []
    found = overlap.near_repeats(train, prompts, 70)
    assert found[0][0].instruction == "What if the moon had never formed?"
    assert found[0][1].instruction == "What if the Beatles had never formed as a band?"


# --- formats, on small rows ---


def test_a_conversation_of_one_turn_is_a_prompt_without_a_reference(tmp_path):
    path = write_lines(tmp_path / "test.jsonl", [{"conversations": ["Why?"]}])
    assert loaded(path, format="lima")[0] == [SourceRow(id="lima-0001", instruction="Why?")]


def test_a_conversation_without_turns_is_named(tmp_path):
    path = write_lines(tmp_path / "l.jsonl", [{"conversations": ["Why?", "So."]}, {"conversations": []}])
    assert fault(loaded, path, format="lima") == f"{path}:2: 'conversations' is not a list of turns"


def message(id, parent=None, **more):
    role = "prompter" if parent is None else "assistant"
    values = {"message_id": id, "parent_id": parent, "text": f"text of {id}", "role": role, "lang": "en"}
    return values | {"rank": None, "deleted": False, "synthetic": False} | more


MESSAGES = [
    message("good"),
    message("second", "good", rank=1),
    message("first", "good", rank=0),
    message("spanish", lang="es"),
    message("primero", "spanish", rank=0, lang="es"),
    message("deleted", deleted=True),
    message("answer", "deleted", rank=0),
    message("synthetic", synthetic=True),
    message("machine", role="assistant"),
    message("unranked"),
    message("a reply", "unranked"),
    message("left"),
    message("withdrawn", "left", rank=0, deleted=True),
    message("made up", "left", rank=1, synthetic=True),
    message("by a prompter", "left", rank=2, role="prompter"),
    message("the rest", "left", rank=3),
]


def test_openassistant_is_filtered_and_every_reason_counted(tmp_path):
    rows, entry = loaded(write_lines(tmp_path / "m.jsonl", MESSAGES), format="oasst")
    assert [(found.id, found.response) for found in rows] == [("good", "text of first"), ("left", "text of the rest")]
    reasons = {"another language": 1, "deleted": 1, "no ranked reply": 1, "not a first turn": 9, "synthetic": 1}
    assert entry["left_out"] == reasons | {"not by a prompter": 1}
    assert entry["read"] == len(MESSAGES) == entry["kept"] + sum(entry["left_out"].values())


def test_openassistant_is_wanted_in_the_pivots_language(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", MESSAGES)
    rows, _ = bring(tmp_path, {"path": str(path), "format": "oasst"}, pivot="es")
    assert [(found.id, found.response) for found in rows] == [("spanish", "text of primero")]


def test_the_order_of_messages_does_not_choose_the_reply(tmp_path):
    tied = [*MESSAGES[:1], message("b", "good", rank=0), message("a", "good", rank=0)]
    for order in (tied, tied[::-1]):
        rows, _ = loaded(write_lines(tmp_path / "m.jsonl", order), format="oasst")
        assert rows[0].response == "text of a"


def test_messages_in_a_table_of_texts_are_refused(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("message_id,parent_id,role,lang,rank,text\na,,prompter,en,,Hi\nb,a,assistant,en,0,Ho\n")
    assert fault(loaded, path, format="oasst").startswith(f"{path} row 2: rank '0' is not a number")


def test_a_file_of_another_schema_is_told_what_it_has(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", [row(1)])
    said = f"{path}:1: field 'role' is missing; the row has 'id', 'instruction', 'response'"
    assert fault(loaded, path, format="oasst") == said
    assert fault(loaded, path, format="alpaca_farm").startswith(f"{path}:1: field 'dataset' is missing")


FARM = [
    {"instruction": "Sort.", "input": "b a", "output": "a b", "dataset": "koala", "datasplit": "eval"},
    {"instruction": "Who?", "input": "", "output": "", "dataset": "oasst", "datasplit": "eval"},
    {"instruction": "When?", "input": "", "output": "", "dataset": "vicuna", "datasplit": "eval"},
]


def test_an_input_joins_its_instruction_after_a_blank_line(tmp_path):
    (tmp_path / "farm.json").write_text(json.dumps(FARM))
    rows, _ = loaded(tmp_path / "farm.json", format="alpaca_farm")
    assert rows == [
        SourceRow(id="alpaca_farm-0001", instruction="Sort.\n\nb a", response="a b"),
        SourceRow(id="alpaca_farm-0003", instruction="When?"),
    ]


def test_the_column_datasplit_can_be_filtered_too(tmp_path):
    split = [{key: item[key] for key in ("instruction", "datasplit")} for item in FARM]
    split[0]["datasplit"] = "oasst"
    path = write_lines(tmp_path / "farm.jsonl", split)
    assert loaded(path, format="alpaca_farm")[1]["left_out"] == {"from oasst": 1}


# --- rows of one's own, and their fields ---


def test_a_field_map_names_the_columns(tmp_path):
    theirs = [{"key": 7, "prompt": "Sum", "context": "1 2", "answer": "3", "instruction": "not this"}]
    fields = {"id": "key", "instruction": "prompt", "input": "context", "response": "answer"}
    rows, _ = loaded(write_lines(tmp_path / "own.jsonl", theirs), fields=fields)
    assert rows == [SourceRow(id="7", instruction="Sum\n\n1 2", response="3")]


def test_rows_without_ids_are_numbered(tmp_path):
    path = write_lines(tmp_path / "own.jsonl", [{"instruction": "a"}, {"instruction": "b"}])
    assert [found.id for found in loaded(path, fields={"id": None})[0]] == ["own-1", "own-2"]


def test_a_column_can_be_left_alone(tmp_path):
    path = write_lines(tmp_path / "own.jsonl", [row(1, input="context")])
    assert loaded(path, fields={"input": None, "response": None})[0] == [SourceRow(id="r1", instruction="Name 1.")]


def test_csv_and_parquet_are_read_as_jsonl_is(tmp_path):
    import polars

    rows = [row(1, instruction='two\nlines, "quoted"'), row(2, id="007", response=None)]
    table = polars.DataFrame(rows)
    table.write_csv(tmp_path / "own.csv")
    table.write_parquet(tmp_path / "own.parquet")
    write_lines(tmp_path / "own.jsonl", rows)
    found = [loaded(tmp_path / f"own.{suffix}")[0] for suffix in ("csv", "parquet", "jsonl")]
    assert found[0] == found[1] == found[2] == [SourceRow(**values) for values in rows]


def test_line_separators_of_unicode_end_no_row(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(row(1, instruction="a\u2028b"), ensure_ascii=False) + "\n", encoding="utf-8")
    assert loaded(path)[0][0].instruction == "a\u2028b"


GOOD = json.dumps(row(1)) + "\n\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "b"', ":3: is not JSON (Expecting ',' delimiter at column 11); mend or remove the line"),
        ("[1]", ":3: is not a JSON object, but list"),
        ('{"instruction": "two"}', ":3: field 'id' is missing; the row has 'instruction'"),
        ('{"id": "", "instruction": "two"}', ":3: field 'id' is empty"),
        ('{"id": null, "instruction": "two"}', ":3: field 'id' Input should be a valid string"),
        ('{"id": "b", "instruction": " \\n"}', ":3: field 'instruction' is empty (id 'b')"),
        ('{"id": "b", "instruction": "", "input": "c"}', ":3: field 'instruction' is empty (id 'b')"),
        ('{"id": "b", "instruction": "c", "input": 5}', ":3: the input 5 is not a text"),
        ('{"id": "b", "instruction": "c", "response": 5}', ":3: field 'response' Input should be a valid string"),
        ('{"id": "r1", "instruction": "two"}', ":3: repeats id 'r1' of line 1; each may occur once"),
        (
            '{"id": "b", "instruction": "c", "lang": "es"}',
            ": id 'b': lang is 'es', but the config says pivot: en; rows",
        ),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path, line, said):
    path = tmp_path / "own.jsonl"
    path.write_text(GOOD + line + "\n")
    assert fault(loaded, path).startswith(f"{path}{said}")


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet"])
def test_a_missing_file_is_named(tmp_path, suffix):
    path = tmp_path / f"own.{suffix}"
    assert fault(loaded, path) == f"{path}: no such file"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("own.jsonl", b"\n", " has no rows"),
        ("own.jsonl", b"\xff", ":1: is not UTF-8 text; convert the file to UTF-8"),
        ("own.json", b'{"id": "a"}', ": is not a JSON array of rows, but dict"),
        ("own.json", b"[", ": is not JSON ("),
        ("own.json", b"[1]", " row 1: is not a JSON object, but int"),
        ("own.csv", b"", ": is not csv of UTF-8 text that can be read: empty CSV"),
        ("own.csv", b"id,instruction\n", " has no rows"),
        ("own.csv", b"id,instruction\na,\xff\n", ": is not csv of UTF-8 text that can be read: "),
        ("own.parquet", b"PK", ": is not parquet of UTF-8 text that can be read: "),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert fault(loaded, tmp_path / name).startswith(f"{tmp_path / name}{said}")


def test_a_column_that_is_not_there_is_named_beside_those_that_are(tmp_path):
    path = write_lines(tmp_path / "own.jsonl", [{"prompt": "a", "answer": "b"}])
    there = "it has 'answer', 'prompt'; name it in `fields`"
    said = f"{path}: has no column 'id' for id; {there}, or number the rows by {{id: null}}"
    assert fault(loaded, path) == said
    fields = {"id": None, "instruction": "prompt", "response": "respones"}
    assert fault(loaded, path, fields=fields) == f"{path}: has no column 'respones' for response; {there}"


# --- numbers ---


def test_another_number_of_rows_than_expected_names_both(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", MESSAGES)
    said = fault(loaded, path, format="oasst", expected_rows=3)
    assert said.startswith(f"{path}: 2 rows remain of 16, expected_rows says 3 (left out: 1 another language, ")


def test_a_filter_that_leaves_nothing_is_told(tmp_path):
    path = write_lines(tmp_path / "farm.jsonl", FARM[1:2])
    assert fault(loaded, path, format="alpaca_farm") == f"{path}: no row remains of 1 (left out: 1 from oasst)"


def test_rows_are_counted_without_being_fetched(tmp_path):
    path = write_lines(tmp_path / "own.jsonl", [row(1), row(2)])
    assert sources.count(Source(hub="org/name", revision=REVISION, expected_rows=9), "train", "en") == 9
    assert sources.count(Source(path=str(path)), "train", "en") == 2
    # The link will say that there are 2; a file of millions of rows is not read in every job to find out.
    assert sources.count(Source(path=str(path), expected_rows=9), "train", "en") == 9
    assert fault(sources.count, Source(path="none.csv", expected_rows=9), "train", "en") == "none.csv: no such file"


def test_sources_follow_each_other_and_are_counted(tmp_path):
    first = write_lines(tmp_path / "a.jsonl", [row(2, lang="en"), row(1)])
    second = write_lines(tmp_path / "b.jsonl", [row(3)])
    rows, record = bring(tmp_path, [str(first), {"path": str(second), "expected_rows": 1}])
    assert [found.id for found in rows] == ["r2", "r1", "r3"]
    assert {found.lang for found in rows} == {None}
    assert [(entry["name"], entry["kept"], entry["expected"]) for entry in record["sources"]] == [
        (str(first), 2, None),
        (str(second), 1, 1),
    ]
    assert record["total"] == 3


def test_an_id_of_two_sources_names_both(tmp_path):
    first, second = (write_lines(tmp_path / name, [row(1)]) for name in ("a.jsonl", "b.jsonl"))
    said = fault(bring, tmp_path, [str(first), str(second)])
    assert said == f"id 'r1' is in {first} and in {second}; each may occur once"


def test_training_rows_need_responses_and_prompts_do_not(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [row(1), row(2, response=" "), row(3, response=None)])
    said = f"{path}: no response in 2 training rows: r2, r3"
    assert fault(bring, tmp_path, str(path)) == said
    assert fault(sources.count, Source(path=str(path)), "train", "en") == said
    rows, record = bring(tmp_path, str(path), split="eval")
    assert [found.response for found in rows] == ["1.", None, None]
    assert "held_out" not in record


def test_sources_that_cannot_be_understood_are_told(tmp_path):
    assert fault(bring, tmp_path, {"path": "a.txt"}).startswith("--sources: 0: path: a.txt ends in none of .jsonl")


# --- natural data ---


def test_natural_rows_keep_their_languages(tmp_path):
    path = write_lines(tmp_path / "n.jsonl", [row(1, lang="sw"), row(2, lang="en"), row(3, lang="sw")])
    rows, record = bring(tmp_path, {"path": str(path), "expected_rows": {"sw": 2}}, split="natural")
    assert [found.lang for found in rows] == ["sw", "en", "sw"]
    assert record["languages"] == record["sources"][0]["languages"] == {"en": 1, "sw": 2}
    assert record["sources"][0]["expected"] == {"sw": 2}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, ":1: natural data need a `lang` in every row; use an ISO 639 code such as es"),
        ({"lang": "swahili"}, ":1: 'swahili' is not a language code; did you mean sw?"),
        ({"lang": "sw", "response": ""}, ": no response in 1 training rows: r1"),
    ],
)
def test_a_bad_natural_row_is_named(tmp_path, more, said):
    path = write_lines(tmp_path / "n.jsonl", [row(1, **more)])
    assert fault(bring, tmp_path, str(path), split="natural") == f"{path}{said}"


def test_another_number_of_natural_rows_than_expected_names_the_language(tmp_path):
    path = write_lines(tmp_path / "n.jsonl", [row(1, lang="sw")])
    source = NaturalSource(path=str(path), expected_rows={"sw": 1, "he": 2})
    said = f"{path}: 0 rows in he, expected_rows says 2; mend the number or the source"
    assert fault(sources.load_natural, source) == said
    assert sources.count_by_language(source) == {"sw": 1, "he": 2}
    assert sources.count_by_language(NaturalSource(path=str(path))) == {"sw": 1}


# --- the hub, up to its border ---


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """In the place of the hub: data files of a folder, read by the real builders; and what was asked of it."""
    import datasets

    asked = []
    load = datasets.load_dataset

    def load_dataset(path, name=None, **options):
        asked.append((path, name, options))
        if "data_files" not in options:
            return datasets.Dataset.from_list(MESSAGES)
        local = options["data_files"].replace(f"hf://datasets/org/name@{REVISION}", str(tmp_path))
        return load(path, name, cache_dir=str(tmp_path / "cache"), **options | {"data_files": local})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def test_a_hub_dataset_is_loaded_at_its_revision(hub):
    source = Source(
        hub="org/name", revision=REVISION, config="all", split="validation", format="oasst", expected_rows=2
    )
    rows, entry = sources.load(source, "en")
    assert hub == [("org/name", "all", {"split": "validation", "revision": REVISION})]
    assert [found.id for found in rows] == ["good", "left"]
    assert entry["name"] == "org/name@01234567/all/validation"


@pytest.mark.parametrize(("name", "builder"), [("d/farm.json", "json"), ("farm.jsonl", "json"), ("farm.csv", "csv")])
def test_a_file_of_a_hub_dataset_is_read_by_the_builder_of_its_kind(hub, tmp_path, name, builder):
    import polars

    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if name.endswith(".csv"):
        polars.DataFrame(FARM).write_csv(path)
    else:
        path.write_text(json.dumps(FARM) if name.endswith(".json") else "\n".join(map(json.dumps, FARM)))
    source = Source(hub="org/name", revision=REVISION, file=name, format="alpaca_farm", expected_rows=2)
    rows, entry = sources.load(source, "en")
    assert hub == [(builder, None, {"data_files": f"hf://datasets/org/name@{REVISION}/{name}", "split": "train"})]
    assert [found.instruction for found in rows] == ["Sort.\n\nb a", "When?"]
    assert entry["name"] == f"org/name@01234567/{name}"


def test_rows_of_the_hub_are_numbered_under_its_name(hub, tmp_path):
    write_lines(tmp_path / "f.jsonl", [{"q": "Why?"}])
    fields = {"id": None, "instruction": "q"}
    source = Source(hub="org/name", revision=REVISION, file="f.jsonl", fields=fields, expected_rows=1)
    assert sources.load(source, "en")[0] == [SourceRow(id="name-1", instruction="Why?")]


@pytest.mark.parametrize("more", [{}, {"file": "train.jsonl"}], ids=["dataset", "file"])
def test_a_hub_out_of_reach_is_told_in_a_line(more):
    source = Source(hub="org/name", revision=REVISION, expected_rows=1, **more)
    said = fault(sources.load, source, "en")
    assert said.startswith(f"hub dataset org/name at {REVISION}: cannot be fetched: ")
    assert said.endswith(
        "(a gated dataset needs its terms accepted and HF_TOKEN; one with a loading script needs `file`)"
    )


# --- the config ---


@pytest.mark.parametrize("data", ["a.csv", {"path": "a.csv"}, ["a.csv"], [{"path": "a.csv"}]])
def test_a_string_is_short_for_a_path_and_one_source_for_a_list(data):
    assert TypeAdapter(SourceList).validate_python(data) == [Source(path="a.csv")]
    assert TypeAdapter(NaturalList).validate_python(data) == [NaturalSource(path="a.csv")]


@pytest.mark.parametrize(
    "settings",
    [
        {"path": "a.jsonl", "fields": {"id": None, "instruction": "q"}},
        {"path": "a.json", "format": "alpaca_farm"},
        {"hub": "a/b", "revision": REVISION, "format": "oasst", "split": "validation", "expected_rows": 3640},
    ],
)
def test_sources_come_back_from_their_dump(settings):
    source = Source(**settings)
    for dump in (source.model_dump(), source.model_dump(exclude_none=True)):
        assert TypeAdapter(SourceList).validate_json(json.dumps([dump])) == [source]


PINNED = {"hub": "a/b", "revision": REVISION}

FAULTS = {
    "nothing": ({}, "name the data by exactly one of path, hub; found none"),
    "two places": (PINNED | {"path": "a.csv"}, "name the data by exactly one of path, hub; found path and hub"),
    "another suffix": ({"path": "a.txt"}, "path: a.txt ends in none of .jsonl, .json, .csv, .parquet; "),
    "another suffix on the hub": (PINNED | {"file": "a.gz"}, "file: a.gz ends in none of .jsonl"),
    "no revision": ({"hub": "a/b"}, "a hub dataset needs `revision`, the 40 hexadecimal digits of a commit"),
    "a branch": ({"hub": "a/b", "revision": "main"}, "a hub dataset needs `revision`"),
    "no number": (PINNED, "a hub dataset needs `expected_rows`, the rows that remain after its filters, so that"),
    "a revision of a path": ({"path": "a.csv", "revision": REVISION}, "`revision` goes with `hub` only; remove it"),
    "a split of a path": ({"path": "a.csv", "split": "test"}, "`split` goes with `hub` only; remove it"),
    "a configuration of a file": (PINNED | {"file": "a.json", "config": "c"}, "`file` is read whole: `config` and"),
    "no instruction": ({"path": "a.csv", "fields": {"instruction": None}}, "fields: every row needs an instruction"),
    "an unknown field": ({"path": "a.csv", "fields": {"q": "a"}}, "Input should be 'id', 'instruction', 'input', "),
    "a misspelt key": ({"path": "a.csv", "feilds": {}}, "unknown key 'feilds'; did you mean 'fields'?"),
}

SOURCE_FAULTS = {
    "fields of lima": ({"format": "lima", "fields": {"id": "a"}}, "`fields` goes with format: rows only; lima has "),
    "a filter of rows": ({"exclude": ["oasst"]}, "`exclude` goes with format: alpaca_farm only; remove it"),
    "more than the limit": ({"limit": 2, "expected_rows": 3}, "`expected_rows` is more than `limit` leaves"),
    "no rows": ({"expected_rows": 0}, "Input should be greater than or equal to 1"),
}

NATURAL_FAULTS = {
    "no language": ({"fields": {"lang": None}}, "fields: every natural row needs a lang; name its column"),
    "a number without languages": ({"expected_rows": 3}, "Input should be a valid dictionary"),
    "a number of no language": ({"expected_rows": {"swahili": 3}}, "'swahili' is not a language code"),
}


@pytest.mark.parametrize(("settings", "said"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("kind", [Source, NaturalSource])
def test_a_bad_place_is_told(kind, settings, said):
    assert config_fault(kind, settings).startswith(said)


@pytest.mark.parametrize(("settings", "said"), SOURCE_FAULTS.values(), ids=SOURCE_FAULTS)
def test_an_option_that_does_not_go_with_its_format_is_told(settings, said):
    assert config_fault(Source, {"path": "a.csv"} | settings).startswith(said)


@pytest.mark.parametrize(("settings", "said"), NATURAL_FAULTS.values(), ids=NATURAL_FAULTS)
def test_a_bad_natural_source_is_told(settings, said):
    assert config_fault(NaturalSource, {"path": "a.csv"} | settings).startswith(said)


def test_a_list_of_sources_has_something_in_it_and_nothing_twice():
    assert config_fault(SourceList, []).startswith("List should have at least 1 item")
    assert config_fault(SourceList, ["a.csv", "a.csv"]) == "names a.csv more than once"
    assert TypeAdapter(NaturalList).validate_python([]) == []


# --- held out for development ---

IDS = [f"id {number}" for number in range(50)]


def test_the_rows_held_out_do_not_depend_on_order_or_count():
    ten = held_out_ids(IDS, 10, 0)
    assert len(set(ten)) == 10
    assert held_out_ids(IDS[::-1], 10, 0) == ten
    assert held_out_ids(IDS, 4, 0) == ten[:4]


def test_a_row_more_moves_at_most_one_row_held_out():
    before, after = (set(held_out_ids(ids, 10, 0)) for ids in (IDS, [*IDS, "another"]))
    assert len(before - after) <= 1


def test_another_seed_holds_out_other_rows():
    assert held_out_ids(IDS, 10, 0) != held_out_ids(IDS, 10, 1)


def test_the_rows_held_out_are_the_same_on_every_machine():
    # printf 'held out 0 c' | sha256sum begins with 2f51, that of a with 65c6 and that of b with 6781.
    assert held_out_ids(["a", "b", "c"], 2, 0) == ["c", "a"]


def test_holding_out_nothing_or_everything():
    assert held_out_ids(IDS, 0, 0) == []
    said = "50 rows are to be held out of 50, which leaves none to train on; hold out fewer"
    assert fault(held_out_ids, IDS, 50, 0) == said


def test_the_record_names_the_rows_held_out(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [row(number) for number in range(9)])
    _, record = bring(tmp_path, str(path), **{"held-out": 3, "held-out-seed": 5})
    assert record["held_out"] == held_out_ids([f"r{number}" for number in range(9)], 3, 5)


# --- overlap ---


def compare(folder, train, prompts, threshold=90):
    for name, texts in (("train", train), ("eval", prompts)):
        write_rows(folder / f"{name}.jsonl", [SourceRow(id=f"{name}{n}", instruction=t) for n, t in enumerate(texts)])
    files = {"train": folder / "train.jsonl", "eval": folder / "eval.jsonl", "output": folder / "overlap.csv"}
    said = command(overlap, threshold=threshold, **files)
    return said, (folder / "overlap.csv").read_text(encoding="utf-8")


HEADER = "train_id,eval_id,similarity,train_instruction,eval_instruction\n"


def test_near_repeats_are_found_whatever_their_case_and_white_space(tmp_path):
    train = ["Tell me a joke, please.", "Name three rivers.", "NAME   three\n rivers!"]
    said, table = compare(tmp_path, train, ["What is love?", "Name three rivers."])
    assert said == "2 of 3 training rows nearly repeat (90 %) one of 2 prompts"
    found = ["train1,eval1,100.0,Name three rivers.,Name three rivers.", "train2,eval1,94.4,"]
    assert table.startswith(HEADER + "\n".join(found))


def test_a_table_without_repeats_has_its_header(tmp_path):
    said, table = compare(tmp_path, ["Tell me a joke."], ["What is love?"])
    assert (said, table) == ("0 of 1 training rows nearly repeat (90 %) one of 1 prompts", HEADER)


def test_rows_past_the_first_chunk_are_compared_too(tmp_path, monkeypatch):
    monkeypatch.setattr(overlap, "CHUNK", 2)
    texts = ["Sing a song.", "Draw a cow.", "Why is rain wet?", "Count to ten.", "Who was Ada Lovelace?"]
    assert compare(tmp_path, texts, [texts[4], texts[1]])[1] == (
        HEADER + f"train1,eval1,100.0,{texts[1]},{texts[1]}\n" + f"train4,eval0,100.0,{texts[4]},{texts[4]}\n"
    )


@pytest.mark.parametrize("threshold", [0, -5, 101])
def test_a_threshold_is_a_percentage(tmp_path, threshold):
    assert fault(compare, tmp_path, ["a"], ["b"], threshold).endswith("is not a percentage above 0")
