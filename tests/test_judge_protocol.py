"""Every pair is asked in both orders, the winner is mapped back, and nothing is asked or paid for twice."""

import pytest
from pinch.__main__ import main
from pinch.aggregate import pair_scores
from pinch.cache import ReplyCache
from pinch.errors import PinchError
from pinch.judge import pairs_of
from pinch.judge.protocol import Pair, Reply, judge_pairs
from pinch.rows import GenerationRow, TranslatedRow, VerdictRow, read_rows, write_rows


def response(id, text, instruction="Say something."):
    return GenerationRow(
        id=id, lang="en", instruction=instruction, response=text, finish_reason="stop", n_tokens=len(text)
    )


def pair(id, candidate, baseline):
    return Pair(response(id, candidate), response(id, baseline), None)


class Scripted:
    """An engine that chooses by a function of the two texts, keeps a list of what it was asked, and may break."""

    def __init__(self, choose, breaks_after=None, free=False):
        self.choose = choose
        self.breaks_after = breaks_after
        self.free = free
        self.asked = []

    def key(self, question):
        return None if self.free else f"{question.instruction}|{question.first.response}|{question.second.response}"

    def ask(self, questions, keep):
        for place, question in enumerate(questions):
            if len(self.asked) == self.breaks_after:
                raise PinchError("the server is gone")
            self.asked.append((question.id, question.first.response, question.second.response))
            choice = self.choose(question.first.response, question.second.response)
            keep(place, Reply(choice, "label", raw=choice, tokens_in=7, tokens_out=1))

    def cost(self, reply):
        return 0.5


def longer(first, second):
    return "first" if len(first) > len(second) else "second"


@pytest.fixture(autouse=True)
def no_refresh(monkeypatch):
    monkeypatch.delenv("PINCH_REFRESH", raising=False)


@pytest.fixture
def cache(tmp_path):
    return ReplyCache(tmp_path / "replies.sqlite")


PAIRS = [pair("p1", "much longer", "short"), pair("p2", "brief", "quite lengthy")]


# --- both orders ---


def test_each_pair_is_asked_in_both_orders(cache):
    engine = Scripted(longer)
    judge_pairs(PAIRS, engine, cache)
    assert engine.asked == [
        ("p1", "short", "much longer"),
        ("p1", "much longer", "short"),
        ("p2", "quite lengthy", "brief"),
        ("p2", "brief", "quite lengthy"),
    ]


def test_the_winner_is_mapped_back(cache):
    rows, summary = judge_pairs(PAIRS, Scripted(longer), cache)
    assert [(row.id, row.order, row.winner) for row in rows] == [
        ("p1", "baseline_first", "candidate"),
        ("p1", "candidate_first", "candidate"),
        ("p2", "baseline_first", "baseline"),
        ("p2", "candidate_first", "baseline"),
    ]
    assert summary == "calls 4, from the cache 0, identical 0"


def test_what_the_engine_said_is_kept(cache):
    rows, _ = judge_pairs(PAIRS[:1], Scripted(longer), cache)
    row = rows[0]
    assert (row.reason, row.raw, row.tokens_in, row.tokens_out, row.cost) == ("label", "second", 7, 1, 0.5)


@pytest.mark.parametrize("place", ["first", "second"])
def test_a_judge_who_looks_at_the_place_alone_makes_ties(cache, place):
    rows, _ = judge_pairs(PAIRS, Scripted(lambda first, second: place), cache)
    assert {row.winner for row in rows} == {"candidate", "baseline"}
    assert pair_scores(rows) == {"p1": 0.5, "p2": 0.5}


@pytest.mark.parametrize("choice", ["tie", "invalid"])
def test_ties_and_invalid_replies_belong_to_nobody(cache, choice):
    rows, _ = judge_pairs(PAIRS, Scripted(lambda first, second: choice), cache)
    assert [row.winner for row in rows] == [choice] * 4


def test_identical_responses_are_a_tie_without_a_call(cache):
    engine = Scripted(longer)
    rows, summary = judge_pairs([pair("p0", "same", "same"), *PAIRS], engine, cache)
    assert [(row.winner, row.reason) for row in rows[:2]] == [("tie", "identical")] * 2
    assert {id for id, _, _ in engine.asked} == {"p1", "p2"}
    assert summary == "calls 4, from the cache 0, identical 2"


# --- the cache ---


def test_a_second_run_asks_nothing_and_says_the_same(cache):
    first, _ = judge_pairs(PAIRS, Scripted(longer), cache)
    engine = Scripted(longer)
    second, summary = judge_pairs(PAIRS, engine, cache)
    assert engine.asked == []
    assert summary == "calls 0, from the cache 4, identical 0"
    assert second == first


def test_a_changed_response_is_asked_about_again_and_nothing_else(cache):
    judge_pairs(PAIRS, Scripted(longer), cache)
    engine = Scripted(longer)
    judge_pairs([PAIRS[0], pair("p2", "other", "quite lengthy")], engine, cache)
    assert engine.asked == [("p2", "quite lengthy", "other"), ("p2", "other", "quite lengthy")]


def test_the_same_pair_under_another_id_is_not_asked_again(cache):
    judge_pairs(PAIRS[:1], Scripted(longer), cache)
    engine = Scripted(longer)
    rows, _ = judge_pairs([pair("p9", "much longer", "short")], engine, cache)
    assert engine.asked == []
    assert [(row.id, row.winner) for row in rows] == [("p9", "candidate"), ("p9", "candidate")]


