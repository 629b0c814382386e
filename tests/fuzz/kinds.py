"""The files that a user can give, each beside a command that reads it and what must be true of what it writes."""

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import yaml
from pinch.rows import AuditRow, SourceRow, TranslatedRow, read_json, read_rows

from tests import annotations, judge_cell
from tests.fuzz import mutate
from tests.harness import REPO, SEED, tiny_config
from tests.links import link

Mutation = Callable[[Random, bytes], bytes]


@dataclass
class Kind:
    """One file that is changed, among others of a folder that is only read: `given`; what is written is in `made`."""

    file: Path
    made: Path
    valid: list[bytes]
    mutation: Mutation
    command: Callable[[Random], list[str]]
    check: Callable[[str], None] = lambda said: None
    """Told what was printed where the command succeeded; asserts that what it wrote fits together."""
    before: Callable[[Random], None] = lambda random: None
    around: Callable[[], Any] = field(default=nullcontext)


def _place(folder: Path, name: str, valid: bytes) -> tuple[Path, Path]:
    given, made = folder / "given", folder / "made"
    given.mkdir(parents=True)
    file = given / name
    file.write_bytes(valid)
    return file, made


def _head(path: Path, count: int) -> bytes:
    return b"".join(path.read_bytes().splitlines(keepends=True)[:count])


# --- what a config names, and itself ---


