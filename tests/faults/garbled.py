"""Bits that flip where nobody looks: in caches, in the base model, in an adapter."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

from tests.faults.outcome import Outcome, Reference, Try, trying
from tests.faults.place import Place
from tests.faults.storage import fails


def flip(path: Path, chance: Random, count: int = 1, start: int = 0) -> None:
    """Change one bit in each of `count` random bytes from `start` on; size and time stay."""
    about = path.stat()
    data = bytearray(path.read_bytes())
    for place in chance.sample(range(start, len(data)), min(count, len(data) - start)):
        data[place] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def cache_entries(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """An entry of each cache is damaged, and in turn pages of the databases; what was made of them is made again."""
    with trying("corrupted cache entry", reference, folder, number) as this:
        here = this.here
        here.finish()
        cache = here.folder / here.config["cache"]
        asked, kinds = len(here.asked), ("judge_replies.sqlite", "translations.sqlite")
        kept = here.kept()
        if number % 2:
            for name in kinds:
                flip(cache / name, chance, count=40, start=100 if number % 4 == 1 else 0)
        else:
            for name in kinds:
                _flip_reply(cache / name, chance)
        flip(chance.choice(sorted((cache / "generations").glob("*.jsonl"))), chance)
        shutil.rmtree(here.results)
        said = here.finish()
        again = len(here.asked) - asked
        this.expect("damaged" in said, "no word of it")
        this.expect(again <= kept if number % 2 else again == len(kinds), f"{again} calls made again")
        this.check(paid_again=again)
    return this.outcome


def _flip_reply(path: Path, chance: Random) -> None:
    """In the text of a reply, so that it is still JSON: nothing but its digest tells."""
    with closing(sqlite3.connect(path)) as database, database:
        rows = sorted(database.execute("SELECT key, reply FROM replies"))
        key, reply = chance.choice(rows)
        sign = '"text": "' if '"text": "' in reply else '"texts": ["'
        place = reply.index(sign) + len(sign)
        other = "B" if reply[place] != "B" else "A"
        changed = reply[:place] + other + reply[place + 1 :]
        database.execute("UPDATE replies SET reply = ? WHERE key = ?", (changed, key))


def base_model(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """A bit of the base model's weights, after it was recorded; in turn before training and before generation."""
    with trying("flipped bit, base model", reference, folder, number) as this:
        here = this.here
        own = here.folder / "base"
        shutil.copytree(reference.model, own)
        here.edit(lambda config: config["base_models"][0].update(path=str(own)))
        _make(here, ["base_models/tiny.json"] if number % 2 else _manifests(here))
        weights, good = own / "model.safetensors", (own / "model.safetensors").read_bytes()
        flip(weights, chance, start=len(good) // 2)
        said = fails(this, "its files are not those that")
        this.expect(str(own) in said, f"not named: {said[:500]}")
        weights.write_bytes(good)
        here.finish()
        _same_but_base(this)
    return this.outcome


def _same_but_base(this: Try) -> None:
    """The record of the base model has the path of the copy, all else is the same."""
    record = this.here.results / "base_models" / "tiny.json"
    shutil.copy(this.reference.results / "base_models" / "tiny.json", record)
    this.check()


def adapter(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """A bit of an adapter's weights, between training and generation."""
    with trying("flipped bit, adapter", reference, folder, number) as this:
        here = this.here
        _make(here, _manifests(here))
        weights = here.results / "models/tiny/en8/d0t0/weights"
        flip(weights / "adapter_model.safetensors", chance)
        said = fails(this, "the weights are not those", "cannot be read")
        this.expect("models/tiny/en8/d0t0/weights" in said, f"not named: {said[:500]}")
        shutil.rmtree(weights)
        here.finish()
        this.check()
    return this.outcome


def _manifests(here: Place) -> list[str]:
    return [f"models/tiny/{lang}8/d0t0/manifest.json" for lang in ["en", "es"][: here.sets]]


def _make(here: Place, targets: list[str]) -> None:
    wanted, here.targets = here.targets, targets
    try:
        here.finish()
    finally:
        here.targets = wanted
