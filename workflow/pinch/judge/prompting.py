"""The prompt of a language model that judges, and what its answer means."""

import re
import unicodedata
from typing import Literal

from pinch.judge.protocol import Question

UNDECIDED = frozenset({"tie", "draw", "equal", "neither", "both", "not", "no"})


def fill(prompt: str, question: Question) -> str:
    """The prompt with its fields filled in, all at once: text in a response that looks like a field stays text."""
    values = {
        "{instruction}": question.instruction,
        "{response_1}": question.first.response,
        "{response_2}": question.second.response,
    }
    return re.sub("|".join(map(re.escape, values)), lambda match: values[match.group()], prompt)


def read_label(reply: str, labels: tuple[str, str]) -> Literal["first", "second", "invalid"]:
    """Which label a reply consists of, whatever stands around it: "**B**." is B, and "A or B" is neither."""
    text = unicodedata.normalize("NFKC", reply).casefold()
    first, second = (label.casefold() for label in labels)
    words = re.findall(r"\w+", text)
    named = {word for word in words if word in (first, second)}
    # "It's a tie" has the word a in it.
    if len(words) > 4 or len(named) != 1 or not (UNDECIDED - {first, second}).isdisjoint(words):
        return "invalid"
    return "first" if named == {first} else "second"