def test_refreshing_asks_again_and_keeps_the_new_replies(cache, monkeypatch):
    judge_pairs(PAIRS, Scripted(longer), cache)
    monkeypatch.setenv("PINCH_REFRESH", "1")
    rows, summary = judge_pairs(PAIRS, Scripted(lambda first, second: "tie"), cache)
    assert [row.winner for row in rows] == ["tie"] * 4
    assert summary == "calls 4, from the cache 0, identical 0"
    monkeypatch.delenv("PINCH_REFRESH")
    engine = Scripted(longer)
    rows, _ = judge_pairs(PAIRS, engine, cache)
    assert engine.asked == []
    assert [row.winner for row in rows] == ["tie"] * 4


def test_a_break_half_way_loses_no_reply_that_came(cache):
    with pytest.raises(PinchError, match="the server is gone"):
        judge_pairs(PAIRS, Scripted(longer, breaks_after=3), cache)
    engine = Scripted(longer)
    rows, summary = judge_pairs(PAIRS, engine, cache)
    assert engine.asked == [("p2", "brief", "quite lengthy")]
    assert summary == "calls 1, from the cache 3, identical 0"
    assert pair_scores(rows) == {"p1": 1.0, "p2": 0.0}


def test_what_costs_nothing_is_not_kept(cache):
    judge_pairs(PAIRS, Scripted(longer, free=True), cache)
    _, summary = judge_pairs(PAIRS, Scripted(longer, free=True), cache)
    assert summary == "calls 4, from the cache 0, identical 0"


def test_the_cache_is_shared_by_those_who_open_the_same_file(tmp_path):
    ReplyCache(tmp_path / "deep" / "replies.sqlite").put("key", {"choice": "first", "raw": "ä"})
    other = ReplyCache(tmp_path / "deep" / "replies.sqlite")
    assert other.get("key") == {"choice": "first", "raw": "ä"}
    assert other.get("other key") is None


# --- the pairs ---


@pytest.fixture
def files(tmp_path):
    """Writes responses of candidate and baseline, {id: text}, and prompts; returns the paths of the three files."""

    def write(candidate, baseline, prompts=("p1", "p2"), instruction="Say something."):
        paths = [tmp_path / f"{name}.jsonl" for name in ("candidate", "baseline", "prompts")]
        write_rows(paths[0], [response(id, text, instruction) for id, text in candidate.items()])
        write_rows(paths[1], [response(id, text) for id, text in baseline.items()])
        write_rows(
            paths[2],
            [
                TranslatedRow(
                    id=id,
                    lang="en",
                    instruction="Say something.",
                    response="A reference.",
                    source="Say something.",
                    engine="none",
                )
                for id in prompts
            ],
        )
        return paths

    return write


def test_responses_are_paired_by_id_and_not_by_place(files):
    pairs = pairs_of(*files({"p1": "a", "p2": "b"}, {"p2": "B", "p1": "A"}))
    assert [(item.candidate.response, item.baseline.response) for item in pairs] == [("a", "A"), ("b", "B")]
    assert [item.reference for item in pairs] == ["A reference."] * 2


@pytest.mark.parametrize(
    ("candidate", "baseline", "prompts", "named"),
    [
        ({"p1": "a"}, {"p1": "A", "p2": "B"}, ("p1", "p2"), "p2"),
        ({"p1": "a", "p2": "b"}, {"p1": "A"}, ("p1", "p2"), "p2"),
        ({"p1": "a", "p2": "b"}, {"p1": "A", "p2": "B"}, ("p2",), "p1"),
        ({"p1": "a"}, {"p2": "B"}, ("p1", "p2"), "p1, p2"),
    ],
)
def test_ids_that_are_not_everywhere_are_named(files, candidate, baseline, prompts, named):
    with pytest.raises(PinchError, match=rf"do not answer the same prompts of .*prompts\.jsonl: {named}; delete"):
        pairs_of(*files(candidate, baseline, prompts))


def test_answers_to_different_instructions_are_not_compared(files):
    paths = files({"p1": "a", "p2": "b"}, {"p1": "A", "p2": "B"}, instruction="Say something else.")
    with pytest.raises(PinchError, match=r"answer different instructions under the ids p1, p2$"):
        pairs_of(*paths)


# --- the command ---


def test_the_command_writes_two_verdicts_a_pair(files, tmp_path, capsys):
    candidate, baseline, prompts = files({"p1": "A reference.", "p2": "same"}, {"p1": "", "p2": "same"})
    places = ["--candidate", str(candidate), "--baseline", str(baseline), "--prompts", str(prompts)]
    output = tmp_path / "verdicts.jsonl"
    paths = ["--cache", str(tmp_path / "cache"), "--output", str(output)]
    settings = '{"engine": "rubric", "margin": 4}'
    assert main(["judge", *places, "--lang", "en", "--name", "form", "--settings", settings, *paths]) == 0
    rows = read_rows(output, VerdictRow, unique=("id", "order"))
    assert [(row.id, row.winner, row.reason) for row in rows] == [
        *[("p1", "candidate", "not empty")] * 2,
        *[("p2", "tie", "identical")] * 2,
    ]
    assert capsys.readouterr().out == (
        "judge: form en: 2 pairs in both orders, candidate 2, baseline 0, tie 2, invalid 0; "
        "calls 2, from the cache 0, identical 2\n"
    )
