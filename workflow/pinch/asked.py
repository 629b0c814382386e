"""What the rules ask, made so that asking is cheap.

Snakemake asks for inputs, params and resources at every job, by functions of the wildcards whose signatures it inspects
at every call. In an experiment of 18,000 cells that takes longer than all of our own functions together.
"""

from collections.abc import Callable, Iterable
from inspect import signature
from shlex import join
from typing import Any


def by(function: Callable[..., Any], *names: str) -> Callable[[Any], Any]:
    """`function` of the wildcards with these names, as a function of all wildcards, as Snakemake wants it."""

    def ask(wildcards: Any) -> Any:
        return function(*(getattr(wildcards, name) for name in names))

    # PEP 362: what stands here is not worked out again.
    ask.__signature__ = signature(ask)  # type: ignore[attr-defined]
    return ask


def words(**options: str) -> str:
    """Options of a command, quoted at once: Snakemake takes longer to put them into a command one by one."""
    return join(word for option, value in options.items() for word in (f"--{option}", value))


def each(function: Callable[[str], Any], name: str, values: Iterable[str]) -> Any:
    """The same for one wildcard of known `values`, each asked once; and where all agree, no function but the answer.

    Not for text that may have a name in braces: an answer is read like any other text of a rule.
    """
    answers = {value: function(value) for value in values}
    first = next(iter(answers.values()))
    return first if all(answer == first for answer in answers.values()) else by(answers.__getitem__, name)
