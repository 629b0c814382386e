"""Source rows held out for development: the same ones for every training set, language and draw of rows."""

from collections.abc import Iterable
from hashlib import sha256

from pinch.errors import PinchError


def held_out_ids(ids: Iterable[str], count: int, seed: int) -> list[str]:
    """The `count` ids with the smallest digests, in the order of their digests.

    Whether an id is among them hangs on the id, the seed and how many others have a smaller digest, not on the
    order of the rows; and the first of a larger count are those of a smaller one. Raises PinchError where
    no row would be left to train on.
    """
    ranked = sorted(set(ids), key=lambda id: sha256(f"held out {seed} {id}".encode()).digest())
    if count and count >= len(ranked):
        raise PinchError(
            f"{count} rows are to be held out of {len(ranked)}, which leaves none to train on; hold out fewer"
        )
    return ranked[:count]
