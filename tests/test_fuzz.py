"""Files that are wrong or meant to be: tests/fuzz, a few inputs of each kind, and the nastiest ones by name."""

import re
import time
from pathlib import Path

import pytest
from pinch import accelerated, check
from pinch.__main__ import main
from pinch.errors import PinchError
from pinch.parsing import parse_json, parse_yaml
from pinch.printable import one_line, printable

from tests.fuzz.__main__ import main as fuzz
from tests.fuzz.kinds import KINDS
from tests.fuzz.mutate import YAML_HEADS
from tests.links import link, one_error


def fuzzed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, list[int]]:
    """Numbers by kind: tried, right, error, failures."""
    status = fuzz(list(words))
    printed = capsys.readouterr().out
    assert status == 0, printed
    return {
        found[1]: [int(number) for number in found[2].split("|")]
        for found in re.finditer(r"^\| (\w+) \| ([\d |]+) \|$", printed, re.MULTILINE)
    }


def test_whatever_is_in_a_file_its_reader_says_what_or_does_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fuzzed(capsys, "--inputs", "6", "--saved", str(tmp_path))
    assert set(found) == {*KINDS, "all"}
    assert all(tried == 6 and right + error == 6 for name, (tried, right, error, _) in found.items() if name != "all")
    assert found["all"][1] and found["all"][2]


@pytest.mark.long
def test_and_so_for_a_minute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = str(int(time.time()))
    assert fuzzed(capsys, "--seconds", "60", "--seed", seed, "--saved", str(tmp_path))["all"][0] > 300


def test_a_fuzzer_that_is_told_of_a_fault_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def traceback(*_: object) -> None:
        raise ZeroDivisionError("nobody thought of it")

    monkeypatch.setattr("pinch.accelerated.check_plain", traceback)
    # The valid file is a failure already.
    with pytest.raises(AssertionError, match="accelerate: valid file 0 is refused"):
        fuzz(["--inputs", "1", "--only", "accelerate", "--saved", str(tmp_path)])
    monkeypatch.undo()
    monkeypatch.setattr("pinch.check.parse_yaml", lambda text: traceback() if "\x00" in text else parse_yaml(text))
    monkeypatch.setattr("tests.fuzz.mutate.garbled", lambda random, data: data + b"\x00")
    assert fuzz(["--inputs", "6", "--only", "config", "--saved", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "config-" in said and ": a traceback" in said
    assert "nobody thought of it" in next(tmp_path.glob("config-*.yaml.why")).read_text(encoding="utf-8")


# --- TMX ---


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))

TMX = {
    "billion laughs": (f'<!DOCTYPE tmx [<!ENTITY l0 "ha">{LAUGHS}]>', "&l9;"),
    "external entity": ('<!DOCTYPE tmx [<!ENTITY x SYSTEM "file://{secret}">]>', "&x;"),
    "parameter entity": ('<!DOCTYPE tmx [<!ENTITY % x SYSTEM "file://{secret}"> %x;]>', "a"),
}


@pytest.mark.parametrize("name", TMX)
def test_entities_are_neither_expanded_nor_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    secret, memory, source = (tmp_path / file for file in ("secret.txt", "memory.tmx", "source.jsonl"))
    secret.write_text("what nobody may see")
    source.write_text('{"id": "a", "instruction": "One"}\n')
    doctype, inside = TMX[name]
    doctype = doctype.replace("{secret}", str(secret))
    variants = f'<tuv xml:lang="en"><seg>One</seg></tuv><tuv xml:lang="es"><seg>{inside}</seg></tuv>'
    memory.write_text(f'<?xml version="1.0"?>{doctype}<tmx version="1.4"><body><tu>{variants}</tu></body></tmx>')
    output = tmp_path / "ids.json"
    assert main(link("memory", "check", memory, lang="es", source=source, output=output)) == 1
    said = one_error(capsys.readouterr().err)
    assert "is not TMX" in said and "entities and what they fetch are refused" in said
    assert "nobody may see" not in said
    assert not output.exists()


