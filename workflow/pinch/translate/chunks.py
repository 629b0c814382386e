"""Texts in chunks that an engine takes, and back: white space and line breaks are the source's, exactly."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pinch.errors import PinchError

Fits = Callable[[str], bool]


@dataclass(frozen=True)
class Piece:
    """A line, or a part of a long one; `core` is what is translated, "" where there is no letter to translate."""

    before: str
    core: str
    after: str


Chunk = list[Piece]
"""Consecutive pieces that go to the engine together, a line each; more than one only where they are whole lines."""


def _piece(text: str) -> Piece:
    core = text.strip()
    if not any(character.isalpha() for character in core):
        return Piece(text, "", "")
    start = text.index(core)
    return Piece(text[:start], core, text[start + len(core) :])


def _asked(chunk: Chunk) -> str:
    return "\n".join(piece.core for piece in chunk).strip()


def _sentences(text: str, lang: str, fits: Fits) -> Iterator[str]:
    """`text` in runs of whole sentences."""
    from sentencex import segment

    run = ""
    for sentence in segment(lang, text):
        if not fits(sentence.strip()):
            raise PinchError(
                f"a sentence of {len(sentence)} characters is longer than the engine takes; break it up in the "
                f"source: {sentence[:60]!r}..."
            )
        if run and not fits((run + sentence).strip()):
            yield run
            run = ""
        run += sentence
    yield run


def split(text: str, lang: str, fits: Fits) -> list[Chunk]:
    """Chunks of as many lines as fit; a line that does not fit is cut between sentences.

    `lang` is the language of `text`. Raises PinchError for a sentence that does not fit.
    """
    chunks: list[Chunk] = [[]]
    for piece in (_piece(line) for line in text.splitlines(keepends=True)):
        if not fits(piece.core):
            runs = [piece.before, *_sentences(piece.core, lang, fits), piece.after]
            chunks += [*([_piece(run)] for run in runs), []]
        elif not piece.core or fits(_asked([*chunks[-1], piece])):
            chunks[-1].append(piece)
        else:
            chunks.append([piece])
    found = "".join(piece.before + piece.core + piece.after for chunk in chunks for piece in chunk)
    # A translation with a hole looks like any other; better none.
    if found != text:
        raise PinchError("the text cannot be cut into sentences without loss; break up its long lines in the source")
    return chunks


def translate(chunks: list[Chunk], ask: Callable[[str], str]) -> str:
    """The text of `chunks`, translated: `ask` gives the translation of one text that fits."""
    return "".join(_translate(chunk, ask) for chunk in chunks)


def _translate(chunk: Chunk, ask: Callable[[str], str]) -> str:
    asked = [piece.core for piece in chunk if piece.core]
    answers = [line.strip() for line in ask(_asked(chunk)).splitlines() if line.strip()] if asked else []
    if len(asked) == 1:
        answers = [" ".join(answers)]
    if len(answers) != len(asked):
        # The engine has joined or broken lines. One by one they cannot be mistaken for each other.
        return "".join(_translate([piece], ask) for piece in chunk)
    translated = iter(answers)
    return "".join(piece.before + (next(translated) if piece.core else "") + piece.after for piece in chunk)
