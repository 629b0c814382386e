"""Why a judge is asked so much less than two orders of every prompt in every cell of every figure."""

from collections.abc import Sequence

from pinch.plan.amounts import DesignCells, Saving
from pinch.plan.judging import Asked


def savings(designs: Sequence[DesignCells], prompts: int, total: Asked) -> list[Saving]:
    """The naive number of calls, what is taken off it, and what is left; of one judge, without its audits."""
    cells = sum(design.cells for design in designs)
    judged = sum(design.judged for design in designs)
    distinct = sum(design.new for design in designs)
    both = 2 * prompts
    lines = [
        Saving("naively", both * cells, f"2 orders x {prompts:,} prompts x {cells:,} cells, every design by itself"),
        Saving("the diagonal", -both * (cells - judged), f"{cells - judged:,} cells of a baseline against itself"),
        Saving("shared by designs", -both * (judged - distinct), f"{judged - distinct:,} cells in a design above too"),
    ]
    if other := total.verdicts - both * distinct:
        lines.append(Saving("finished cells", other, "with another number of prompts"))
    known = "known" if not total.unknown else f"known of {total.known:,} cells, unknown of {total.unknown:,}"
    return [
        *lines,
        Saving("identical responses", -total.identical, f"tie without a call; {known}"),
        Saving("the same pair elsewhere", -total.repeated, f"responses of the same words in another cell; {known}"),
        Saving("judged", -total.done_calls, "verdicts that are written down"),
        Saving("in the cache", -total.cached, "replied to before"),
        Saving("left to ask", total.calls_left),
    ]
