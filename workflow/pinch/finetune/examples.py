"""Training examples as token ids, and the development rows that belong to them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pinch import modelling
from pinch.config import Finetune
from pinch.errors import PinchError
from pinch.rows import ExampleRow, read_rows


def tokenize(
    rows: Sequence[ExampleRow], tokenizer: Any, max_length: int, max_response_length: int | None = None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Examples as token ids (input_ids, and labels: -100 in the prompt), and counts by language.

    What is longer than `max_length` tokens, or has a response of more than `max_response_length` with its stop
    token, is cut and counted; a cut response has no stop token left. Raises PinchError if nothing of a response
    would be left, naming its id.
    """
    examples = []
    counts: dict[str, Any] = {"rows": {}, "tokens": {}, "response_tokens": {}, "truncated": {}}
    for row in rows:
        ids, prompt = modelling.example_ids(tokenizer, row.instruction, row.response)
        if prompt >= max_length:
            raise PinchError(
                f"id {row.id!r} ({row.lang}): the instruction alone has {prompt} tokens; raise finetune.max_length "
                f"(now {max_length}) or leave the row out"
            )
        kept = ids[: max_length if max_response_length is None else min(max_length, prompt + max_response_length)]
        examples.append({"input_ids": kept, "labels": [-100] * prompt + kept[prompt:]})
        for key, number in (
            ("rows", 1),
            ("tokens", len(kept)),
            ("response_tokens", len(kept) - prompt),
            ("truncated", int(len(kept) < len(ids))),
        ):
            counts[key][row.lang] = counts[key].get(row.lang, 0) + number
    return examples, counts


def read_dev(path: str | None, settings: Finetune, rows: Sequence[ExampleRow]) -> list[ExampleRow]:
    """The rows on which checkpoints are compared; none where the last one is kept.

    Raises PinchError where there are none though they are needed, and where they are not what they must be: in the
    languages of the training `rows`, and with other ids.
    """
    if settings.select == "last":
        return []
    dev = read_rows(path, ExampleRow) if path else []
    if not dev:
        there = f"{path} is empty" if path else "none are given (--dev)"
        raise PinchError(
            f"finetune.select: {settings.select} needs development rows, and {there}; "
            "hold some out by data.held_out, or select: last"
        )
    trained, known = {row.id for row in rows}, {row.lang for row in rows}
    for row in dev:
        if row.id in trained:
            raise PinchError(f"{path}: id {row.id!r} is in the training set too; development rows must be held out")
        if row.lang not in known:
            raise PinchError(
                f"{path}: id {row.id!r} is in {row.lang!r}, in which nothing is trained; a checkpoint is selected in "
                f"the languages of its training set ({', '.join(sorted(known))})"
            )
    return dev


def languages_of(rows: Sequence[ExampleRow]) -> dict[str, int]:
    """How many rows are in which language, in the order of their first appearance."""
    return dict(Counter(row.lang for row in rows))
