"""Runs that are killed, and more: tests/faults. Here three kills; `make test-long` fifty, and every other fault."""

from pathlib import Path

import pytest

from tests.faults.__main__ import FAULTS, main


def test_three_runs_are_killed_and_nothing_is_lost_or_paid_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--rounds", "3", "--only", "kill", "--sets", "1", "--jobs", "2", "--folder", str(tmp_path)]
    assert main(command) == 0, capsys.readouterr().out
    assert "| kill -9 | 3 | 3 | 0 | 0 |" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_survived(tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str) -> None:
    sets = "2" if fault == "kill" else "1"
    command = ["--rounds", "50", "--times", "2", "--only", fault, "--sets", sets, "--jobs", "2"]
    assert main([*command, "--folder", str(tmp_path)]) == 0, capsys.readouterr().out
