"""reproduce: is what lies in a results folder what the run made, from what it says?

    python -m pinch reproduce config.yaml
    python -m pinch reproduce config.yaml --rerun 2

Every file against the digest of R/manifest.json, which a run writes when it has ended well; every model, response and
verdict against what it says that it was made from; and, where asked to, cells generated anew and compared to the byte.
docs/reproducibility.md says what may differ.
"""

import argparse
import random
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pinch import check, inventory, made
from pinch.cache import cache_folder
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.figures import Figures
from pinch.rows import digest, file_digest, folder_digest, read_json

SHOWN = 20
"""Versions that differ, named one by one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch reproduce`."""
    parser.add_argument("config", nargs="?", default="config.yaml")
    parser.add_argument("--record", action="store_true", help="write R/manifest.json of what is there now, and no more")
    parser.add_argument("--rerun", type=int, default=0, metavar="N", help="generate N random cells anew and compare")
    parser.add_argument("--seed", type=int, default=0, help="which cells are drawn")


def run(arguments: argparse.Namespace) -> str:
    """Check a finished run. Raises PinchError where something is not as it was made, after printing what."""
    experiment, figures = check.open_experiment(arguments.config)
    results = Path(experiment.results)
    if not results.is_dir():
        raise PinchError(f"{results}: is not there; run the experiment first")
    if arguments.record:
        held = inventory.record(results, _settings(results))
        return f"{results}: {len(held['files'])} files recorded in {results / inventory.NAME}"
    path = results / inventory.NAME
    if not path.is_file():
        raise PinchError(f"{path}: is not there; a run writes it when it ends well, --record for what is there now")
    held = read_json(path)
    parts = {
        "outputs of the experiment": list(_missing(experiment, figures)),
        "files against their digests": list(_changed(results, held)),
        "what models, responses and verdicts were made from": list(_chain(results)),
    }
    if arguments.rerun:
        parts[f"{arguments.rerun} cells generated anew"] = list(_rerun(experiment, arguments.rerun, arguments.seed))
    for name, wrong in parts.items():
        print(f"{name}: {'as recorded' if not wrong else f'{len(wrong)} not as recorded'}")
        for line in wrong:
            print(f"  {line}")
    for line in _versions(held, results):
        print(line)
    faults = sum(map(len, parts.values()))
    if faults:
        raise PinchError(f"{results}: {faults} differences, named above")
    return f"{results}: {len(held['files'])} files are as they were made"


def _settings(results: Path) -> Any:
    path = results / "experiment.json"
    return read_json(path)["settings"] if path.is_file() else None


def _missing(experiment: Experiment, figures: Figures) -> Iterator[str]:
    wanted = [*experiment.targets(), *figures.targets(), *experiment.verdict()]
    for folder, langs, judged in experiment.cell_files():
        wanted += [*(f"{folder}/{lang}.jsonl" for lang in langs), *judged]
    for file in wanted:
        if not Path(file).is_file():
            yield f"{file}: is not there"


def _changed(results: Path, held: dict[str, Any]) -> Iterator[str]:
    there = dict(inventory.files(results))
    for name, known in held["files"].items():
        if name not in there:
            yield f"{results / name}: is not there"
        elif (found := file_digest(there[name])) != known["sha256"]:
            yield f"{results / name}: digest {found[:12]}, recorded {known['sha256'][:12]}"
    for name in there.keys() - held["files"].keys():
        yield f"{results / name}: is new since the record"


def _chain(results: Path) -> Iterator[str]:
    """Each link's record against the files that it names by digest."""
    for manifest in sorted(results.glob("models/*/*/*/manifest.json")):
        yield from _model(results, manifest)
    for record in sorted(results.glob("generations/*/*/*/*.json")):
        said = read_json(record)
        base, mixture, seed = record.relative_to(results).parts[1:4]
        beside = results / "models" / base / mixture / seed / "manifest.json"
        base_record = results / "base_models" / f"{base}.json"
        model = read_json(beside)["model_digest"] if beside.is_file() else read_json(base_record)["digest"]
        if said["model_digest"] != model:
            yield f"{record}: made by the model {said['model_digest'][:12]}, {mixture}/{seed} is {model[:12]}"
        yield from _same(record, said, "responses_digest", record.with_suffix(".jsonl"))
    for record in sorted(results.glob("judgments/**/*.json")):
        said = read_json(record)
        for side in ("candidate", "baseline"):
            yield from _same(record, said, f"{side}_digest", Path(said[side]))
        yield from _same(record, said, "verdicts_digest", record.with_suffix(".jsonl"))


