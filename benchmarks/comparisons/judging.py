"""Judging through an endpoint of fixed latency, against the ideal and against AlpacaEval."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from harness import Measured, in_turn
from judge_sides import (
    ALPACA_EVAL,
    AlpacaEval,
    Judged,
    Ours,
    Pair,
    asked,
    environment,
    judged,
    judged_in_spite_of_a_kill,
    pairs,
)
from loopback import serving

ROUNDS = 2

LATENCY = 0.5
"""Seconds: a judge of some ten billion parameters that says one token, on a GPU that serves many."""

IN_FLIGHT = 64
"""As in experiments/paper.yaml."""

PAIRS = 300
FEW = 60
"""Pairs where so few calls are in flight that 300 would take minutes."""

KILLED_AT = (0.25, 0.5, 0.75)
"""Of the calls: AlpacaEval loses nothing where its 128 pairs end, and all of them just before."""


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """Calls/s against calls in flight / latency; pairs/s and calls a pair against AlpacaEval on the same pairs."""
    environment()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        return [
            *(_ideal(place, in_flight, LATENCY, 20, rounds) for in_flight in (16, 64, 128)),
            _ideal(place, 64, 0.1, 60, rounds),
            *_alpaca_eval(place, rounds),
        ]


def _ideal(place: Path, in_flight: int, latency: float, turns: int, rounds: int) -> Measured:
    """Our command alone, on as many pairs of different responses as make full turns."""
    some = [pair for pair in pairs(in_flight * turns) if pair["output_1"] != pair["output_2"]][: in_flight * turns // 2]
    runs = []
    with serving(latency) as endpoint:
        for turn in range(rounds):
            ours = Ours(place / f"ideal-{in_flight}-{latency}-{turn}", some, concurrency=in_flight)
            runs.append(judged(ours, endpoint))
        again = judged(ours, endpoint)
    assert again.calls == 0, "all was kept"
    note = ""
    if latency < LATENCY:
        note = (
            "More calls/s than a judge of that size gives from one endpoint: here the client itself is the limit, one "
            "core at 1 to 2 ms a call. Two jobs side by side make twice as many."
        )
    return Measured(
        what=f"judge calls, {in_flight} in flight, {latency:g} s each",
        against="the ideal, calls in flight / latency",
        unit="calls/s",
        ours=[run.calls / run.seconds for run in runs],
        theirs=[in_flight / latency] * rounds,
        at_least=0.95,
        note=note,
        facts={
            "calls": runs[0].calls,
            "most in flight": max(run.most_in_flight for run in runs),
            "seconds of the process besides": round(median(run.whole - run.seconds for run in runs), 2),
            "seconds of the process when all is kept": round(again.whole, 2),
        },
    )


def _alpaca_eval(place: Path, rounds: int) -> list[Measured]:
    some, fewer = pairs(PAIRS), pairs(FEW)
    share = f"{PAIRS} pairs of real text, {PAIRS - asked(some)} of them identical"
    found: dict[str, list[Judged]] = {}
    with serving(LATENCY) as endpoint:

        def run(name: str, make: Callable[[Path], Ours | AlpacaEval], decided: int) -> Callable[[], float]:
            def once() -> float:
                done = found.setdefault(name, [])
                done.append(judged(make(place / f"{name}-{len(done)}"), endpoint))
                assert done[-1].decided == decided, f"{name}: {done[-1]}"
                return done[-1].decided / done[-1].seconds

            return once

        def ours(in_flight: int, of: Sequence[Pair] = some) -> Callable[[], float]:
            def make(folder: Path) -> Ours:
                return Ours(folder, of, concurrency=in_flight, read="logprobs")

            return run(f"ours-{in_flight}", make, len(of))

        def theirs(in_flight: int | None, both: bool = True, of: Sequence[Pair] = some) -> Callable[[], float]:
            return run(f"theirs-{in_flight}-{both}", lambda folder: AlpacaEval(folder, of, in_flight, both), len(of))

        many = in_turn(ours(IN_FLIGHT), theirs(IN_FLIGHT), rounds)
        one_order = in_turn(ours(IN_FLIGHT), theirs(IN_FLIGHT, both=False), rounds)
        more = in_turn(ours(128), theirs(128), 1)
        few = in_turn(ours(5, fewer), theirs(None, of=fewer), 1)
        killed = [
            [
                judged_in_spite_of_a_kill(side, endpoint, round(2 * asked(some) * share_of_calls))
                for side in (
                    Ours(place / f"killed-ours-{share_of_calls}", some, concurrency=IN_FLIGHT, read="logprobs"),
                    AlpacaEval(place / f"killed-theirs-{share_of_calls}", some, IN_FLIGHT),
                )
            ]
            for share_of_calls in KILLED_AT
        ]
    baseline = f"AlpacaEval {ALPACA_EVAL}"
    both_orders = found[f"theirs-{IN_FLIGHT}-True"]
    return [
        Measured(
            what=f"pairs decided in both orders, {IN_FLIGHT} in flight",
            against=f"{baseline}, twice, the outputs swapped",
            unit="pairs/s",
            ours=many[0],
            theirs=many[1],
            at_least=2,
            note="AlpacaEval makes a new client and connection for every call and waits for all of every 128 pairs.",
            facts={
                "pairs": share,
                "whole process, ours": [round(one.whole, 1) for one in found[f"ours-{IN_FLIGHT}"]],
                "whole process, theirs": [round(one.whole, 1) for one in both_orders],
                "most in flight, theirs": max(one.most_in_flight for one in both_orders),
            },
        ),
        Measured(
            what=f"pairs decided, {IN_FLIGHT} in flight, ours in both orders",
            against=f"{baseline}, in one order as by default",
            unit="pairs/s",
            ours=one_order[0],
            theirs=one_order[1],
            note="Two calls a pair against one.",
        ),
        Measured(
            what="pairs decided in both orders, 128 in flight",
            against=f"{baseline}, twice, the outputs swapped",
            unit="pairs/s",
            ours=more[0],
            theirs=more[1],
            at_least=2,
        ),
        Measured(
            what="pairs decided in both orders, 5 in flight",
            against=f"{baseline}, twice; 5 is its default",
            unit="pairs/s",
            ours=few[0],
            theirs=few[1],
            note="With so few in flight the latency is all there is, and nobody can be faster than the other.",
        ),
        Measured(
            what="calls a pair decided in both orders",
            against=f"{baseline}, twice, the outputs swapped",
            unit="calls",
            ours=[one.calls / one.decided for one in found[f"ours-{IN_FLIGHT}"][:rounds]],
            theirs=[one.calls / one.decided for one in both_orders],
            at_most=1,
            note="Fewer is not possible where nothing fails: both ask once an order, and about identical responses "
            f"nobody ({share}). In one order AlpacaEval takes half of it, and leaves the bias for the first in.",
        ),
        Measured(
            what="calls a pair decided in both orders, killed and run again",
            against=f"{baseline}, twice, the outputs swapped",
            unit="calls",
            ours=[ours.calls / ours.decided for ours, _ in killed],
            theirs=[theirs.calls / theirs.decided for _, theirs in killed],
            at_most=1,
            note="Killed when a quarter, half and three quarters of the calls had been made. What is lost: of ours the "
            "calls in flight and those not written yet, of AlpacaEval's the 128 pairs that it was at, which at half "
            "were just written.",
        ),
    ]
