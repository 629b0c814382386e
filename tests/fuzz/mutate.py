"""How files go wrong, by accident and on purpose: in their values, and in their bytes."""

import copy
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import yaml

HOSTILE: list[Any] = [
    *[None, True, False, 0, -1, 1.5, 10**30, 10**400, "", " ", [], {}, [[]], [None], {"a": 1}, ["a", "a"]],
    *["x" * 100_000, "\x00", "\x1b[2J\x1b]0;title\x07", "a\u2028b", "\u202egnp.exe", "\ufeff", "\ud800", "\r\n", "\t"],
    *["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "$(touch pwned)", "`touch pwned`", "'; touch pwned #"],
    *["../../../../etc/passwd", "--output=pwned", "/dev/null", "/proc/self/mem", "{a}", "{0.__class__}", "%s%n", "*"],
    *["nan", "1e999", "١٢", "1_0", "no", "en", "es", "EN", "e001", "first", "candidate", 1, "1"],
]

JSON_TOKENS = ["NaN", "-Infinity", "1e999", "-0", "9" * 5000, '"\\ud800"', '"\\u0000"', "[" * 3000 + "]" * 3000]
YAML_TOKENS = [
    *[".nan", ".inf", "2026-13-45", "2026-11-24", "!!bool x", "!!int z", "1_000", "0o8", "12:30:45", "~", "9" * 5000],
    *["!!python/object/apply:os.system [touch pwned]", "!!python/name:os.system", "!!binary x", "!!set {a, b}"],
    *[
        "!!timestamp x",
        "&a [*a]",
        "*nowhere",
        "!unknown x",
        "{<<: [1]}",
        "[" * 2000,
        "? [a]",
        "|\n  a\n b",
        "!!omap [a]",
    ],
    *["&a [&b [x,x,x,x,x,x,x,x,x],*b,*b,*b,*b,*b,*b,*b,*b,*b]", "__use_yte__", '"\\ud800"', '"\\0"', "{[a]: b}"],
]

_PLACE = "PLACE{}HOLDER"
_TWICE = "TWICE0HOLDER"


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every list or mapping below a value, with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from places(value[key])


def changed(random: Random, value: Any, tokens: list[str]) -> Any:
    """A copy in which one to three places hold something else; tokens by their placeholders."""
    value = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        found = list(places(value))
        if not found:
            return random.choice(HOSTILE)
        parent, key = random.choice(found)
        how = random.randrange(8)
        if how < 3:
            parent[key] = copy.deepcopy(random.choice(HOSTILE))
        elif how == 3:
            parent[key] = _PLACE.format(random.randrange(len(tokens)))
        elif how == 4:
            del parent[key]
        elif how == 5:
            other, place = random.choice(found)
            parent[key] = copy.deepcopy(other[place])
        elif isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        elif how == 6:
            parent[f"{key}{_TWICE}"] = copy.deepcopy(random.choice([parent[key], *HOSTILE[:9]]))
        else:
            names = ["", "id", "\x1b[1m", f"{key} ", str(key).upper(), "x" * 5000, 1, None, True]
            parent[random.choice(names)] = parent.pop(key)
    return value


def dump_json(random: Random, value: Any, tokens: list[str] | None = None) -> str:
    text = json.dumps(value, ensure_ascii=random.random() < 0.5, indent=random.choice((None, None, 1)))
    text = re.sub(r'"PLACE(\d+)HOLDER"', lambda found: (tokens or JSON_TOKENS)[int(found[1])], text)
    return text.replace(_TWICE, "")


def dump_yaml(value: Any) -> str:
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=10**9)
    return re.sub(r"PLACE(\d+)HOLDER", lambda found: YAML_TOKENS[int(found[1])], text).replace(_TWICE, "")


def encoded(text: str) -> bytes:
    """Halves of surrogate pairs too, as a careless program writes them."""
    return text.encode("utf-8", "surrogatepass")


