"""Links that are asked to stop: one line, what was finished is kept, and the next run goes on from there."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pinch.__main__ import main
from pinch.generate.cells import Cells
from pinch.rows import TranslatedRow, read_rows

from tests.chat_endpoint import Said, body, serving
from tests.harness import REPO
from tests.judge_cell import PAIRS, QUESTIONS, Cell, quick
from tests.libre_server import LibreServer
from tests.links import generate_command, one_error
from tests.test_judge_live import until
from tests.test_translate import command, libre, server

__all__ = ["libre", "server"]  # fixtures

SAID = ": error: stopped by SIGTERM; what was finished is kept, and the same command goes on from there"


def test_a_judge_that_is_asked_to_stop_keeps_its_replies(tmp_path: Path) -> None:
    """Though the endpoint does not answer the call that is under way."""
    cell = Cell(tmp_path).write(PAIRS)
    judge: list[subprocess.Popen[str]] = []
    over = threading.Event()

    def hangs(number: int, _: Any) -> Said | None:
        if number <= 5:
            return body()
        until(lambda: bool(judge) and cell.kept() == 5)
        judge[0].send_signal(signal.SIGTERM)
        over.wait(timeout=60)
        return None

    with serving(hangs) as stub:
        judge.append(cell.start(quick(stub.url)))
        try:
            _, said = judge[0].communicate(timeout=30)
        finally:
            over.set()
            judge[0].kill()
    assert judge[0].returncode == 1
    assert one_error(said) == f"judge{SAID}"
    assert not cell.output.exists()
    with serving(lambda *_: body()) as stub:
        assert f"calls {QUESTIONS - 5}, from the cache 5" in cell.judge(quick(stub.url)).out


def test_a_translation_that_is_asked_to_stop_pays_nothing_twice(
    server: LibreServer, libre: dict[str, Any], tmp_path: Path
) -> None:
    rows = [{"id": f"r{number}", "instruction": f"Text number {number}."} for number in range(40)]
    server.latency = 0.03
    words = [sys.executable, "-m", "pinch", *command(tmp_path, rows, engines=[libre], split="eval")]
    environment = os.environ | {"PYTHONPATH": str(REPO / "workflow")}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while len(server.asked) < 15 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    assert one_error(process.communicate(timeout=30)[1]) == f"translate{SAID}"
    assert process.returncode == 1
    assert not (tmp_path / "out.jsonl").exists()
    server.latency = 0.0
    subprocess.run(words, env=environment, check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert len(read_rows(tmp_path / "out.jsonl", TranslatedRow)) == 40
    counts = Counter(server.texts)
    assert len(counts) == 40
    assert sum(counts.values()) <= 41


def test_a_generation_that_is_asked_to_stop_keeps_its_cells(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The signal comes in the second of two cells; sampled, so that a changed draw of chance would show."""

    def cells(name: str) -> list[bytes]:
        output = tmp_path / name / "en.jsonl"
        words = [*generate_command(place, tmp_path / name, output, temperature=1.0), "--row", "en,es"]
        assert main(words) == 0
        assert (
            main([*generate_command(place, tmp_path / name, output.with_name("es.jsonl"), "es", temperature=1.0)]) == 0
        )
        return [output.read_bytes(), output.with_name("es.jsonl").read_bytes()]

    undisturbed = cells("undisturbed")
    whole = Cells.keep

    def then_signalled(self: Cells, *cell: Any) -> None:
        whole(self, *cell)
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Cells, "keep", then_signalled)
        words = generate_command(place, tmp_path / "stopped", tmp_path / "stopped/en.jsonl", temperature=1.0)
        capsys.readouterr()
        assert main([*words, "--row", "en,es"]) == 1
    assert one_error(capsys.readouterr().err) == f"generate{SAID}"
    assert len(list((tmp_path / "stopped/generations").rglob("*.jsonl"))) == 1
    assert cells("stopped") == undisturbed
    output = capsys.readouterr().out
    assert "en: 6 responses from the cache" in output
