"""Calls in flight: as many as the settings say, kept as they come, and none begun once something is wrong."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pinch import progress
from pinch.config import OpenAIJudge
from pinch.endpoint import Endpoint
from pinch.errors import PinchError
from pinch.judge.calls import Call, Completion
from pinch.judge.live import LiveTransport

from tests.chat_endpoint import Said, body, error, serving
from tests.judge_cell import PAIRS, QUESTIONS, Cell, assert_both_orders, at, quick

PRICE = [1.0, 2.0]


@pytest.fixture(autouse=True)
def _no_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PINCH_REFRESH", raising=False)


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    return Cell(tmp_path).write(PAIRS)


def transport(url: str, **changes: Any) -> LiveTransport:
    settings = OpenAIJudge.model_validate({"name": "ours", **quick(url, **changes)})
    return LiveTransport(Endpoint(settings, "judges: ours"), settings, None)


def until(there: Callable[[], bool]) -> None:
    """Wait for it, and fail where it does not come."""
    end = time.monotonic() + 30
    while not there():
        assert time.monotonic() < end
        time.sleep(0.01)


def calls(count: int) -> list[Call]:
    return [Call({"model": "m", "messages": [{"role": "user", "content": str(number)}]}) for number in range(count)]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_calls_in_flight_are_as_many_as_the_settings_say(cell: Cell, concurrency: int) -> None:
    """The endpoint answers none before so many are there, and no more ever are."""
    there = threading.Barrier(concurrency)

    def answer(number: int, _: Any) -> Said:
        if number <= QUESTIONS // concurrency * concurrency:
            there.wait(timeout=30)
        return body()

    with serving(answer) as stub:
        assert cell.judge(at(stub.url, concurrency=concurrency, timeout=60)).code == 0
    assert stub.most_in_flight == concurrency
    assert_both_orders(cell.rows)


def test_each_completion_goes_to_the_place_of_its_call() -> None:
    kept: dict[int, Completion] = {}
    with serving(lambda number, asked: time.sleep(number % 3 / 50) or body(asked["messages"][0]["content"])) as stub:
        transport(stub.url, concurrency=4).send(calls(12), kept.update)
    assert {place: completion.text for place, completion in kept.items()} == {n: str(n) for n in range(12)}
    assert list(kept) != sorted(kept)


def test_at_a_failure_for_good_calls_in_flight_are_kept_and_none_is_begun() -> None:
    there = threading.Barrier(3)
    kept: dict[int, Completion] = {}

    def answer(number: int, _: Any) -> Said:
        there.wait(timeout=30)
        return error(404) if number == 1 else time.sleep(0.2) or body()

    with serving(answer) as stub, pytest.raises(PinchError, match=r"answered 404 .*; replies that came are kept"):
        transport(stub.url, concurrency=3, timeout=60).send(calls(9), kept.update)
    assert len(stub.asked) == 3
    assert len(kept) == 2


def test_a_transport_may_be_used_again() -> None:
    kept: dict[int, Completion] = {}
    with serving(lambda *_: body()) as stub:
        sending = transport(stub.url)
        sending.send(calls(2), kept.update)
        sending.send(calls(1), kept.update)
        sending.send([], kept.update)
    assert len(stub.asked) == 3


def test_no_more_replies_wait_to_be_kept_than_calls_are_in_flight() -> None:
    asked: list[int] = []
    at_first_write: list[int] = []
    kept: dict[int, Completion] = {}

    def slow(some: Mapping[int, Completion]) -> None:
        if not kept:
            until(lambda: len(asked) >= 2 * 2)
            time.sleep(0.2)  # a fifth call would come
            at_first_write.append(len(asked))
        kept.update(some)

    with serving(lambda number, _: asked.append(number) or body()) as stub:  # type: ignore[func-returns-value]
        transport(stub.url, concurrency=2).send(calls(12), slow)
    assert at_first_write == [2 * 2]
    assert len(kept) == 12


def test_a_reply_is_kept_while_the_next_call_is_in_flight(cell: Cell) -> None:
    """The endpoint answers no call before the reply to the one before is on disk."""

    def answer(number: int, _: Any) -> Said:
        until(lambda: cell.kept() == number - 1)
        return body()

    with serving(answer) as stub:
        assert cell.judge(quick(stub.url)).code == 0
    assert cell.kept() == QUESTIONS


def test_replies_that_come_while_one_is_written_are_written_together() -> None:
    writes: list[int] = []

    def slow(some: Mapping[int, Completion]) -> None:
        writes.append(len(some))
        time.sleep(0.1)

    with serving(lambda *_: body()) as stub:
        transport(stub.url, concurrency=8).send(calls(40), slow)
    assert sum(writes) == 40
    assert len(writes) < 15


def test_where_replies_cannot_be_kept_no_call_is_begun() -> None:
    def full(_: Any) -> None:
        raise OSError("No space left on device")

    with serving(lambda *_: body()) as stub, pytest.raises(OSError, match="No space left"):
        transport(stub.url, concurrency=3).send(calls(100), full)
    assert len(stub.asked) <= 2 * 3


def test_killed_judge_loses_no_reply_that_is_kept(cell: Cell) -> None:
    judge: list[subprocess.Popen[str]] = []
    started = threading.Event()

    def kills(number: int, _: Any) -> Said | None:
        if number <= 5:
            return body()
        started.wait(timeout=30)
        until(lambda: cell.kept() == 5)
        judge[0].send_signal(signal.SIGKILL)
        return None

    with serving(kills) as stub:
        judge.append(cell.start(quick(stub.url)))
        started.set()
        judge[0].communicate(timeout=60)
        assert judge[0].returncode == -signal.SIGKILL
    assert not cell.output.exists()
    with serving(lambda *_: body()) as stub:
        assert f"calls {QUESTIONS - 5}, from the cache 5" in cell.judge(quick(stub.url)).out


def test_what_is_all_kept_needs_no_client(cell: Cell) -> None:
    """Importing it takes longer than all else that such a job does."""
    with serving(lambda *_: body()) as stub:
        assert cell.judge(quick(stub.url)).code == 0
    code = (
        "import sys; from pinch.__main__ import main; main(sys.argv[1:]); print({'openai', 'httpx2'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", code, *cell.command(quick(stub.url))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"calls 0, from the cache {QUESTIONS}" in done.stdout
    assert done.stdout.endswith("set()\n")


def test_a_log_gets_a_line_now_and_then(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda *_: body()) as stub:
        assert cell.judge(quick(stub.url)).out.count("\n") == 1
        monkeypatch.setattr(progress, "EVERY", 0)
        out = cell.judge(quick(stub.url, model="another")).out
    assert re.search(rf"^judges: ours.* {QUESTIONS}\.?0*/{QUESTIONS}.* calls/s\]$", out, re.MULTILINE), out


# --- money ---


def test_what_replies_cost_is_entered_and_at_the_limit_nothing_is_sent(cell: Cell, tmp_path: Path) -> None:
    from pinch.judge.spending import spent

    ledger = tmp_path / "spending.sqlite"
    one = (100 * PRICE[0] + 2 * PRICE[1]) / 1e6
    with serving(lambda *_: body()) as stub:
        settings = quick(stub.url, usd_per_million_tokens=PRICE, max_usd=one * 10)
        line = cell.judge(settings, f"--spending={ledger}").error
        asked = len(stub.asked)
        assert 0 < asked < QUESTIONS and "max_usd" in line
        assert spent(ledger) == {"ours": pytest.approx(asked * one)}
        out = cell.judge(settings, f"--spending={ledger}", '--transport={"max_usd": 1}').out
    assert f"calls {QUESTIONS - asked}, from the cache {asked}" in out
    assert spent(ledger) == {"ours": pytest.approx(QUESTIONS * one)}


def test_what_no_reply_came_to_costs_nothing(cell: Cell, tmp_path: Path) -> None:
    from pinch.judge.spending import spent

    ledger = tmp_path / "spending.sqlite"
    with serving(lambda *_: error(404)) as stub:
        settings = quick(stub.url, usd_per_million_tokens=PRICE, max_usd=1)
        assert "answered 404" in cell.judge(settings, f"--spending={ledger}").error
    assert spent(ledger).get("ours", 0) == 0


def test_a_limit_without_a_ledger_is_an_error(cell: Cell) -> None:
    line = cell.judge(quick("http://127.0.0.1:9/v1", usd_per_million_tokens=PRICE, max_usd=1)).error
    assert line.endswith("max_usd needs --spending, the ledger of what was spent before")


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"engine": "jury", "members": ["a", "b"]}, "a jury asks nobody"),
        ({"engine": "openai", "base_url": "http://x", "model": "m", "retrys": 1}, "retrys"),
        ({"engine": "oracle"}, "'oracle' is not one of"),
    ],
)
def test_settings_that_cannot_be_used_are_one_clear_line(cell: Cell, settings: dict[str, Any], said: str) -> None:
    assert said in cell.judge(settings).error


def test_transport_that_is_no_json_object_is_one_clear_line(cell: Cell) -> None:
    assert (
        "--transport: '[1]' is not a JSON object"
        in cell.judge({"engine": "rubric"}, f"--transport={json.dumps([1])}").error
    )