def json_file(random: Random, valid: bytes) -> bytes:
    return encoded(dump_json(random, changed(random, json.loads(valid), JSON_TOKENS)))


def yaml_file(random: Random, valid: bytes) -> bytes:
    if random.random() < 0.1:
        return valid + b"\n" + random.choice(YAML_HEADS)
    return encoded(dump_yaml(changed(random, yaml.safe_load(valid), YAML_TOKENS)))


def _laughs(levels: int) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


YAML_HEADS = [
    _laughs(9),
    b"__use_yte__: true",
    b"--- {}\n...",
    b"? a\n: b",
    b"2026-11-24: x",
    b"\tx: y",
    b"x: &x {y: *x}",
    b"%TAG ! x",
]


def jsonl_file(random: Random, valid: bytes) -> bytes:
    """Some lines changed, doubled, left out or moved."""
    lines = valid.decode().rstrip("\n").split("\n")
    for _ in range(random.choice((1, 1, 2))):
        number = random.randrange(len(lines))
        how = random.randrange(8)
        if how == 0:
            lines.insert(random.randrange(len(lines)), lines[number])
        elif how == 1 and len(lines) > 1:
            lines.pop(number)
        elif how == 2:
            lines[number] = random.choice(
                ["", " ", "[]", "null", "{}", "\ufeff{}", '{"id": 1}', "{", "\x0c", "[" * 9999]
            )
        else:
            try:
                row = json.loads(lines[number])
            except (ValueError, RecursionError):
                continue
            lines[number] = dump_json(random, changed(random, row, JSON_TOKENS)).replace("\n", " ")
    return encoded(random.choice(("\n", "\n", "\n", "\r\n")).join(lines) + random.choice(("\n", "\n", "")))


def csv_file(random: Random, valid: bytes) -> bytes:
    """Cells, columns and separators changed."""
    rows = list(csv.reader(io.StringIO(valid.decode("utf-8-sig"), newline="")))
    for _ in range(random.choice((1, 1, 2, 3))):
        row = random.choice(rows)
        how = random.randrange(6)
        if how == 0 and row:
            row.pop(random.randrange(len(row)))
        elif how == 1:
            row.insert(random.randrange(len(row) + 1), random.choice(row or ["x"]))
        elif how == 2:
            rows.insert(random.randrange(len(rows)), list(row))
        elif row:
            value = random.choice(HOSTILE)
            row[random.randrange(len(row))] = "" if value is None else str(value)[:200_000]
    out = io.StringIO()
    quoting = random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    csv.writer(out, delimiter=random.choice(",,,;\t"), quoting=quoting).writerows(rows)
    return encoded(out.getvalue())


DTDS = [
    '<!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]>',
    '<!DOCTYPE tmx [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE tmx [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x.dtd"> %a;]>',
    '<!DOCTYPE tmx SYSTEM "http://127.0.0.1:9/tmx14.dtd">',
    '<!DOCTYPE tmx [<!ATTLIST tuv xml:lang CDATA "es">]>',
    '<?xml-stylesheet href="file:///etc/passwd"?>',
]


def tmx_file(random: Random, valid: bytes) -> bytes:
    """Markup changed; entities, inside and outside."""
    text = valid.decode()
    for _ in range(random.choice((1, 1, 2))):
        how = random.randrange(6)
        if how == 0:
            text = text.replace("<tmx", random.choice(DTDS) + "<tmx", 1).replace("<seg>", "<seg>&c;&a;", 1)
        elif how == 1:
            inside = random.choice(
                ["&a;", "&#0;", "&#xD800;", "<x>" * 2000 + "</x>" * 2000, "<ph/>", "]]>", "\x00", "&lt;"]
            )
            text = text.replace("<seg>", f"<seg>{inside}", random.choice((1, -1)))
        elif how == 2:
            tags = re.findall(r"<[^>]*>", text)
            text = text.replace(random.choice(tags), random.choice(["", random.choice(tags), "<tu>", "<![CDATA["]), 1)
        elif how == 3:
            encoding = random.choice(["utf-16", "latin-1", "utf-7", "ebcdic", "idna", "rot13", "x" * 99])
            text = re.sub(r'encoding="[^"]*"', f'encoding="{encoding}"', text)
        elif how == 4:
            attributes = re.findall(r'[\w:]+="[^"]*"', text)
            value = str(random.choice(HOSTILE)).replace("&", "").replace("<", "").replace('"', "")
            attribute = random.choice(attributes)
            text = text.replace(attribute, f'{attribute.partition("=")[0]}="{value}"', 1)
        else:
            units = re.findall(r"<tu .*?</tu>", text, re.DOTALL)
            if units:
                text = text.replace("</body>", random.choice(units) + "</body>", 1)
    return encoded(text)


