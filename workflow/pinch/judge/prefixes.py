"""Prompts that begin alike, as a tree in which every shared beginning stands once.

The questions of one prompt share template and instruction, those that show one response first share that too; what they
share runs through a model once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SHORTEST = 32
"""Tokens of a beginning that is worth a pass of its own."""

DEEPEST = 4
"""Beginnings on top of each other: of all questions, of a prompt's, of those with one response first, and one more."""


@dataclass
class Node:
    """Tokens that follow those of a parent."""

    ids: list[int]
    start: int
    """Tokens before them."""
    sequence: int | None = None
    """Place of the sequence that ends here; None where others go on from here."""
    children: list["Node"] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Tokens up to and with these."""
        return self.start + len(self.ids)


def tree(sequences: Sequence[list[int]], share: bool = True) -> list[Node]:
    """The nodes that all `sequences` of tokens, none of them empty, begin with.

    Each sequence ends in a node of its own, with at least one token. Without `share` each is one node, whole.
    """
    order = sorted(range(len(sequences)), key=lambda place: sequences[place])
    rows = [sequences[place] for place in order]
    # What a row shares with the one before; sorted, that is all there is to know.
    alike = [0, *(_alike(one, other) for one, other in pairwise(rows))]

    def grow(low: int, high: int, start: int, depth: int) -> list[Node]:
        """Nodes of the rows from `low` to before `high`, which share their first `start` tokens."""
        if high - low == 1 or depth == DEEPEST:
            return [Node(rows[row][start:], start, order[row]) for row in range(low, high)]
        common = min(alike[low + 1 : high])
        cuts = [low, *(row for row in range(low + 1, high) if alike[row] == common), high]
        worth = common - start >= SHORTEST
        parts = [
            node
            for first, last in pairwise(cuts)
            for node in grow(first, last, common if worth else start, depth + worth)
        ]
        return [Node(rows[low][start:common], start, children=parts)] if worth else parts

    return grow(0, len(rows), 0, 0 if share else DEEPEST) if rows else []


def _alike(one: list[int], other: list[int]) -> int:
    """Tokens that two sequences begin with alike, less than either has."""
    most = min(len(one), len(other)) - 1
    return next((place for place in range(most) if one[place] != other[place]), most)


def batches(nodes: Sequence[Node], tokens: int) -> Iterator[list[Node]]:
    """Nodes of like length together, at most so many tokens a batch, what is before them and padding among them.

    A node that is longer goes alone.
    """
    batch: list[Node] = []
    before = 0
    for node in sorted(nodes, key=lambda node: (len(node.ids), node.start)):
        if batch and (len(batch) + 1) * (max(before, node.start) + len(node.ids)) > tokens:
            yield batch
            batch, before = [], 0
        batch.append(node)
        before = max(before, node.start)
    if batch:
        yield batch
