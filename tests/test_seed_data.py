"""The seed data are whole: every row in six languages, the translations those of the English that is there."""

import re
from collections import Counter
from pathlib import Path

import pytest
from pinch.rows import MemoryRow, SourceRow, read_rows

SEED = Path(__file__).parents[1] / "resources" / "seed"
LANGS = ["es", "it", "ru", "fi", "he"]
SPLITS = ["train", "eval"]
TRANSLATED = [(split, lang) for split in SPLITS for lang in LANGS]


def source(split):
    return read_rows(SEED / f"{split}.en.jsonl", SourceRow)


def memory(split, lang):
    return read_rows(SEED / "memory" / f"{split}.{lang}.jsonl", MemoryRow)


def plain(text):
    return " ".join(re.findall(r"\w+", text.casefold()))


@pytest.mark.parametrize(("split", "least"), [("train", 64), ("eval", 24)])
def test_there_are_enough_rows_for_the_quickstart(split, least):
    assert len(source(split)) >= least


def test_there_are_no_other_languages_than_those_named():
    found = sorted(path.name for path in (SEED / "memory").iterdir())
    assert found == sorted(f"{split}.{lang}.jsonl" for split, lang in TRANSLATED)


@pytest.mark.parametrize("split", SPLITS)
def test_every_english_row_has_a_response_and_says_its_language(split):
    assert [row.id for row in source(split) if not (row.response or "").strip() or row.lang != "en"] == []


@pytest.mark.parametrize(("split", "lang"), TRANSLATED)
def test_translations_have_the_ids_of_the_english_rows(split, lang):
    assert [row.id for row in memory(split, lang)] == [row.id for row in source(split)]


@pytest.mark.parametrize(("split", "lang"), TRANSLATED)
def test_translations_are_those_of_the_english_texts(split, lang):
    translated = [(row.id, row.source_instruction, row.source_response) for row in memory(split, lang)]
    assert translated == [(row.id, row.instruction, row.response) for row in source(split)]


@pytest.mark.parametrize(("split", "lang"), TRANSLATED)
def test_translations_are_whole_and_say_their_language(split, lang):
    assert [row.id for row in memory(split, lang) if not (row.response or "").strip() or row.lang != lang] == []


@pytest.mark.parametrize(("split", "lang"), TRANSLATED)
def test_nothing_is_left_in_english(split, lang):
    rows = memory(split, lang)
    copied = [
        row.id for row in rows if row.instruction == row.source_instruction or row.response == row.source_response
    ]
    assert copied == []


def instructions(split, lang):
    return [plain(row.instruction) for row in (source(split) if lang == "en" else memory(split, lang))]


@pytest.mark.parametrize("lang", ["en", *LANGS])
def test_no_instruction_is_there_twice_nor_in_both_splits(lang):
    """Nor one that differs in punctuation and capitals alone."""
    counted = Counter(instructions("train", lang) + instructions("eval", lang))
    assert [text for text, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("lang", ["en", *LANGS])
def test_no_evaluation_response_is_a_training_response(lang):
    rows = {split: source(split) if lang == "en" else memory(split, lang) for split in SPLITS}
    train, evaluation = ({plain(row.response) for row in rows[split]} for split in SPLITS)
    assert train & evaluation == set()


def test_no_row_has_odd_characters():
    """No replacement characters, no control characters, no spaces at the ends."""
    rows = [row for split in SPLITS for row in source(split)]
    rows += [row for split, lang in TRANSLATED for row in memory(split, lang)]
    texts = [(row.id, text) for row in rows for text in (row.instruction, row.response)]
    assert len(texts) >= 2 * 6 * (64 + 24)
    assert [pair for pair in texts if re.search(r"[\x00-\x1f\x7f\ufffd\u2028]|^\s|\s$", pair[1])] == []
