"""The language-gated score: a response in the language asked for beats one that is not, whatever the judge says."""

from collections.abc import Mapping

from pinch import languages


def gated_outcomes(
    outcomes: Mapping[str, float | None], candidates: Mapping[str, str], baselines: Mapping[str, str], lang: str
) -> dict[str, float | None]:
    """The outcomes by id, decided by language where that can be; the languages found in the responses by id.

    The right language beats another (1 or 0), two wrong ones tie (0.5); where both are right, or one is undetermined,
    the judge's outcome stands, None where it is invalid.
    """
    return {id: _gate(outcome, candidates[id], baselines[id], lang) for id, outcome in outcomes.items()}


def _gate(outcome: float | None, candidate: str, baseline: str, lang: str) -> float | None:
    if languages.UNDETERMINED in (candidate, baseline) or candidate == baseline == lang:
        return outcome
    return 0.5 + 0.5 * ((candidate == lang) - (baseline == lang))
