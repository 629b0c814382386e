"""Text of others as a terminal or a log may show it: nothing in it moves a cursor, hides a word or begins a line.

Models, judges, endpoints and files from strangers are quoted in what commands print. Control characters (ANSI escapes
among them) can rewrite a screen, bidirectional overrides can show a text in another order than it has, and line
separators can make one line look like two.
"""

import re

_HOSTILE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls of C0 and C1 but tab and line feed
    "\u2028\u2029"  # line and paragraph separator
    "\u202a-\u202e\u2066-\u2069"  # bidirectional embeddings, overrides and isolates; marks (200E, 200F) are writing
    "\ufeff\ufff9-\ufffb"
    "\ud800-\udfff"  # halves of surrogate pairs, of which a file name may consist, and which no encoding can hold
    "\U000e0000-\U000e007f"  # tags, which nothing shows
    "]"
)

_BREAK = re.compile("[\t\n\r\f\v\x1c-\x1f\x85\u2028\u2029]")


def printable(text: str) -> str:
    """`text` with what is not to be printed as Python would write it (\\x1b, \\u202e); tabs and line feeds stay."""
    return _HOSTILE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """The same in one line, whatever white space there was."""
    return printable(re.sub(r"\s+", lambda found: " " if _BREAK.search(found[0]) else found[0], text).strip())


LONGEST = 2000
"""Characters of an error, whatever it quotes: a cell of a table may hold a book."""


def error_line(text: str) -> str:
    """The same for an error: its beginning, which says where, and its end, which says what to do."""
    line = one_line(text)
    if len(line) <= LONGEST:
        return line
    left_out = len(line) - LONGEST
    return f"{line[: LONGEST - 500]} [... {left_out:,} characters ...] {line[-500:]}"
