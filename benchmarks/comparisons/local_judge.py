"""A local judge's verdicts, against one question at a time and against batches that share nothing; and its loads.

Pairs as the paper has them: instructions of 50 to 200 tokens, responses of 50 to 300, six candidates a prompt against
one baseline, both orders, texts of the seed data in four languages. On a CPU the judge is Gemma 3 270M, on a GPU a
model of 1 B with random weights. All sides have the model in memory; ours asks the engine itself, with a cache that is
empty. The batches that share nothing are what the engine did before: eight questions of like length, padded.
"""

import io
import json
import random
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import random_model
import yaml
from harness import ROOT, Measured, in_turn, seconds

from comparisons.quickstart import converted

ROUNDS = 2

PROMPTS = {"cpu": 2, "gpu": 32}
CANDIDATES = 6
INSTRUCTION, RESPONSE = (50, 200), (50, 300)
"""Tokens, from and to."""

BATCH = 8
CELLS = 6
"""Of the column whose loads are counted."""

NEAR = {"float32": 1e-3, "bfloat16": 0.25}
"""Difference of two log probabilities below which rounding may decide."""

LABELS = ("A", "B")


def seed_texts() -> list[str]:
    """Responses of the seed data in four languages."""
    files = [ROOT / "resources/seed/train.en.jsonl"]
    files += [ROOT / f"resources/seed/memory/train.{lang}.jsonl" for lang in ("es", "it", "ru")]
    return [json.loads(line)["response"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def pairs(tokenizer: Any, prompts: int) -> list[Any]:
    """Both orders of every candidate against the baseline of its prompt, as the engine is asked about them."""
    from pinch.judge.protocol import Pair, questions_of
    from pinch.rows import GenerationRow

    draw = random.Random(0)
    texts = seed_texts()

    def text(lengths: tuple[int, int]) -> str:
        words = " ".join(draw.sample(texts, 8))
        return str(tokenizer.decode(tokenizer(words, add_special_tokens=False)["input_ids"][: draw.randint(*lengths)]))

    found = []
    for prompt in range(prompts):
        instruction = text(INSTRUCTION)
        baseline, *candidates = (
            GenerationRow(
                id=str(prompt),
                lang="en",
                instruction=instruction,
                response=text(RESPONSE),
                finish_reason="stop",
                n_tokens=1,
            )
            for _ in range(1 + CANDIDATES)
        )
        found += [Pair(candidate, baseline, None) for candidate in candidates]
    return questions_of(found)


class Sides:
    """The ways to judge, all with one model in memory; each returns a log probability of each label by question."""

    def __init__(self, folder: Path, record: Path, scratch: Path, prompts: int) -> None:
        from pinch import modelling
        from pinch.config.judges import TransformersJudge

        self.settings = TransformersJudge(engine="transformers", name="local", model={"path": str(folder)})
        self.record, self.scratch = record, scratch
        modelling.quiet()
        self.folder, self.model = folder, modelling.load_model(folder)
        self.tokenizer = modelling.load_tokenizer(folder, template=False)
        self.questions = pairs(self.tokenizer, prompts)

    def engine(self) -> Any:
        """Of ours, with an empty cache."""
        from pinch.judge.transformers import TransformersEngine

        return TransformersEngine(self.settings, str(self.record), mkdtemp(dir=self.scratch), 0)

    def ours(self) -> list[list[float]]:
        """Ours, everything included but the loading."""
        engine = self.engine()
        engine.loaded = (self.folder, self.model, self.tokenizer)
        with redirect_stdout(io.StringIO()):
            return [list(json.loads(reply.raw).values()) for reply in engine.ask(self.questions)]

    def encoded(self) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids of the questions, and those that the labels begin with, as any script would have them."""
        from pinch.judge.prompting import fill
        from pinch.modelling import text_ids
        from pinch.prompts import read_prompt

        prompt = read_prompt(self.settings.prompt)
        starts = [
            sorted({self.tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in (label, f" {label}")})
            for label in LABELS
        ]
        asked = [text_ids(self.tokenizer, fill(prompt, question) + "\nAnswer:") for question in self.questions]
        return asked, starts

    def one_by_one(self) -> list[list[float]]:
        """A forward pass a question."""
        import torch

        asked, starts = self.encoded()
        found = []
        for ids in asked:
            with torch.inference_mode():
                inputs = torch.tensor([ids], device=self.model.device)
                scores = self.model(inputs, logits_to_keep=1).logits[0, -1].float().log_softmax(-1)
            found.append([float(scores[label].logsumexp(0)) for label in starts])
        return found

    def in_batches(self) -> list[list[float]]:
        """Eight of like length at a time, padded; nothing shared."""
        import torch

        asked, starts = self.encoded()
        found: list[list[float]] = [[] for _ in asked]
        by_length = sorted(range(len(asked)), key=lambda place: len(asked[place]))
        for start in range(0, len(by_length), BATCH):
            places = by_length[start : start + BATCH]
            padded = self.tokenizer.pad({"input_ids": [asked[place] for place in places]}, return_tensors="pt")
            with torch.inference_mode():
                logits = self.model(**padded.to(self.model.device), logits_to_keep=1).logits[:, -1].float()
            for place, scores in zip(places, logits.log_softmax(-1), strict=True):
                found[place] = [float(scores[label].logsumexp(0)) for label in starts]
        return found

    def rate(self, way: Callable[[], list[list[float]]], said: list[list[list[float]]]) -> float:
        """Verdicts a second; what they say is added to `said`."""
        return len(self.questions) / seconds(lambda: said.append(way()))


def agreement(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], near: float) -> dict[str, object]:
    """How far two ways differ: at most in a log probability, and in how many verdicts that are no near-ties."""
    both = list(zip(ours, theirs, strict=True))
    other = [abs(their[0] - their[1]) for our, their in both if (our[0] > our[1]) != (their[0] > their[1])]
    return {
        "largest difference of a log probability": max(abs(a - b) for pair in both for a, b in zip(*pair, strict=True)),
        "verdicts that differ": len(other),
        "of them no near-ties": sum(difference > near for difference in other),
    }


def loads(record: Path, model: Path, scratch: Path, shared: bool) -> float:
    """How often the judge's model is loaded for a column, a job a cell as the workflow runs them."""
    from pinch.__main__ import main
    from pinch.rows import GenerationRow, TranslatedRow, write_json, write_rows

    folder = Path(mkdtemp(dir=scratch))
    asked = [(f"p{number}", text) for number, text in enumerate(seed_texts()[:4])]
    prompts = [
        TranslatedRow(id=id, lang="en", instruction=text, response=None, source=text, engine="none")
        for id, text in asked
    ]
    write_rows(folder / "prompts.jsonl", prompts)
    cells = [f"cell{number}" for number in range(CELLS)]
    for name in ("baseline", *cells):
        rows = [
            GenerationRow(id=id, lang="en", instruction=text, response=name, finish_reason="stop", n_tokens=1)
            for id, text in asked
        ]
        write_rows(folder / f"{name}.jsonl", rows)
    write_json(
        folder / "column.json", [[str(folder / f"{name}.jsonl"), str(folder / "baseline.jsonl")] for name in cells]
    )
    settings = json.dumps({"engine": "transformers", "model": {"path": str(model)}})
    said = io.StringIO()
    with redirect_stdout(said):
        for name in cells:
            words = ["judge", "--candidate", folder / f"{name}.jsonl", "--baseline", folder / "baseline.jsonl"]
            words += ["--prompts", folder / "prompts.jsonl", "--lang", "en", "--settings", settings, "--model", record]
            words += ["--cache", folder / "cache", "--output", folder / f"{name}.verdicts.jsonl"]
            words += ["--column", folder / "column.json"] if shared else []
            if main(list(map(str, words))):
                raise RuntimeError(said.getvalue())
    return said.getvalue().count(" questions asked of ")


def recorded(folder: Path, scratch: Path) -> Path:
    """The record of a model in a folder, as the workflow makes it."""
    from pinch.__main__ import main

    record = scratch / f"{folder.name}.json"
    options = ["--spec", json.dumps({"path": str(folder)}), "--cache", str(scratch / "cache"), "--output", str(record)]
    with redirect_stdout(io.StringIO()):
        if main(["base_model", *options]):
            raise RuntimeError(f"{folder}: no record of it")
    return record


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """Verdicts a second against both, and loads of a column."""
    with TemporaryDirectory() as folder:
        scratch = Path(folder)
        random_model.write(scratch / "tiny", "tiny")
        tiny = recorded(scratch / "tiny", scratch)
        if gpu:
            random_model.write(scratch / "1b", "1b")
            model, name = scratch / "1b", "a model of 1 B"
        else:
            spec = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["base_models"][0]
            model, name = converted(spec) / str(spec["pypi"]), "Gemma 3 270M"
        sides = Sides(model, recorded(model, scratch), scratch, PROMPTS["gpu" if gpu else "cpu"])
        near = NEAR[str(sides.model.dtype).removeprefix("torch.")]
        what = f"local judge, {name}, {len(sides.questions)} questions of {CANDIDATES} candidates a prompt"
        found = []
        for against, way in (
            ("one question at a time", sides.one_by_one),
            ("batches of 8 by length", sides.in_batches),
        ):
            ours: list[list[list[float]]] = []
            theirs: list[list[list[float]]] = []
            speeds = in_turn(partial(sides.rate, sides.ours, ours), partial(sides.rate, way, theirs), rounds)
            found.append(Measured(what, against, "verdicts/s", *speeds, facts=agreement(ours[-1], theirs[-1], near)))
        counted = in_turn(
            partial(loads, tiny, scratch / "tiny", scratch, True),
            partial(loads, tiny, scratch / "tiny", scratch, False),
            1,
        )
        note = "The first job of a column asks for all of its cells; paper.yaml would have 17 columns and 580 cells."
        column = f"local judge, loads for a column of {CELLS} cells"
        return [*found, Measured(column, "a load a cell", "loads", *counted, at_most=1 / CELLS, note=note)]
