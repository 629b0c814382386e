"""overlap: training instructions that nearly repeat an evaluation prompt."""

import argparse
from collections.abc import Sequence

from pinch.errors import PinchError
from pinch.rows import SourceRow, read_rows, write_text
from pinch.spreadsheet import table

CHUNK = 256
"""Training rows compared at once: with 617 prompts a matrix of 0.6 MB."""


def normalized(text: str) -> str:
    """A text without what two copies of it may differ in: case, and how much white space there is."""
    return " ".join(text.casefold().split())


def near_repeats(
    train: Sequence[SourceRow], prompts: Sequence[SourceRow], threshold: float
) -> list[tuple[SourceRow, SourceRow, float]]:
    """Pairs of a training row and an evaluation prompt that are alike, the most alike first.

    Likeness is that of rapidfuzz.fuzz.ratio on normalized texts, in percent: 100 (1 - edits / both lengths), where
    an edit inserts or deletes a character. Pairs of at least `threshold` percent are returned.
    """
    import numpy
    from rapidfuzz import fuzz, process

    theirs = [normalized(row.instruction) for row in prompts]
    found: list[tuple[SourceRow, SourceRow, float]] = []
    for start in range(0, len(train), CHUNK):
        ours = [normalized(row.instruction) for row in train[start : start + CHUNK]]
        # Below the cutoff the result is 0, and most pairs are dismissed by their lengths alone.
        table = process.cdist(ours, theirs, scorer=fuzz.ratio, score_cutoff=threshold, workers=-1)
        for row, prompt in numpy.argwhere(table > 0).tolist():
            found.append((train[start + row], prompts[prompt], float(table[row, prompt])))
    return sorted(found, key=lambda pair: (-pair[2], pair[0].id, pair[1].id))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch overlap`."""
    parser.add_argument("--train", required=True, help="training rows in the pivot language, .jsonl")
    parser.add_argument("--eval", required=True, help="evaluation prompts in the pivot language, .jsonl")
    parser.add_argument("--threshold", type=float, default=90, help="percent from which two texts count as repeats")
    parser.add_argument("--output", required=True, help="the pairs, .csv")


def run(arguments: argparse.Namespace) -> str:
    """Write the table of near repeats; with its header alone where there are none."""
    threshold: float = arguments.threshold
    if not 0 < threshold <= 100:
        raise PinchError(f"--threshold: {threshold:g} is not a percentage above 0")
    train = read_rows(arguments.train, SourceRow)
    prompts = read_rows(arguments.eval, SourceRow)
    pairs = near_repeats(train, prompts, threshold)
    header = ["train_id", "eval_id", "similarity", "train_instruction", "eval_instruction"]
    lines = ([row.id, prompt.id, f"{alike:.1f}", row.instruction, prompt.instruction] for row, prompt, alike in pairs)
    write_text(arguments.output, table([header, *lines]))
    repeating = len({row.id for row, _, _ in pairs})
    return f"{repeating} of {len(train)} training rows nearly repeat ({threshold:g} %) one of {len(prompts)} prompts"
