"""What a local judge computes once for many questions: shared beginnings, in a tree, through the model."""

import copy
import random
from collections.abc import Sequence
from typing import Any

import pytest
from pinch.judge.logits import next_logprobs, shares, widen
from pinch.judge.prefixes import DEEPEST, Node, batches, tree

BEGINNING = [2, *range(100, 140)]
"""Of every question."""


def questions(prompts: int = 3, candidates: int = 4) -> list[list[int]]:
    """Token ids as a judge's prompt has them: template, instruction, two responses in either order, what is asked."""
    draw = random.Random(1)

    def text(low: int, high: int) -> list[int]:
        return [draw.randrange(5, 400) for _ in range(draw.randrange(low, high))]

    found = []
    for _ in range(prompts):
        instruction, baseline = text(2, 90), text(34, 150)
        for _ in range(candidates):
            shown = [baseline, text(1, 150)]
            for first, second in (shown, shown[::-1]):
                found.append([*BEGINNING, *instruction, *first, 400, 401, *second, 402])
    draw.shuffle(found)
    return found


def whole(nodes: Sequence[Node], before: Sequence[int] = ()) -> dict[int, list[int]]:
    """The sequences that a tree holds, by their places."""
    found: dict[int, list[int]] = {}
    for node in nodes:
        ids = [*before, *node.ids]
        assert node.ids and node.start == len(before) and (node.sequence is None) == bool(node.children)
        found |= {node.sequence: ids} if node.sequence is not None else whole(node.children, ids)
    return found


def size(nodes: Sequence[Node]) -> int:
    return sum(len(node.ids) + size(node.children) for node in nodes)


def depth(nodes: Sequence[Node]) -> int:
    return 1 + max(depth(node.children) for node in nodes) if nodes else 0


def test_a_tree_holds_what_questions_share_once() -> None:
    sequences = questions(prompts=6, candidates=8)
    nodes = tree(sequences)
    assert whole(nodes) == dict(enumerate(sequences))
    assert len(nodes) == 1 and nodes[0].ids[: len(BEGINNING)] == BEGINNING
    # Each baseline's response and each instruction once, instead of eight and sixteen times.
    assert size(nodes) < 0.65 * sum(map(len, sequences))
    assert [node.ids for node in tree(sequences, share=False)] == sorted(sequences)


def test_a_tree_of_what_is_alike_to_the_end_or_goes_on_and_on_stays_flat() -> None:
    loops = [[7] * length for length in range(1, 2000, 3)]
    same = [[1, 2, 3] * 40] * 3
    for sequences in (loops, same, [[5]], []):
        nodes = tree(sequences)
        assert whole(nodes) == dict(enumerate(sequences))
        assert depth(nodes) <= DEEPEST + 1


def test_what_begins_otherwise_shares_nothing() -> None:
    sequences = [[number, *BEGINNING] for number in range(9)]
    assert [node.ids for node in tree(sequences)] == sequences


def test_a_batch_holds_so_many_tokens_with_its_padding() -> None:
    nodes = tree(questions(prompts=6), share=False)
    found = list(batches(nodes, 1500))
    assert sorted(id(node) for batch in found for node in batch) == sorted(map(id, nodes))
    assert all(len(batch) * max(len(node.ids) for node in batch) <= 1500 for batch in found)
    assert 4 < len(found) < len(nodes) / 2
    assert [len(batch) for batch in batches(nodes, 1)] == [1] * len(nodes)


def plainly(model: Any, sequences: Sequence[Sequence[int]]) -> Any:
    import torch

    with torch.inference_mode():
        every = [model(torch.tensor([ids])).logits[0, -1].float() for ids in sequences]
    return torch.stack(every).log_softmax(-1)


def together(model: Any, sequences: list[list[int]], tokens: int, share: bool | None = None) -> Any:
    import torch

    found = {
        place: row
        for places, rows in next_logprobs(model, sequences, tokens, share)
        for place, row in zip(places, rows, strict=True)
    }
    assert sorted(found) == list(range(len(sequences)))
    return torch.stack([found[place] for place in range(len(sequences))])


@pytest.mark.parametrize(("tokens", "share"), [(600, None), (50_000, None), (50_000, False)])
def test_what_is_computed_once_says_what_each_question_says_alone(
    loaded: tuple[Any, Any], tokens: int, share: bool | None
) -> None:
    """Through local attention too, whose window of 32 tokens is shorter than what is shared."""
    model, _ = loaded
    assert shares(model)
    sequences = questions()
    assert (together(model, sequences, tokens, share) - plainly(model, sequences)).abs().max() < 1e-4


def test_in_half_precision_labels_do_not_tie_by_rounding(loaded: tuple[Any, Any]) -> None:
    import torch

    model = copy.deepcopy(loaded[0]).bfloat16()
    sequence = questions()[:1]
    coarse = together(model, sequence, 5000)
    widen(model)
    exact = together(model, sequence, 5000)
    assert exact.dtype == torch.float32
    assert (exact - coarse).abs().max() < 0.1
    assert coarse.unique().numel() < 0.8 * coarse.numel() < 0.9 * exact.unique().numel()
    widen(loaded[0])  # is exact as it is
    assert not loaded[0].get_output_embeddings()._forward_pre_hooks


def test_a_model_with_other_layers_shares_nothing(loaded: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = loaded
    monkeypatch.setattr(model.config, "layer_types", ["linear_attention", "full_attention"])
    assert not shares(model)
