"""A translation memory is matched by id and text; what it lacks is listed, never made up."""

import json

import pytest
from pinch.__main__ import main
from pinch.rows import TranslatedRow, read_rows

SOURCE = [
    {"id": "t1", "lang": "en", "instruction": "Say hello.", "response": "Hello!"},
    {"id": "t2", "instruction": "Count to two.", "response": "One, two."},
    {"id": "t3", "instruction": "Name a colour.", "response": "Blue."},
]
MEMORY = [
    {
        "id": row["id"],
        "lang": "es",
        "source_instruction": row["instruction"],
        "source_response": row["response"],
        "instruction": f"[es] {row['instruction']}",
        "response": f"[es] {row['response']}",
    }
    for row in SOURCE
]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def translate(tmp_path, capsys):
    """Runs the command on the rows given; returns its exit status, its message, and the rows that it wrote."""

    def run(source=SOURCE, memory=MEMORY, split="train", lang="es"):
        write_lines(tmp_path / "source.jsonl", source)
        arguments = ["translate", "--split", split, "--lang", lang, "--pivot", "en"]
        arguments += ["--source", str(tmp_path / "source.jsonl"), "--output", str(tmp_path / "out.jsonl")]
        if isinstance(memory, str):
            (tmp_path / "memory.tmx").write_text(memory, encoding="utf-8")
            arguments += ["--memory", str(tmp_path / "memory.tmx")]
        elif memory is not None:
            write_lines(tmp_path / "memory.jsonl", memory)
            arguments += ["--memory", str(tmp_path / "memory.jsonl")]
        status = main(arguments)
        captured = capsys.readouterr()
        said = (captured.err or captured.out).replace(f"{tmp_path}/", "").strip()
        assert "\n" not in said
        written = read_rows(tmp_path / "out.jsonl", TranslatedRow) if (tmp_path / "out.jsonl").exists() else None
        assert (written is None) == (status == 1)
        return status, said, written

    return run


def changed(rows, place, **fields):
    return [row | fields if number == place else row for number, row in enumerate(rows)]


# --- JSONL ---


def test_a_row_is_found_by_id_and_text(translate):
    status, said, rows = translate(memory=MEMORY[::-1])
    assert (status, said) == (0, "translate: train es: 3 rows in, 3 out, engine memory")
    assert [(row.id, row.lang, row.instruction, row.response) for row in rows] == [
        ("t1", "es", "[es] Say hello.", "[es] Hello!"),
        ("t2", "es", "[es] Count to two.", "[es] One, two."),
        ("t3", "es", "[es] Name a colour.", "[es] Blue."),
    ]
    assert [row.source for row in rows] == ["Say hello.", "Count to two.", "Name a colour."]


def test_missing_ids_are_listed(translate):
    _, said, _ = translate(memory=MEMORY[1:2])
    assert said == (
        "translate: error: memory.jsonl: no es translation of 2 of 3 rows (same id and same en text): t1, t3"
    )


@pytest.mark.parametrize("field", ["instruction", "response"])
def test_a_translation_of_a_text_that_has_changed_does_not_count(translate, field):
    _, said, _ = translate(source=changed(SOURCE, 1, **{field: "Something else."}))
    assert said.endswith("no es translation of 1 of 3 rows (same id and same en text): t2")


@pytest.mark.parametrize("nothing", [None, "", " "], ids=repr)
def test_a_translation_without_a_response_does_not_count(translate, nothing):
    _, said, _ = translate(memory=changed(MEMORY, 2, response=nothing))
    assert said.endswith("no es translation of 1 of 3 rows (same id and same en text): t3")


def test_an_evaluation_row_needs_no_response(translate):
    source = changed(SOURCE, 1, response=None)
    _, _, rows = translate(source=source, split="eval")
    assert [row.response for row in rows] == ["[es] Hello!", None, "[es] Blue."]


def test_a_training_row_needs_a_response(translate):
    _, said, _ = translate(source=changed(SOURCE, 1, response=" "))
    assert said == "translate: error: source.jsonl: no response in 1 training rows: t2"


def test_a_source_row_in_another_language_is_named(translate):
    _, said, _ = translate(source=changed(SOURCE, 1, lang="de"))
    assert said == "translate: error: source.jsonl: id 't2': lang is 'de', but the config says pivot: en"


def test_a_memory_of_another_language_is_refused(translate):
    _, said, _ = translate(memory=changed(MEMORY, 0, lang="it"))
    assert said == "translate: error: memory.jsonl: id 't1': lang is 'it', wanted is 'es'"


