"""What a language is related to: its script, family and branch, and how far its syntax is from another's.

Scripts are those of the Unicode CLDR (babel). Families and syntax are URIEL's (Littell et al. 2017, EACL, short
papers, p. 8; families after Glottolog), as the package lang2vec 1.1.2 carries them (CC BY-SA 4.0).

Why lang2vec's data, though its last release is of 2019, and not urielplus 1.3.2 (tried out, 2 cores): urielplus copies
its databases into its own package folder when it is first used; without its further databases it has no syntax of
Slovak and 12 features of Croatian; integrating them takes 61 s and 4 GB, and still has none of Slovak. What lang2vec
adds is URIEL's own imputation (nearest neighbours by family, place and features), which knows all of the paper's 17
languages. Its code is not imported (it needs pkg_resources, which setuptools has dropped): only its arrays are read.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pinch import languages
from pinch.errors import PinchError

INTELLIGIBLE = {"sr": ("hr",), "hr": ("sr",), "sk": ("cs",), "cs": ("sk",)}
"""Mutual intelligibility, of the paper's Table 1 alone: no library knows it, so it is unknown of other languages."""

SCRIPTS = {"Hans": "Chinese", "Hant": "Chinese", "Jpan": "Japanese", "Kore": "Korean"}
"""Names that the paper's Table 2 and most readers use, where CLDR has a longer one."""

FAMILIES = {"Atlantic-Congo": "Niger-Congo"}
"""Glottolog's name for what the paper's Table 2, and most readers, call Niger-Congo."""

BRANCHES = ("East Slavic", "South Slavic", "West Slavic", "Romance", "Indo-Aryan")
"""Branches better known than the one directly below their family; the Slavic ones are those of the paper's Table 1."""


@dataclass(frozen=True)
class LanguageFacts:
    """What is known of a language; None where it is not known."""

    code: str
    name: str
    family: str | None
    branch: str | None
    script: str | None
    intelligible_with: tuple[str, ...]
    """Codes; empty is unknown or none."""


@cache
def facts(code: str) -> LanguageFacts:
    """Facts of a language by its ISO 639 code (two letters where it has them)."""
    lineage = _lineage(code)
    family = FAMILIES.get(lineage[0], lineage[0]) if lineage else None
    branch = next((clade for clade in BRANCHES if clade in lineage), lineage[1] if len(lineage) > 1 else family)
    return LanguageFacts(code, languages.name(code), family, branch, _script(code), INTELLIGIBLE.get(code, ()))


@cache
def typological_distance(one: str, other: str) -> float:
    """Share of URIEL's 103 syntactic features in which two languages differ, 0 to 1; NaN where URIEL lacks one.

    Syntactic, not phonological or of sound inventories: instructions are written. Features that nobody has described
    are imputed by URIEL from related and neighbouring languages (`observed_features` counts the others), so that
    part of this distance is family and place again.
    """
    import numpy as np

    vectors = [_syntax(code) for code in (one, other)]
    if vectors[0] is None or vectors[1] is None:
        return float("nan")
    both = np.isfinite(vectors[0]) & np.isfinite(vectors[1])
    return float((vectors[0] != vectors[1])[both].mean()) if both.any() else float("nan")


@cache
def observed_features(code: str) -> int:
    """How many of the 103 syntactic features URIEL has from a description of the language, not imputed."""
    counts, place = _observed()
    return max((int(counts[place[name]]) for name in _uriel_codes(code) if name in place), default=0)


def _script(code: str) -> str | None:
    from babel import Locale
    from babel.core import get_global

    parts = str(get_global("likely_subtags").get(code, "")).split("_")
    found = next((part for part in parts[1:] if len(part) == 4), None)
    return SCRIPTS.get(found, str(Locale("en").scripts.get(found, found))) if found else None


@cache
def _uriel_codes(code: str) -> tuple[str, ...]:
    """The three-letter codes that stand for a code (et: est, ekk), of which URIEL knows one or the other."""
    from babel.core import get_global

    aliases = get_global("language_aliases")
    return (code, *sorted(alias for alias, target in aliases.items() if target == code and len(alias) == 3))


@cache
def _lineage(code: str) -> tuple[str, ...]:
    """The clades that hold a language, the widest first; empty where URIEL has none."""
    held, names, place, sizes = _clades()
    found: list[int] = []
    for name in _uriel_codes(code):
        clades = [int(clade) for clade in held[place[name]].nonzero()[0]] if name in place else []
        found = clades if len(clades) > len(found) else found
    # Clades of one language lie in each other, so their sizes order them.
    return tuple(str(names[clade]).removeprefix("F_") for clade in sorted(found, key=lambda clade: -sizes[clade]))


def _syntax(code: str) -> Any:
    """Its syntactic features, 0 or 1, imputed where not described; None where URIEL does not know the language."""
    values, place, (counts, described) = *_imputed(), _observed()
    known = [name for name in _uriel_codes(code) if name in place]
    # Of several codes for one language (est, ekk) the one that is described best.
    best = max(known, key=lambda name: counts[described[name]] if name in described else 0, default=None)
    return None if best is None else values[place[best]]


def _array(file: str) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, distribution

    import numpy as np

    try:
        path = Path(str(distribution("lang2vec").locate_file(f"lang2vec/data/{file}")))
        with np.load(path) as arrays:
            return {name: arrays[name] for name in ("data", "feats", "langs")}
    except (PackageNotFoundError, FileNotFoundError):
        raise PinchError(
            "families and distances of languages need lang2vec; run: pip install lang2vec==1.1.2"
        ) from None


def _places(langs: Any) -> dict[str, int]:
    return {str(lang): index for index, lang in enumerate(langs)}


@cache
def _clades() -> tuple[Any, Any, dict[str, int], Any]:
    arrays = _array("family_features.npz")
    held = arrays["data"][:, :, 0] > 0
    return held, arrays["feats"], _places(arrays["langs"]), held.sum(axis=0)


def _syntactic(feats: Any) -> list[int]:
    return [index for index, name in enumerate(feats) if str(name).startswith("S_")]


@cache
def _imputed() -> tuple[Any, dict[str, int]]:
    import numpy as np

    arrays = _array("feature_predictions.npz")
    values = arrays["data"][:, _syntactic(arrays["feats"]), 0]
    return np.where(values >= 0, values, np.nan), _places(arrays["langs"])


@cache
def _observed() -> tuple[Any, dict[str, int]]:
    # Once 90 MB, of which only the counts are kept.
    arrays = _array("features.npz")
    described = (arrays["data"][:, _syntactic(arrays["feats"])] >= 0).any(axis=2)
    return described.sum(axis=1), _places(arrays["langs"])
