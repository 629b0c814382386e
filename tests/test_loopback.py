"""The benchmarks' endpoint of fixed latency counts what it is asked, and our command is what it is asked by."""

import json
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.harness import REPO

sys.path.insert(0, str(REPO / "benchmarks"))

from judge_sides import Ours, asked, judged, judged_in_spite_of_a_kill, pairs
from loopback import serving


def test_every_call_takes_the_latency_however_many_there_are() -> None:
    def call(number: int) -> str:
        body = {"model": "m", "messages": [{"role": "user", "content": str(number)}]}
        request = urllib.request.Request(f"{endpoint.url}/chat/completions", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as response:
            return str(json.load(response)["choices"][0]["message"]["content"])

    with serving(0.3) as endpoint, ThreadPoolExecutor(20) as pool:
        assert set(pool.map(call, range(20))) == {"A"}
        seen = endpoint.seen()
        assert endpoint.seen()["calls"] == 0
    assert (seen["calls"], seen["answered"], seen["distinct"]) == (20, 20, 20)
    assert 1 < seen["most_in_flight"] <= 20
    assert 0.3 <= seen["seconds"] < 20 * 0.3


def test_our_side_asks_both_orders_of_what_differs_and_is_killed_without_paying_all_twice(tmp_path: Path) -> None:
    some = pairs(20)
    assert asked(some) == 19
    with serving(0.1) as endpoint:
        done = judged(Ours(tmp_path / "whole", some, concurrency=4, read="logprobs"), endpoint)
        killed = judged_in_spite_of_a_kill(Ours(tmp_path / "killed", some, concurrency=4), endpoint, at=19)
    assert (done.calls, done.decided, done.most_in_flight) == (38, 20, 4)
    assert killed.decided == 20
    assert 38 <= killed.calls <= 38 + 2 * 4
