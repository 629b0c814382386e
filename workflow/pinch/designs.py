"""Designs: what should be compared, as the config writes it down, and the training sets that follow from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from pinch import languages
from pinch.config import AnyDesign, Config, Custom, Finetune, Monolingual, Pinch, Untuned
from pinch.errors import PinchError
from pinch.faults import explain
from pinch.rows import SourceRow, canonical, read_rows

UNTUNED = "untuned"


@dataclass(frozen=True)
class TrainingSet:
    """A row of the matrix: what a model is tuned on, and how."""

    name: str
    counts: tuple[tuple[str, int], ...]
    """Rows by language, in the experiment's order of languages; empty for the untuned base model."""
    finetune: Finetune | None
    label: str


def mixture_name(counts: tuple[tuple[str, int], ...], pivot: str, variant: str | None = None) -> str:
    """The name of a composition, the same whichever design asked for it.

    Up to four languages all are named, as in en46+es1+it1; above, the pivot's rows, the number of the other
    languages, the most rows that one of them has, and a digest of it all: en4350+11x4-3f2a9c.
    """
    if len(counts) <= 4:
        name = "+".join(f"{lang}{rows}" for lang, rows in sorted(counts, key=lambda item: (item[0] != pivot, item[0])))
    else:
        others = [rows for lang, rows in counts if lang != pivot]
        code = sha256(canonical(sorted(counts)).encode()).hexdigest()[:6]
        name = f"{pivot}{dict(counts).get(pivot, 0)}+{len(others)}x{max(others)}-{code}"
    return f"{name}_{variant}" if variant else name


def even_split(total: int, langs: list[str], pivot: str) -> dict[str, int]:
    """`total` rows evenly over `langs`, exactly: among equal remainders the pivot comes first, then their order."""
    first = [lang for lang in langs if lang == pivot] + [lang for lang in langs if lang != pivot]
    share, left = divmod(total, len(langs))
    return {lang: share + (first.index(lang) < left) for lang in langs}


def pinch_counts(percent: float, rows: int, langs: list[str], pivot: str) -> dict[str, int]:
    """Rows by language where `percent` of them go evenly over `langs` and the rest to the pivot (paper, 3.2).

    The share of P = 1 over 12 languages of 4,390 rows is 44 rows, 40 of them not in the pivot.
    """
    spread = int(percent * rows / 100 + 0.5)
    counts = even_split(spread, langs, pivot)
    counts[pivot] += rows - spread
    return {lang: count for lang, count in counts.items() if count}


def check_languages(config: Config) -> None:
    """Every language that a part of the config names is one of the experiment. Raises PinchError naming the key."""
    known = ", ".join(config.languages)
    if config.pivot not in config.languages:
        raise PinchError(f"pivot: {config.pivot} is not among languages ({known}); add it")
    for lang in config.evaluation.languages or []:
        if lang not in config.languages:
            raise PinchError(f"evaluation.languages: {lang} is not among languages ({known}); add it there too")
    for index, design in enumerate(config.designs):
        named = design.rows if isinstance(design, Custom) else getattr(design, "languages", None)
        for lang in named or []:
            if lang not in config.languages:
                key = "rows" if isinstance(design, Custom) else "languages"
                raise PinchError(f"designs[{index}].{key}: {lang} is not among languages ({known}); add it there too")
        if isinstance(design, Pinch) and config.pivot not in design.languages:
            raise PinchError(f"designs[{index}].languages: a pinch has the pivot {config.pivot} among its languages")


def expand_designs(config: Config, n_rows: int) -> dict[str, TrainingSet]:
    """The training sets that the designs ask for, by name, in their order; `n_rows` is the size of one.

    A composition that two designs ask for is one training set. Raises PinchError naming the key where they
    want it trained in two ways.
    """
    found: dict[str, TrainingSet] = {}
    for index, design in enumerate(config.designs):
        for item in _expand(config, n_rows, design, f"designs[{index}]"):
            other = found.setdefault(item.name, item)
            if other.finetune != item.finetune:
                raise PinchError(
                    f"designs[{index}].finetune: {item.name} is also asked for with other hyperparameters; "
                    "give one of the two a `variant` name"
                )
    return found


def monolingual(config: Config, n_rows: int, lang: str) -> TrainingSet:
    """All rows in one language, trained as the config's section `finetune` says."""
    return _training_set(config, {lang: n_rows}, languages.name(lang), Monolingual(design="monolingual"), "")


def _expand(config: Config, n_rows: int, design: AnyDesign, key: str) -> Iterator[TrainingSet]:
    if isinstance(design, Untuned):
        yield TrainingSet(UNTUNED, (), None, design.label or "untuned")
        return
    if isinstance(design, Monolingual):
        wanted = config.languages if design.languages is None else design.languages
        compositions = [(languages.name(lang), {lang: n_rows}) for lang in wanted]
    elif isinstance(design, Pinch):
        compositions = _pinches(config, n_rows, design, key)
    else:
        compositions = [_custom(config, design, key)]
    if design.label and len(compositions) > 1:
        raise PinchError(
            f"{key}.label: names one training set, but this design makes {len(compositions)}; leave it out"
        )
    for label, counts in compositions:
        yield _training_set(config, counts, label, design, f"{key}.")


def _pinches(config: Config, n_rows: int, design: Pinch, key: str) -> list[tuple[str, dict[str, int]]]:
    langs = [lang for lang in config.languages if lang in design.languages]
    found = []
    for percent in design.percent:
        counts = pinch_counts(percent, n_rows, langs, config.pivot)
        absent = [lang for lang in langs if lang not in counts]
        if absent:
            raise PinchError(
                f"{key}.percent: {percent:g} % of {n_rows} rows leaves no row for {', '.join(absent)}; "
                "use a larger percentage, more rows or fewer languages"
            )
        found.append((f"pinch {percent:g} %\n({' + '.join(langs)})", counts))
    return found


def _custom(config: Config, design: Custom, key: str) -> tuple[str, dict[str, int]]:
    total, available = sum(design.rows.values()), len(read_rows(config.data.train, SourceRow))
    if total > available:
        raise PinchError(f"{key}.rows: {total} rows are wanted, data.train ({config.data.train}) has {available}")
    return " + ".join(f"{rows} {lang}" for lang, rows in design.rows.items()), dict(design.rows)


def _training_set(
    config: Config, counts: dict[str, int], label: str, design: Monolingual | Pinch | Custom, key: str
) -> TrainingSet:
    ordered = tuple((lang, counts[lang]) for lang in config.languages if lang in counts)
    settings: dict[str, Any] = config.finetune.model_dump() | design.finetune
    try:
        finetune = Finetune.model_validate(settings)
    except ValidationError as error:
        raise PinchError(f"{key}finetune.{explain(error, settings)}") from None
    named = design.label or (f"{label}, {design.variant}" if design.variant else label)
    return TrainingSet(mixture_name(ordered, config.pivot, design.variant), ordered, finetune, named)
