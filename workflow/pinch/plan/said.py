"""How long responses are: measured on those that are there, else at most what `generate` allows."""

from collections.abc import Sequence
from statistics import fmean

from pinch.plan.work import Responses
from pinch.rows import GenerationRow, read_rows


class Said:
    """Tokens of the responses of one base model and the models tuned from it."""

    def __init__(self, cells: Sequence[Responses], most: int) -> None:
        """`most`: tokens of a response at most."""
        self.counts: dict[str, list[int]] = {}
        """Of each response that is there, by language."""
        for cell in cells:
            if cell.done:
                counts = [row.n_tokens for row in read_rows(cell.path, GenerationRow)]
                self.counts.setdefault(cell.lang, []).extend(counts)
        known = [count for counts in self.counts.values() for count in counts]
        self.responses = len(known)
        self.tokens = sum(known)
        """Generated so far."""
        self._otherwise = fmean(known) if known else float(most)

    def mean(self, lang: str) -> float:
        """Tokens of a response in a language; in one without responses, of all languages."""
        return fmean(self.counts[lang]) if self.counts.get(lang) else self._otherwise