def _experiment(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    model = folder / "given" / "model"
    model.mkdir(parents=True, exist_ok=True)
    (model / "config.json").write_text("{}", encoding="utf-8")
    config = tiny_config(model) | {"results": str(folder / "made" / "results"), "cache": str(folder / "cache")}
    change(config)
    path = folder / "given" / "experiment.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def _validated(said: str) -> None:
    assert "rows, " in said and " cells; training sets: " in said, said


def config(folder: Path) -> Kind:
    """An experiment's config."""
    path = _experiment(folder, lambda config: None)
    ours = (REPO / "config.yaml").read_text(encoding="utf-8").replace("resources/seed", str(SEED))
    valid = [path.read_bytes(), ours.encode()]
    return Kind(path, folder / "made", valid, mutate.yaml_file, lambda random: link("validate", path), _validated)


def _named(
    folder: Path, name: str, valid: list[bytes], mutation: Mutation, change: Callable[[dict[str, Any], str], None]
) -> Kind:
    """A file that a config names."""
    file, made = _place(folder, name, valid[0])
    path = _experiment(folder, lambda config: change(config, str(file)))
    return Kind(file, made, valid, mutation, lambda random: link("validate", path), _validated)


def shares(folder: Path) -> Kind:
    """The shares of languages in pretraining."""

    def change(config: dict[str, Any], file: str) -> None:
        config["designs"][0] = {"design": "monolingual", "languages": ["en", "es", "ru"], "pretraining_shares": file}

    valid = b"lang,percent\n# of 2023\nen,89.7\nes,0.13\nru,0.13\n"
    return _named(folder, "shares.csv", [valid], mutate.csv_file, change)


def prompt(folder: Path) -> Kind:
    """What a judge is asked."""

    def change(config: dict[str, Any], file: str) -> None:
        judge = {"engine": "openai", "name": "ours", "base_url": judge_cell.NOWHERE, "model": "m", "prompt": file}
        config["judges"].append(judge)

    valid = [(REPO / "workflow/prompts" / name).read_bytes() for name in ("two-labels.txt", "named-language.txt")]
    return _named(folder, "prompt.txt", valid, mutate.text_file, change)


def accelerate(folder: Path) -> Kind:
    """By what one training runs over several processes."""

    def change(config: dict[str, Any], file: str) -> None:
        config["finetune"]["accelerate"] = file

    valid = [(REPO / "workflow/accelerate" / name).read_bytes() for name in ("ddp.yaml", "fsdp.yaml")]
    return _named(folder, "accelerate.yaml", valid, mutate.yaml_file, change)


def labelled(folder: Path) -> Kind:
    """Pairs of which the better response is known; by the check of a config, and by the audit."""
    valid = _head(REPO / "resources/labelled.jsonl", 4)
    kind = _named(
        folder,
        "labelled.jsonl",
        [valid],
        mutate.jsonl_file,
        lambda config, file: config.update(audit={"labelled": file}),
    )
    output, settings = folder / "made" / "audit.jsonl", '{"engine": "rubric"}'
    audit = link("audit", "--name=rubric", lang="en", settings=settings, labelled=kind.file, output=output)
    validate = kind.command

    def check(said: str) -> None:
        if output.is_file():
            rows = read_rows(output, AuditRow, unique=("id", "order"))
            assert len(rows) % 2 == 0
        else:
            _validated(said)

    kind.command = lambda random: random.choice((audit, validate(random)))
    kind.check = check
    return kind


# --- data ---


def _sources(name: str, valid: list[bytes], mutation: Mutation) -> Callable[[Path], Kind]:
    def make(folder: Path) -> Kind:
        file, made = _place(folder, name, valid[0])
        output, record = made / "rows.jsonl", made / "record.json"

        def command(random: Random) -> list[str]:
            signs = {b"conversations": "lima", b"message_id": "oasst", b"dataset": "alpaca_farm"}
            form = next((form for sign, form in signs.items() if sign in file.read_bytes()), "")
            wanted = json.dumps({"path": str(file)} | ({"format": form} if form else {}))
            return link("sources", split="train", pivot="en", sources=wanted, output=output, record=record)

        def check(said: str) -> None:
            rows, told = read_rows(output, SourceRow), read_json(record)
            assert len(rows) == told["total"] > 0
            for entry in told["sources"]:
                assert entry["read"] == entry["kept"] + sum(entry["left_out"].values())

        return Kind(file, made, valid, mutation, command, check)

    return make


_ROWS = [{"id": f"r{n}", "instruction": f"Name {n}.", "response": f"{n}.", "lang": "en"} for n in range(4)]
_LIMA = [{"conversations": [f"Why {n}?", "So."], "source": "x"} for n in range(3)]
_FARM = [{"instruction": f"Sort {n}.", "input": "b a", "output": "a", "dataset": "koala"} for n in range(3)]
_TREE = [
    {"message_id": "a", "parent_id": None, "text": "Why?", "role": "prompter", "lang": "en", "rank": None},
    {"message_id": "b", "parent_id": "a", "text": "So.", "role": "assistant", "lang": "en", "rank": 0},
    {"message_id": "c", "parent_id": "a", "text": "No.", "role": "assistant", "lang": "en", "rank": 1.0},
]


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _parquet() -> bytes:
    import polars as pl

    out = io.BytesIO()
    pl.DataFrame(_ROWS).write_parquet(out)
    return out.getvalue()


_ALL = [_ROWS, _LIMA, _FARM, _TREE]
_TABLE = b'id,instruction,response\nr1,"two\nlines, ""quoted""",yes\nr2,Name 2.,2\nr3,Name 3.,3\n'


def memory(folder: Path, name: str, valid: bytes, mutation: Mutation) -> Kind:
    """A translation memory: checked, and translated by."""
    file, made = _place(folder, name, valid)
    source = folder / "given" / "source.jsonl"
    source.write_bytes(_head(SEED / "eval.en.jsonl", 3))
    output = made / "rows.jsonl"
    where = {"source": source, "pivot": "en", "lang": "es"}
    check = link("memory", "check", file, output=made / "ids.json", **where)
    more = {"cache": folder / "cache", "record": made / "record.json"}
    translate = link("translate", split="eval", memory=file, output=output, **where, **more)

    def fits(said: str) -> None:
        ids = [row.id for row in read_rows(source, SourceRow)]
        if output.is_file():
            assert [row.id for row in read_rows(output, TranslatedRow)] == ids
        else:
            told = read_json(made / "ids.json")
            assert sorted(id for some in told.values() for id in some) == sorted(ids)

    return Kind(file, made, [valid], mutation, lambda random: random.choice((check, translate)), fits)


def memory_jsonl(folder: Path) -> Kind:
    """A memory in JSONL."""
    return memory(folder, "memory.jsonl", _head(SEED / "memory/eval.es.jsonl", 3), mutate.jsonl_file)


def memory_tmx(folder: Path) -> Kind:
    """A memory as translators' tools write it."""
    units = "".join(
        f'<tu tuid="{id}"><prop type="x">y</prop><tuv xml:lang="en-US" changedate="20260101T000000Z"><seg>{text} '
        f'<ph type="lb"/><bpt i="1">b</bpt>c</seg></tuv><tuv xml:lang="ES"><seg>Uno <hi>dos</hi></seg></tuv></tu>'
        for id, text in (("e001#instruction", "One"), ("e002", "Two"))
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4"><header srclang="en"/><body>'
    return memory(folder, "memory.tmx", f"{head}{units}</body></tmx>\n".encode(), mutate.tmx_file)


# --- people ---


def _annotations(folder: Path, which: str, mutation: Mutation) -> Kind:
    config = annotations.make_run(folder / "run")
    _, sheets = annotations.export(config, output="../given", prompts=2, annotators=1)
    filled = annotations.fill(sheets, lambda annotator, item: "tie")
    if which == "table":
        table = sorted(sheets.glob("**/*.csv"))[0]
        annotations.edit_csv(table, lambda row: row.update(choice="tie"), encoding="utf-8")
        file = table
        filled[0].unlink()
        filled[0] = table
    else:
        file = filled[0] if which == "sheet" else sheets / "key.json"
    made = folder / "made"
    command = link("annotate", "import", sheets, *filled, resamples=20, output=made)

    def check(said: str) -> None:
        told = read_json(made / "agreement.json")
        assert told and (made / "summary.md").read_text(encoding="utf-8").strip()

    def around() -> Any:
        return patch("pinch.annotate.returned._draw")  # half a second of it

    return Kind(file, made, [file.read_bytes()], mutation, lambda random: command, check, around=around)


# --- verdicts ---


def verdicts(folder: Path) -> Kind:
    """Verdicts or preferences of whatever judge."""
    pairs = [
        {"id": f"p{number}", "order": order, "winner": winner, "raw": {"text": "A"}}
        for number, winner in enumerate(("candidate", "tie", "baseline", "invalid"))
        for order in ("baseline_first", "candidate_first")
    ]
    preferences = [{"id": f"p{number}", "winner": winner} for number, winner in enumerate(("tie", None, "candidate"))]
    file, made = _place(folder, "verdicts.jsonl", _lines(pairs))

    def command(random: Random) -> list[str]:
        form = [["--form", "preference"], []][b'"order"' in file.read_bytes()]
        return ["score", str(file), "--resamples", "100", *form]

    def check(said: str) -> None:
        told = json.loads(said)
        assert told["n"] == told["wins"] + told["ties"] + told["losses"]
        if told["n"]:
            assert 0 <= told["bound_low"] <= told["score"] <= told["bound_high"] <= 100

    return Kind(file, made, [_lines(pairs), _lines(preferences)], mutate.jsonl_file, command, check)


def kept_reply(folder: Path) -> Kind:
    """A reply that the cache holds, in the place of the one that the judge had."""
    given = folder / "given"
    given.mkdir(parents=True)
    cell = judge_cell.Cell(given).write(judge_cell.PAIRS)
    reply = {"text": "A", "tokens_in": 9, "tokens_out": 1, "logprobs": {"A": -0.1, "B": -3.0}, "refused": None}
    reply |= {"model": "smollm2", "kept": "2026-11-24T00:00:00+00:00"}
    file, made = given / "reply.json", folder / "made"
    file.write_text(json.dumps(reply), encoding="utf-8")
    output = made / "verdicts.jsonl"
    settings = json.dumps(judge_cell.quick(judge_cell.NOWHERE, read="logprobs"))
    command = [
        *("judge", *(f"--{name}={given / name}.jsonl" for name in ("candidate", "baseline", "prompts"))),
        *("--lang=en", "--name=ours", f"--settings={settings}", f"--cache={folder / 'cache'}", f"--output={output}"),
    ]
    keys = _question_keys(cell, folder / "cache", command)

    def before(random: Random) -> None:
        text = file.read_bytes().decode("utf-8", "surrogateescape")
        with closing(sqlite3.connect(folder / "cache/judge_replies.sqlite")) as database, database:
            database.execute("DELETE FROM replies")
            rows = [(key, json.dumps(reply), None) for key in keys]
            rows[0] = (keys[0], text.encode("utf-8", "surrogateescape"), None)
            database.executemany("INSERT INTO replies VALUES (?, CAST(? AS TEXT), ?)", rows)

    def check(said: str) -> None:
        assert output.read_bytes().count(b"\n") == 2 * len(judge_cell.PAIRS)  # a text may hold U+2028

    return Kind(file, made, [file.read_bytes()], mutate.json_file, lambda random: command, check, before)


def _question_keys(cell: judge_cell.Cell, cache: Path, command: list[str]) -> list[str]:
    """Under what the cache keeps the replies to the cell's questions: an endpoint is asked once."""
    from tests.chat_endpoint import body, serving

    with serving(lambda number, asked: body("A", {"A": -0.1, "B": -3.0})) as endpoint:
        done = cell.judge(judge_cell.quick(endpoint.url, read="logprobs"), f"--cache={cache}")
        assert done.code == 0, done
    cell.output.unlink()
    for manifest in cell.folder.glob("verdicts*"):
        manifest.unlink()
    with closing(sqlite3.connect(cache / "judge_replies.sqlite")) as database:
        return [key for (key,) in database.execute("SELECT key FROM replies ORDER BY key")]


KINDS: dict[str, Callable[[Path], Kind]] = {
    "config": config,
    "jsonl": _sources("rows.jsonl", [_lines(rows) for rows in _ALL], mutate.jsonl_file),
    "json": _sources("rows.json", [json.dumps(rows).encode() for rows in _ALL], mutate.json_file),
    "csv": _sources("rows.csv", [_TABLE], mutate.csv_file),
    "parquet": _sources("rows.parquet", [_parquet()], mutate.parquet_file),
    "memory": memory_jsonl,
    "tmx": memory_tmx,
    "shares": shares,
    "labelled": labelled,
    "sheet": lambda folder: _annotations(folder, "sheet", mutate.json_file),
    "table": lambda folder: _annotations(folder, "table", mutate.csv_file),
    "key": lambda folder: _annotations(folder, "key", mutate.json_file),
    "verdicts": verdicts,
    "prompt": prompt,
    "accelerate": accelerate,
    "reply": kept_reply,
}
"""By the names that --only takes."""