def _model(results: Path, manifest: Path) -> Iterator[str]:
    said = read_json(manifest)
    base, mixture, seed = manifest.relative_to(results).parts[1:4]
    recorded = read_json(results / "base_models" / f"{base}.json")["digest"]
    if said["base_digest"] != recorded:
        yield f"{manifest}: tuned on the base {said['base_digest'][:12]}, {base} is {recorded[:12]}"
    rows = results / "mixtures" / mixture / f"{seed.partition('t')[0]}.jsonl"
    yield from _same(manifest, said, "data_digest", rows)
    weights = manifest.parent / "weights"
    if weights.is_dir() and (found := folder_digest(weights)) != said["weights_digest"]:
        yield f"{weights}: digest {found[:12]}, its manifest says {said['weights_digest'][:12]}"
    if said["model_digest"] != digest(said["base_digest"], said["weights_digest"]):
        yield f"{manifest}: model_digest is not that of its base and weights"


def _same(record: Path, said: dict[str, Any], key: str, file: Path) -> Iterator[str]:
    if not file.is_file():
        yield f"{record}: {file} is not there"
    elif (found := file_digest(file)) != said[key]:
        yield f"{record}: {key} {said[key][:12]}, {file} is {found[:12]}"


def _rerun(experiment: Experiment, count: int, seed: int) -> Iterator[str]:
    """Cells whose weights are there, generated past the cache into a folder of their own."""
    from pinch.__main__ import main

    cells = []
    for folder, langs, _ in experiment.cell_files():
        base, mixture, name = Path(folder).parts[-3:]
        if Path(experiment.model_input(base, mixture, name)).exists():
            cells += [(base, mixture, name, lang) for lang in langs]
    if not cells:
        yield "no cell has its weights still: nothing can be generated anew"
    drawn = random.Random(seed).sample(cells, min(count, len(cells)))
    with tempfile.TemporaryDirectory(prefix="pinch-reproduce-") as scratch:
        models = Path(cache_folder() if experiment.cache is None else experiment.cache).absolute() / "base_models"
        if models.is_dir():
            Path(scratch, "base_models").symlink_to(models)
        for base, mixture, name, lang in drawn:
            made_then = Path(experiment.results, "generations", base, mixture, name, f"{lang}.jsonl")
            made_now = Path(scratch, "again.jsonl")
            words = shlex.split(experiment.generate_arguments(base, mixture, name))
            words = [word for pair in zip(words[::2], words[1::2], strict=True) if pair[0] != "--rows" for word in pair]
            code = main(["generate", *words, "--lang", lang, "--cache", scratch, "--output", str(made_now)])
            if code:
                yield f"{made_then}: cannot be generated anew"
            elif made_now.read_bytes() != made_then.read_bytes():
                yield f"{made_then}: generated anew it is another file"


def _versions(held: dict[str, Any], results: Path) -> Iterator[str]:
    """What the last run worked with and this machine does not have, for who wonders why something differs."""
    then, now = held["runs"][-1], made.environment()
    if then["config_digest"] != digest(_settings(results)):
        yield "config: other settings than when the files were recorded"
    packages = [
        f"{name} {version} then, {now['packages'].get(name, 'none')} now"
        for name, version in then["packages"].items()
        if now["packages"].get(name) != version
    ]
    others = [
        f"{key} {then[key]} then, {now[key]} now"
        for key in ("python", "pinch", "links", "repository", "hardware")
        if then[key] != now[key]
    ]
    lines = [*others, *packages]
    yield f"made with and here: {f'{len(lines)} differences' if lines else 'the same versions and hardware'}"
    yield from (f"  {line}" for line in lines[:SHOWN])
    if len(held["runs"]) > 1:
        yield f"made by {len(held['runs'])} runs with different versions or settings; each file's is in the record"
