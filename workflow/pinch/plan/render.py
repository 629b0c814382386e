"""A plan as text: aligned columns, which Markdown shows as they are."""

from collections.abc import Sequence

from pinch.plan.amounts import Amount, Plan, Saving, Shown

SECTIONS = ("training", "cells", "judging", "data", "time and money", "disk")


def render(plan: Plan) -> str:
    """The whole plan, for a terminal."""
    return "\n".join(f"{title}\n{'-' * len(title)}\n{body}\n" for title, body in _parts(plan))


def render_markdown(plan: Plan, name: str) -> str:
    """The same as a page."""
    parts = "\n".join(f"## {title}\n\n```text\n{body}\n```\n" for title, body in _parts(plan))
    return f"# What {name} takes\n\n{parts}"


def quantity(value: float | None, unit: str) -> str:
    """A number for people: thousands separators, hours and money with decimals, bytes in their own units."""
    if value is None:
        return "unknown"
    if unit == "bytes":
        return _bytes(value)
    if unit in ("hours", "usd"):
        return "< 0.01" if 0 < value < 0.005 else f"{value:,.2f}" if 0 < value < 10 else f"{value:,.0f}"
    return f"{round(value):,}"


def _bytes(value: float) -> str:
    # Decimal, as disks are sold; what df shows in powers of two is 7 % less for GB.
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value / 1e3:.1f} kB" if value else "0"


def _parts(plan: Plan) -> list[tuple[str, str]]:
    parts = []
    for section in SECTIONS:
        amounts = [amount for amount in plan.amounts.values() if amount.section == section]
        if amounts:
            parts.append((section.capitalize(), _table(["", "whole", "left", ""], [_line(item) for item in amounts])))
        if section == "judging":
            parts += [(f"Calls of {judge}", _savings(lines)) for judge, lines in plan.savings.items()]
        if section == "training":
            parts.append(("A model", _models(plan)))
        if section == "cells":
            parts.append(("Cells by design", _designs(plan)))
            if plan.shown:
                parts.append(("Smallest differences", _differences(plan.shown)))
    parts.append(("Tokens by language", _languages(plan)))
    rates = [
        [rate.label, "" if rate.per_second is None else f"{rate.per_second:,.0f}", rate.origin] for rate in plan.rates
    ]
    parts.append(("Rates", _table(["", "tokens/s", ""], rates)))
    return [*parts, ("Notes", "\n".join(plan.notes))]


def _line(amount: Amount) -> list[str]:
    return [amount.label, quantity(amount.whole, amount.unit), quantity(amount.left, amount.unit), amount.basis]


def _models(plan: Plan) -> str:
    lines = [
        [item.label, *(_short(value) for value in (item.least, item.mean, item.most)), item.basis]
        for item in plan.models
    ]
    return _table(["", "least", "mean", "most", ""], lines)


def _short(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".") if value < 100 else f"{round(value):,}"


def _designs(plan: Plan) -> str:
    lines = [
        [
            item.name,
            *(f"{number:,}" for number in (item.training_sets, item.cells, item.judged, item.new, item.left)),
            item.design,
        ]
        for item in plan.designs
    ]
    new = sum(item.new for item in plan.designs)
    lines.append(["distinct", "", "", "", f"{new:,}", "", "new: judged and in no design above"])
    return _table(["", "sets", "cells", "judged", "new", "left", ""], lines)


def _savings(lines: Sequence[Saving]) -> str:
    return _table(["", "calls", ""], [[line.label, f"{line.calls:,}", line.basis] for line in lines])


def _differences(shown: Shown) -> str:
    lines = [
        [
            item.label,
            *("none" if value is None else f"{value:,.1f}" for value in (item.alone, item.corrected)),
            f"{item.tests:,}",
            item.basis,
        ]
        for item in shown.differences
    ]
    said = (
        f"In points: what {shown.prompts:,} prompts show with {shown.power:.0%} power at alpha {shown.alpha:g}, alone "
        "and as the first finding among so many tests.".replace("%", " %")
    )
    return f"{_table(['', 'alone', 'corrected', 'tests', ''], lines)}\n{said}"


def _languages(plan: Plan) -> str:
    several = len({item.base for item in plan.languages}) > 1
    lines = [
        [
            f"{item.base} {item.lang}" if several else item.lang,
            f"{item.tokens:,.1f}",
            f"{item.instruction:,.1f}",
            item.origin,
        ]
        for item in plan.languages
    ]
    return _table(["", "training row", "instruction", "origin"], lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns of numbers to the right; the first and the last are words, to the left."""
    rows = [head, *lines]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    last = len(head) - 1
    aligned = [
        "  ".join(
            cell.ljust(width) if place in (0, last) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(aligned)
