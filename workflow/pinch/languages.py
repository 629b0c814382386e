"""Languages: their codes and names, and which one a text is written in."""

import difflib
import unicodedata
from functools import cache
from typing import Any, Literal

PAPER = ("ar", "zh", "cs", "en", "et", "fi", "he", "hi", "it", "ru", "es", "sw")
"""The paper's twelve languages (Table 2)."""

SLAVIC = ("ru", "sr", "hr", "sl", "pl", "sk", "cs")
"""The paper's seven Slavic languages (Table 1)."""

NEIGHBOURS = ("bg", "uk", "pt", "fr", "de")
"""Kept among the candidates of identification, so that Portuguese is not called Spanish."""

UNDETERMINED = "undetermined"

Match = Literal["right", "wrong", "undetermined"]


@cache
def _names() -> dict[str, str]:
    from babel import Locale

    return {str(code): str(name) for code, name in Locale("en").languages.items() if len(code) in (2, 3)}


def is_code(code: str) -> bool:
    """Whether `code` is an ISO 639 code that the Unicode CLDR has a name for."""
    return code in _names()


def name(code: str) -> str:
    """The English name of a language, in Latin script, so that every font can draw it."""
    return _names().get(code, code)


def direction(code: str) -> Literal["ltr", "rtl"]:
    """How a language is written, by CLDR; left to right where it does not say."""
    from babel import Locale, UnknownLocaleError

    try:
        return "rtl" if Locale.parse(code).text_direction == "rtl" else "ltr"
    except (UnknownLocaleError, ValueError):
        return "ltr"


def suggestions(word: str) -> list[str]:
    """Codes that somebody who wrote `word` may have meant ('spanish', 'spa' and 'es-ES' -> 'es')."""
    from babel.core import get_global

    word = word.casefold()
    first = word.replace("_", "-").split("-")[0]
    first = get_global("language_aliases").get(first, first)
    if is_code(first):
        return [first]
    by_name = [code for code, label in _names().items() if label.casefold() == word]
    return by_name or difflib.get_close_matches(word, [code for code in _names() if len(code) == 2], n=3, cutoff=0.5)


def candidates(experiment: tuple[str, ...] | list[str] = ()) -> frozenset[str]:
    """The languages that identification may answer with, whatever the experiment's own are."""
    return frozenset({*PAPER, *SLAVIC, *NEIGHBOURS, *experiment})


@cache
def _identifier(allowed: frozenset[str]) -> tuple[Any, set[str]]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    known = {str(code) for code in identifier.labels}
    identifier.set_languages(sorted(allowed & known))
    return identifier, known


def identify(text: str, allowed: frozenset[str], min_letters: int = 12, min_probability: float = 0.6) -> str:
    """The language of `text` among `allowed`, or "undetermined".

    Undetermined are texts of fewer than `min_letters` letters (in scripts written without spaces between
    words a letter says more, so a third of that is enough), texts of which less than half is letters
    (code, numbers) and those of which the identifier is less sure than `min_probability`.
    """
    letters = [character for character in text if unicodedata.category(character).startswith("L")]
    dense = sum(unicodedata.category(character) == "Lo" and ord(character) > 0x2E80 for character in letters)
    needed = min_letters // 3 if 2 * dense > len(letters) else min_letters
    visible = sum(not character.isspace() for character in text)
    if len(letters) < needed or 2 * len(letters) < visible:
        return UNDETERMINED
    identifier, _ = _identifier(allowed)
    code, probability = identifier.classify(text)
    return str(code) if probability >= min_probability else UNDETERMINED


def match(text: str, expected: str, allowed: frozenset[str]) -> Match:
    """Whether `text` is in the `expected` language; undetermined too where the identifier does not know it."""
    _, known = _identifier(allowed)
    if expected not in known:
        return "undetermined"
    found = identify(text, allowed)
    if found == UNDETERMINED:
        return "undetermined"
    return "right" if found == expected else "wrong"


def found(text: str, lang: str, allowed: frozenset[str]) -> str:
    """The language of a response to a prompt in `lang`: its code, or "undetermined".

    Undetermined too where identification does not know `lang`: it could name another language alone.
    """
    said = match(text, lang, allowed)
    if said == "wrong":
        return identify(text, allowed)
    return lang if said == "right" else UNDETERMINED