def text_file(random: Random, valid: bytes) -> bytes:
    """Words of a text changed."""
    words = valid.decode().split(" ")
    for _ in range(random.choice((1, 2, 3))):
        words[random.randrange(len(words))] = str(
            random.choice([*HOSTILE, "{instruction", "}", "{{", "{response_1!r}"])
        )
    return encoded(" ".join(words))


def parquet_file(random: Random, valid: bytes) -> bytes:
    """Columns of other types."""
    import polars as pl

    frame = pl.read_parquet(io.BytesIO(valid))
    name = random.choice(frame.columns)
    count = len(frame)
    columns = [
        pl.Series(name, [None] * count),
        pl.Series(name, [1.5] * count),
        pl.Series(name, [float("nan")] * count),
        pl.Series(name, [[1, 2]] * count),
        pl.Series(name, [{"a": 1}] * count),
        pl.Series(name, [b"\xff\x00"] * count),
        pl.Series(name, list(range(count))),
        pl.Series(name, [True] * count),
        pl.Series(name, ["a"] * count).cast(pl.Categorical),
        pl.Series(name, [0] * count).cast(pl.Datetime),
        pl.Series(name, [10**17] * count).cast(pl.Date, strict=False),
        pl.Series(name, ["x" * 10_000] * count),
    ]
    how = random.randrange(len(columns) + 3)
    if how < len(columns):
        frame = frame.with_columns(columns[how])
    elif how == len(columns):
        frame = frame.drop(name)
    elif how == len(columns) + 1:
        frame = frame.rename({name: random.choice(["", f"{name} ", name.upper(), "\x1b[1m", "x" * 5000])})
    else:
        frame = frame.clear() if random.random() < 0.5 else pl.concat([frame, frame])
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


def garbled(random: Random, data: bytes) -> bytes:
    """Bytes lost, flipped, doubled, put in; another encoding."""
    where = random.randrange(len(data) + 1)
    end = min(len(data), where + random.choice((1, 8, 200)))
    piece = random.choice(
        [
            b"\x00",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\r\n",
            b"\n",
            b"\xe2\x80\xa8",
            b"\xed\xa0\x80",
            b'"',
            b"{",
            b"\x1b[2J",
            b"," * 999,
        ]
    )
    ways: list[Callable[[], bytes]] = [
        lambda: data[:where],
        lambda: data[:where] + data[end:],
        lambda: data[:where] + data[where:end] + data[where:],
        lambda: data[:where] + piece + data[where:],
        lambda: data[:where] + bytes([(data[where] ^ (1 << random.randrange(8))) if data else 0]) + data[where + 1 :],
        lambda: b"\xef\xbb\xbf" + data,
        lambda: data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n", b"\xc2\x85"))),
        lambda: data.decode("utf-8", "replace").encode(random.choice(("utf-16", "utf-16-le", "utf-32", "utf-7"))),
        lambda: random.randbytes(random.choice((0, 1, 300))),
        lambda: b"[" * 100_000,
        lambda: data * random.choice((2, 3)),
    ]
    if where == len(data):
        del ways[4]
    return random.choice(ways)()