def test_a_doctype_alone_which_real_tools_write_is_no_fault_and_not_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory, source = tmp_path / "memory.tmx", tmp_path / "source.jsonl"
    source.write_text('{"id": "a", "instruction": "One"}\n')
    variants = '<tuv xml:lang="en"><seg>One</seg></tuv><tuv xml:lang="es"><seg>Uno</seg></tuv>'
    doctype = '<!DOCTYPE tmx SYSTEM "http://127.0.0.1:9/tmx14.dtd">'
    memory.write_text(f"{doctype}<tmx version='1.4'><body><tu>{variants}</tu></body></tmx>")
    assert main(link("memory", "check", memory, lang="es", source=source)) == 0
    assert "1 covered" in capsys.readouterr().out


# --- YAML and JSON ---


@pytest.mark.parametrize("text", [head.decode() for head in YAML_HEADS[:1]])
def test_aliases_that_stand_for_millions_are_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(text)
    started = time.monotonic()
    assert main(["validate", str(path)]) == 1
    assert time.monotonic() - started < 5
    assert "nested too deep, or grows without end by its aliases" in one_error(capsys.readouterr().err)


@pytest.mark.parametrize("value", ["!!python/object/apply:os.system ['touch {canary}']", "!!python/name:os.system"])
def test_a_tag_of_python_makes_no_object(tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str) -> None:
    path, canary = tmp_path / "tagged.yaml", tmp_path / "canary"
    path.write_text(f"pivot: {value.replace('{canary}', str(canary))}\n")
    assert main(["validate", str(path)]) == 1
    assert "could not determine a constructor for the tag" in one_error(capsys.readouterr().err)
    assert not canary.exists()


def test_a_doubled_key_is_named_with_its_line() -> None:
    with pytest.raises(ValueError, match=r"the key 'pivot' is there twice \(line 3, column 1\)"):
        parse_yaml("pivot: en\nlanguages: [en]\npivot: es\n")
    with pytest.raises(ValueError, match="the key 'id' is there twice"):
        parse_json('{"id": 1, "id": 2}')


def test_a_config_that_is_a_template_is_refused_by_what_reads_it_without_snakemake(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("__use_yte__: true\npivot: ?__import__('os').system('true')\n")
    with pytest.raises(PinchError, match="__use_yte__ makes code of a config"):
        check.check_configfiles([path])
    with pytest.raises(PinchError, match="unknown key '__use_yte__'"):
        check.read(path)


@pytest.mark.parametrize("value", ["2026-11-24", "!!set {a, b}", "!!binary aGFsbG8="])
def test_what_yaml_alone_has_is_named_by_its_key(tmp_path: Path, value: str) -> None:
    file = tmp_path / "accelerate.yaml"
    file.write_text(f"num_processes: 2\nwhen: {value}\n")
    with pytest.raises(PinchError, match=r"finetune.accelerate: .* when: YAML makes a (date|set|bytes) of it; write"):
        accelerated.read(str(file))


@pytest.mark.parametrize("line", ["2026-11-24: x", "1: a", "null: a", "no: a", "fsdp_config: {1: a}"])
def test_a_key_that_is_no_text_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "accelerate.yaml"
    file.write_text(f"num_processes: 2\n{line}\n")
    with pytest.raises(PinchError, match=r"finetune.accelerate: .*YAML makes .* of a key, which is no text; write it"):
        accelerated.read(str(file))


def test_a_date_in_a_config_is_named_by_its_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dated.yaml"
    path.write_text("pivot: en\nlanguages: [en, 2026-11-24]\n")
    assert main(["validate", str(path)]) == 1
    assert "languages[1]: YAML makes a date of it; write text in quotes" in one_error(capsys.readouterr().err)


def test_an_error_of_much_white_space_is_told_at_once() -> None:
    started = time.monotonic()
    assert one_line("a" + " " * 200_000 + "b").startswith("a ")
    assert one_line("a  \n \t b  c") == "a b  c"
    assert time.monotonic() - started < 2


def test_what_an_error_quotes_is_shortened_and_shows_nothing_but_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "verdicts.jsonl"
    said = "\\u001b[2J\\u001b]0;owned\\u0007\u202egnp.exe\u2028score: error: another " + "x" * 100_000
    rows.write_text(f'{{"id": "a", "order": "{said}", "winner": "tie"}}\n', encoding="utf-8")
    assert main(["score", str(rows)]) == 1
    err = capsys.readouterr().err
    assert one_error(err).startswith(f"score: error: {rows}:1: ")
    assert len(err.splitlines()) == 1 and len(err) < 2500 and printable(err) == err
