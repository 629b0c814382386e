"""Schemas of known datasets, and the paper's filters: from raw rows to rows with an instruction and a response."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from pinch.config.sources import Place, Source
from pinch.errors import PinchError
from pinch.rows import SourceRow
from pinch.sources.reading import RawRow


@dataclass
class Selection:
    """What a format makes of raw rows: the rows kept, and how many it left out for which reason."""

    rows: list[SourceRow] = field(default_factory=list)
    places: dict[str, RawRow] = field(default_factory=dict)
    """What each row was made of, by its id; for messages."""
    left_out: Counter[str] = field(default_factory=Counter)

    def keep(self, raw: RawRow, **values: Any) -> None:
        """Add a row. Raises PinchError with its place where a field is empty or of another type, or the id repeats."""
        response = values.pop("response", None)
        if isinstance(response, str) and not response.strip():
            response = None
        try:
            row = SourceRow(**values, response=response)
        except ValidationError as error:
            first = error.errors()[0]
            said = first["msg"].removeprefix("Value error, ")
            of = f" (id {values['id']!r})" if values["id"] and first["loc"][0] != "id" else ""
            raise PinchError(f"{raw.where}: field {str(first['loc'][0])!r} {said}{of}") from None
        if row.id in self.places:
            first_place = self.places[row.id].line
            raise PinchError(f"{raw.where}: repeats id {row.id!r} of {first_place}; each may occur once")
        self.places[row.id] = raw
        self.rows.append(row)


def select(source: Source, raws: Sequence[RawRow], pivot: str) -> Selection:
    """The rows that a source gives: read = kept + left out."""
    selection = FORMATS[source.format](source, raws, pivot)
    if source.limit and len(selection.rows) > source.limit:
        selection.left_out[f"after the first {source.limit}"] = len(selection.rows) - source.limit
        del selection.rows[source.limit :]
    return selection


def joined(raw: RawRow, instruction: Any, addition: Any) -> Any:
    """An instruction and its input, where there is one, after a blank line. Raises PinchError where it is no text."""
    if not isinstance(addition, str | None):
        raise PinchError(f"{raw.where}: the input {addition!r} is not a text")
    if isinstance(instruction, str) and instruction.strip() and (addition or "").strip():
        return f"{instruction}\n\n{addition}"
    return instruction


def column(raw: RawRow, name: str) -> Any:
    """A value of a row; raises PinchError naming the columns that the row has instead."""
    if name not in raw.values:
        there = ", ".join(map(repr, raw.values)) or "nothing"
        raise PinchError(f"{raw.where}: field {name!r} is missing; the row has {there}")
    return raw.values[name]


def mapped(place: Place, raws: Sequence[RawRow]) -> Selection:
    """Rows with columns of any name, `lang` kept as it is; nothing is left out.

    A column that `fields` names must be there; one that it does not name may be missing, but for the
    instruction and the id.
    """
    names: dict[str, str | None] = {ours: ours for ours in ("id", "instruction", "input", "response", "lang")}
    names |= {str(ours): theirs for ours, theirs in place.fields.items()}
    known = {name for raw in raws for name in raw.values}
    for ours, theirs in names.items():
        if theirs is None or theirs in known or (ours in ("input", "response", "lang") and ours not in place.fields):
            continue
        remedy = "name it in `fields`" + (", or number the rows by {id: null}" if ours == "id" else "")
        there = ", ".join(map(repr, sorted(known)))
        raise PinchError(f"{place.name}: has no column {theirs!r} for {ours}; it has {there}; {remedy}")
    selection = Selection()
    for raw in raws:
        value = {ours: raw.values.get(theirs) for ours, theirs in names.items() if theirs is not None}
        selection.keep(
            raw,
            id=column(raw, names["id"]) if names["id"] else f"{place.stem}-{raw.number}",
            instruction=joined(raw, column(raw, str(names["instruction"])), value.get("input")),
            response=value.get("response"),
            lang=value.get("lang"),
        )
    return selection


def _rows(source: Source, raws: Sequence[RawRow], pivot: str) -> Selection:
    selection = mapped(source, raws)
    for row in selection.rows:
        if row.lang not in (None, pivot):
            raise PinchError(
                f"{source.name}: id {row.id!r}: lang is {row.lang!r}, but the config says pivot: {pivot}; "
                "rows in languages of their own are natural data"
            )
    return selection


def _lima(_: Source, raws: Sequence[RawRow], __: str) -> Selection:
    """LIMA: conversations of one turn. The hub's train split has 1,000 of them, then 30 of several turns.

    Rows of {instruction, response} are taken too. Such copies have flattened the 30 to their first exchange, and
    nothing in a row tells them from the rest, so `limit` has to cut them. One copy with 1,022 rows was looked at:
    992 of the 1,000 (8 are missing), then the 30.
    """
    selection = Selection()
    for raw in raws:
        if "conversations" in raw.values:
            turns = raw.values["conversations"]
            if not isinstance(turns, list) or not turns:
                raise PinchError(f"{raw.where}: 'conversations' is not a list of turns")
            if len(turns) > 2:
                selection.left_out["several turns"] += 1
                continue
            instruction, response = turns[0], turns[1] if len(turns) > 1 else None
        else:
            instruction, response = column(raw, "instruction"), raw.values.get("response")
        selection.keep(raw, id=f"lima-{raw.number:04d}", instruction=instruction, response=response)
    return selection


def _oasst(_: Source, raws: Sequence[RawRow], pivot: str) -> Selection:
    """OpenAssistant: first turns in one language, each with the best ranked of its replies; one raw row a message.

    The best has the lowest rank among those there: 0, unless what was ranked higher is not in the export.
    review_result is not looked at: whoever is ranked or has a ranked reply has passed the review (in the English
    validation split all roots and all ranked replies have), and what failed has no rank.
    """
    replies: dict[Any, list[RawRow]] = {}
    for raw in raws:
        usable = (
            column(raw, "role") == "assistant" and not raw.values.get("deleted") and not raw.values.get("synthetic")
        )
        _check_message(raw)
        rank = column(raw, "rank")
        if not isinstance(rank, int | float | None) or rank != rank:  # noqa: PLR0124  NaN has no place in an order
            raise PinchError(f"{raw.where}: rank {rank!r} is not a number; a table of texts (CSV) cannot hold messages")
        if usable and rank is not None:
            replies.setdefault(column(raw, "parent_id"), []).append(raw)
    selection = Selection()
    for raw in raws:
        message = raw.values
        if column(raw, "parent_id") is not None:
            reason = "not a first turn"
        elif column(raw, "lang") != pivot:
            reason = "another language"
        elif message["role"] != "prompter":
            reason = "not by a prompter"
        elif message.get("deleted"):
            reason = "deleted"
        elif message.get("synthetic"):
            reason = "synthetic"
        elif column(raw, "message_id") not in replies:
            reason = "no ranked reply"
        else:
            # Equal ranks are settled by id, so that the order of the file does not matter.
            best = min(replies[message["message_id"]], key=lambda reply: (reply.values["rank"], _message_id(reply)))
            selection.keep(
                raw, id=message["message_id"], instruction=column(raw, "text"), response=column(best, "text")
            )
            continue
        selection.left_out[reason] += 1
    return selection


def _check_message(raw: RawRow) -> None:
    for name in ("message_id", "parent_id", "role", "lang"):
        if not isinstance(value := column(raw, name), str | int | None):
            raise PinchError(f"{raw.where}: {name} {value!r} is not a text")


def _message_id(raw: RawRow) -> str:
    return str(column(raw, "message_id"))


def _alpaca_farm(source: Source, raws: Sequence[RawRow], _: str) -> Selection:
    """AlpacaFarm's and AlpacaEval's evaluation set; `output` is kept as the reference of the rubric judge.

    Ids are by row of the file, so they do not depend on what is left out.
    """
    excluded = set(source.exclude or [])
    selection = Selection()
    for raw in raws:
        if excluded and not {"dataset", "datasplit"} & raw.values.keys():
            column(raw, "dataset")
        origin = [raw.values.get(key) for key in ("dataset", "datasplit")]
        found = [str(value) for value in origin if isinstance(value, str) and value in excluded]
        if found:
            selection.left_out[f"from {found[0]}"] += 1
            continue
        instruction = joined(raw, column(raw, "instruction"), raw.values.get("input"))
        selection.keep(
            raw, id=f"alpaca_farm-{raw.number:04d}", instruction=instruction, response=raw.values.get("output")
        )
    return selection


FORMATS: dict[str, Callable[[Source, Sequence[RawRow], str], Selection]] = {
    "rows": _rows,
    "lima": _lima,
    "oasst": _oasst,
    "alpaca_farm": _alpaca_farm,
}
