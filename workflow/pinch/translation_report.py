"""translation_report: how good the translations are, as a page for people and a table for programs."""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pinch import languages
from pinch.errors import PinchError
from pinch.rows import SourceRow, TranslatedRow, digest, read_json, read_rows, source_rows, write_text
from pinch.spreadsheet import write_frame

TEMPLATES = Path(__file__).parents[1] / "templates"

AGAINST = {
    "empty": "a text of the source has no translation",
    "untranslated": "a part was left in the source language: no engine brought it back whole",
    "wrong_language": "as far as can be told, the translation is in another language",
    "copied": "the translation is its source, word for word",
    "cut_off": "the translation ends before its source does",
    "repetition": "the translation says the same again and again",
    "lost_verbatim": "code, a URL, LaTeX or the like is not there as it was",
    "lost_numbers": "the numbers of the source are not those of the translation",
    "length": "much longer or shorter than is usual in this language",
}
"""Flags that speak against a row, the gravest first, and what they say; a row without any of them passes.

Those that the experiment's gate ignores speak against nothing.
"""

INFORMING = {"undetermined": "no language can be told: code, or a very short text; says nothing against the row"}

ORDINARY = 3
"""Rows used that are shown of each language and split beside the worst, whatever they are like."""

FOLDED, LONGEST, ENDING = 600, 4000, 500
"""Characters of a text: shown at once; shown at most; kept of the end of a longer one, where what is cut off shows."""


class Segments(BaseModel):
    """What the engines were asked for, in pieces."""

    all: int
    cached: int
    retried: int
    left: int


class Record(BaseModel):
    """R/translations/{split}/{lang}.json: the counts and the cost that translate tells of one file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    split: str
    lang: str
    policy: str
    rows_in: int
    rows_out: int
    rows_dropped: int
    flagged: int
    flags: dict[str, int]
    ignored: list[str] = []
    """Flags that the gate of the config ignores."""
    dropped: list[str]
    memory_changed: list[str] = []
    """Ids that the memory knows with another source text, so that it was not used."""
    engines: dict[str, int]
    segments: Segments
    calls: int
    calls_now: int
    characters: int
    tokens_in: int
    tokens_out: int
    usd: float | None
    seconds: float


@dataclass(frozen=True)
class Translation:
    """One split in one language, its counts reconciled."""

    path: Path
    record: Record
    rows: list[TranslatedRow]
    sources: dict[str, SourceRow]

    @property
    def language(self) -> str:
        """The English name of its language."""
        return languages.name(self.record.lang)

    @property
    def flagged(self) -> list[TranslatedRow]:
        """Rows with a flag against them, the worst first: by number of such flags, how grave they are, and id."""
        return sorted((row for row in self.rows if self.against(row)), key=self._how_bad)

    def _how_bad(self, row: TranslatedRow) -> tuple[int, list[int], str]:
        flags = self.against(row)
        return -len(flags), [list(AGAINST).index(flag) for flag in flags], row.id

    def against(self, row: TranslatedRow) -> list[str]:
        """The flags that speak against a row, the gravest first."""
        return [flag for flag in AGAINST if flag in row.flags and flag not in self.record.ignored]

    @property
    def passing(self) -> float | None:
        """Percent of rows without a flag against them; None where there are no rows."""
        return percent(self.record.rows_in - self.record.flagged, self.record.rows_in)

    @property
    def length_ratio(self) -> float | None:
        """Median over rows of the characters of a translation to those of its source; None without rows."""
        ratios = []
        for row in self.rows:
            texts = self.texts(row)
            ratios.append(sum(len(new) for _, _, new in texts) / sum(len(old) for _, old, _ in texts))
        return median(ratios) if ratios else None

    def texts(self, row: TranslatedRow) -> list[tuple[str, str, str]]:
        """What a row is made of, as (field, source, translation)."""
        source = self.sources[row.id]
        texts = [("instruction", source.instruction, row.instruction)]
        if source.response and source.response.strip():
            texts.append(("response", source.response, row.response or ""))
        return texts

    def ordinary(self, shown: Sequence[TranslatedRow], seed: int) -> list[TranslatedRow]:
        """Some rows that are used, at random but for `shown`; of all languages the same rows, as far as may be."""
        ids = {row.id for row in shown}
        rows = [row for row in self.rows if not row.dropped and row.id not in ids]
        return sorted(rows, key=lambda row: digest(seed, row.id))[:ORDINARY]


def percent(part: int, whole: int) -> float | None:
    """A share in percent; None of nothing."""
    return 100 * part / whole if whole else None


def read(results: str, split: str, lang: str, sources: Sequence[SourceRow]) -> Translation:
    """A translation file with its record. Raises PinchError naming the file where the two or the source disagree."""
    path = Path(results) / "translations" / split / f"{lang}.jsonl"
    rows = read_rows(path, TranslatedRow)
    beside = path.with_suffix(".json")
    try:
        record = Record.model_validate(read_json(beside))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise PinchError(f"{beside}: field {field!r}: {first['msg']}; translate again") from None
    by_id = {row.id: row for row in sources}
    if astray := sorted(by_id.keys() ^ {row.id for row in rows}):
        raise PinchError(
            f"{path}: not the rows of the source: {len(astray)} ids are in one of the two only, such as "
            f"{', '.join(astray[:5])}; translate again"
        )
    translation = Translation(path, record, rows, by_id)
    for what, told, found in (
        ("split", record.split, split),
        ("lang", record.lang, lang),
        ("rows_in", record.rows_in, len(rows)),
        ("rows_out + rows_dropped", record.rows_out + record.rows_dropped, len(rows)),
        ("rows_dropped", record.rows_dropped, sum(row.dropped for row in rows)),
        ("dropped", sorted(record.dropped), sorted(row.id for row in rows if row.dropped)),
        ("flagged", record.flagged, len(translation.flagged)),
        ("flags", _counts(record.flags), _counts(Counter(flag for row in rows for flag in set(row.flags)))),
        ("engines", _counts(record.engines), _counts(Counter(row.engine for row in rows))),
    ):
        if told != found:
            raise PinchError(f"{beside}: {what} is {told}, but {path.name} beside it has {found}; translate again")
    return translation


def _counts(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in sorted(counts.items()) if count}


def line(translation: Translation, flags: Sequence[str]) -> dict[str, Any]:
    """A line of the CSV: all counts, a column for each of `flags`, and the cost."""
    record = translation.record
    counted = {"split", "lang", "rows_in", "rows_out", "rows_dropped", "flagged"}
    cost = ("calls", "calls_now", "characters", "tokens_in", "tokens_out", "usd", "seconds")
    return {
        **record.model_dump(include=counted),
        "passing_percent": translation.passing,
        "policy": record.policy,
        "ignored": " ".join(record.ignored),
        **{f"flag_{flag}": record.flags.get(flag, 0) for flag in flags},
        "length_ratio_median": translation.length_ratio,
        "engines": in_words(record.engines),
        **{f"segments_{name}": count for name, count in record.segments.model_dump().items()},
        **{name: getattr(record, name) for name in cost},
    }


def in_words(counts: dict[str, int]) -> str:
    """Counts by name, the greatest first: 'apertium 960, memory 60'."""
    return ", ".join(
        f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def pieces(text: str) -> dict[str, Any]:
    """A text as the page shows it: its `start`; the `rest`, folded; the `end`, if what is before that is left out.

    `length` is that of the whole text in characters, `shown` how many of them the page has.
    """
    length = len(text)
    # A few words more are not worth a fold.
    if length <= 1.25 * FOLDED:
        return {"start": visible(text), "rest": "", "end": "", "length": length, "shown": length}
    at = max(text.rfind(space, FOLDED - 60, FOLDED) + 1 for space in " \n") or FOLDED
    upto = length if length <= LONGEST else LONGEST - ENDING
    end = "" if length <= LONGEST else text[-ENDING:]
    start, rest = visible(text[:at]), visible(text[at:upto])
    return {"start": start, "rest": rest, "end": visible(end), "length": length, "shown": upto + len(end)}


def visible(text: str) -> str:
    """Control characters, which HTML may not hold, as the signs that Unicode has for them."""
    signs = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {0x7F: 0x2421}
    return text.translate(signs | dict.fromkeys(range(0x80, 0xA0), 0xFFFD))


def page(translations: Sequence[Translation], pivot: str, rows: int, seed: int) -> str:
    """The report as one HTML file that needs nothing else."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"pieces": pieces, "in_words": in_words, "visible": visible}
    splits: dict[str, list[Translation]] = {}
    langs: dict[str, list[dict[str, Any]]] = {}
    for translation in translations:
        splits.setdefault(translation.record.split, []).append(translation)
        worst = translation.flagged[:rows]
        section = {"it": translation, "worst": worst, "ordinary": translation.ordinary(worst, seed)}
        langs.setdefault(translation.record.lang, []).append(section)
    return environment.get_template("translation_report.html").render(
        splits=splits,
        langs=langs,
        pivot=pivot,
        seed=seed,
        against=AGAINST,
        ignored=sorted({flag for item in translations for flag in item.record.ignored}),
        meanings=AGAINST | INFORMING,
        flags_of=known_flags,
        name=languages.name,
        percent=percent,
    )