def test_a_malformed_line_is_named(translate):
    _, said, _ = translate(memory=changed(MEMORY, 2, instruction=""))
    assert said == "translate: error: memory.jsonl:3: field 'instruction' is empty (id 't3')"


def test_the_pivot_passes_through_without_a_memory(translate):
    status, said, rows = translate(memory=None, lang="en")
    assert (status, said) == (0, "translate: train en: 3 rows in, 3 out, engine none")
    assert [(row.id, row.lang, row.instruction, row.response) for row in rows] == [
        (row["id"], "en", row["instruction"], row["response"]) for row in SOURCE
    ]


def test_another_language_needs_a_memory(translate):
    _, said, _ = translate(memory=None)
    assert said == "translate: error: translate.memory: the engine memory needs a file; give --memory"


# --- TMX ---


def tmx(*units):
    """A unit is (tuid or None, {language: text})."""
    body = ""
    for tuid, texts in units:
        variants = "".join(f'<tuv xml:lang="{lang}"><seg>{text}</seg></tuv>' for lang, text in texts.items())
        body += f'<tu tuid="{tuid}">{variants}</tu>' if tuid else f"<tu>{variants}</tu>"
    return f'<?xml version="1.0"?><tmx version="1.4"><header/><body>{body}</body></tmx>'


def units(source="en", target="es", ids=False):
    for row in SOURCE:
        for field in ("instruction", "response"):
            tuid = f"{row['id']}.{field}" if ids else None
            yield tuid, {source: row[field], target: f"[es] {row[field]}"}


@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize(("source", "target"), [("en", "es"), ("en-US", "es-ES"), ("EN", "ES-419")])
def test_tmx_is_read_with_and_without_ids_and_regions(translate, source, target, ids):
    status, _, rows = translate(memory=tmx(*units(source, target, ids)))
    assert status == 0
    assert [(row.instruction, row.response) for row in rows] == [
        ("[es] Say hello.", "[es] Hello!"),
        ("[es] Count to two.", "[es] One, two."),
        ("[es] Name a colour.", "[es] Blue."),
    ]


def test_a_unit_of_a_row_goes_before_one_of_its_text(translate):
    mine = ("t3.response", {"en": "Blue.", "es": "Azul."})
    _, _, rows = translate(memory=tmx(*units(), mine))
    assert rows[2].response == "Azul."


def test_a_unit_of_another_row_does_not_count(translate):
    theirs = [(tuid.replace("t3", "t9"), texts) for tuid, texts in units(ids=True)]
    _, said, _ = translate(memory=tmx(*theirs))
    assert said == "translate: error: memory.tmx: no es translation of 1 of 3 rows (same id and same en text): t3"


def test_a_unit_of_a_row_whose_text_has_changed_does_not_count(translate):
    _, said, _ = translate(source=changed(SOURCE, 0, instruction="Say goodbye."), memory=tmx(*units(ids=True)))
    assert said.endswith("no es translation of 1 of 3 rows (same id and same en text): t1")


def test_markup_inside_a_segment_is_left_out(translate):
    found = [
        (tuid, {lang: text.replace("two", "<hi>two</hi>") for lang, text in texts.items()}) for tuid, texts in units()
    ]
    _, _, rows = translate(memory=tmx(*found))
    assert rows[1].instruction == "[es] Count to two."


def test_tmx_that_is_not_xml_is_told(translate):
    _, said, _ = translate(memory="<tmx><body>")
    assert said.startswith("translate: error: memory.tmx: is not TMX: no element found")


def test_xml_that_is_not_tmx_is_told(translate):
    _, said, _ = translate(memory="<xliff/>")
    assert said == "translate: error: memory.tmx: is not TMX: its root element is not <tmx>"


def test_a_file_of_expanding_entities_is_refused(translate):
    levels = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    bomb = f'<?xml version="1.0"?><!DOCTYPE tmx [<!ENTITY e0 "lol">{levels}]><tmx><body>&e9;</body></tmx>'
    status, said, _ = translate(memory=bomb)
    assert status == 1
    assert said.startswith("translate: error: memory.tmx: is not TMX: EntitiesForbidden")


def test_a_file_with_the_document_type_that_tools_write_is_read(translate):
    text = tmx(*units()).replace("<tmx ", '<!DOCTYPE tmx SYSTEM "tmx14.dtd"><tmx ')
    status, _, _ = translate(memory=text)
    assert status == 0