def known_flags(translations: Sequence[Translation], only_found: bool = True) -> list[str]:
    """Names of flags, those against a row first, the gravest first; all that there are, or `only_found` in these."""
    found = {flag for item in translations for flag, count in item.record.flags.items() if count}
    known = [*AGAINST, *INFORMING]
    return [flag for flag in known if flag in found or not only_found] + sorted(found.difference(known))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch translation_report`."""
    parser.add_argument("--results", required=True, help="the experiment's folder, with sources/ and translations/")
    parser.add_argument("--pivot", required=True, help="language of the source")
    for split in ("train", "eval"):
        parser.add_argument(f"--{split}", nargs="*", default=[], help=f"languages that {split} was translated into")
    parser.add_argument("--rows", type=int, default=10, help="worst rows shown of a language and split (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="another one shows other ordinary rows (default: 0)")
    parser.add_argument("--output", required=True, help="the page, .html")
    parser.add_argument("--csv", required=True, help="the table, a line a split and language")


def run(arguments: argparse.Namespace) -> str:
    """Write page and table."""
    import polars as pl

    if arguments.rows < 0:
        raise PinchError(f"--rows: {arguments.rows} is no number of rows; 0 shows none of the worst")
    translations = []
    for split in ("train", "eval"):
        # The pivot's own file is nobody's translation.
        if langs := [lang for lang in getattr(arguments, split) if lang != arguments.pivot]:
            sources = source_rows(f"{arguments.results}/sources/{split}.jsonl", split, arguments.pivot)
            translations += [read(arguments.results, split, lang, sources) for lang in langs]
    flags = known_flags(translations, only_found=False)
    lines = [line(translation, flags) for translation in translations]
    table = pl.DataFrame(lines, infer_schema_length=None) if lines else pl.DataFrame(schema=["split", "lang"])
    write_frame(arguments.csv, table, digits=6)
    write_text(arguments.output, page(translations, arguments.pivot, arguments.rows, arguments.seed))
    rows, flagged = (sum(getattr(item.record, count) for item in translations) for count in ("rows_in", "flagged"))
    return f"{len(translations)} translation files, {rows:,} rows, {flagged:,} of them with a flag against them"
