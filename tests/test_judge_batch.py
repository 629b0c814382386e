"""The provider's batch mode: what is sent is sent once, whatever happens on the way, and what comes is kept."""

import json
import multiprocessing

import pytest
from batch_endpoint import completion, providing, refusal
from pinch.__main__ import main
from pinch.config import OpenAIJudge
from pinch.endpoint import Endpoint
from pinch.errors import PinchError
from pinch.judge import batch as batch_mode
from pinch.judge.batch import BatchTransport
from pinch.judge.calls import Call, Completion
from pinch.judge.spending import Spending, spent
from pinch.rows import GenerationRow, TranslatedRow, VerdictRow, read_rows, write_rows

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pinch.judge.batch", "pinch.judge.spending"])  # Imported once for all processes.

PRICED = {"usd_per_million_tokens": [1.0, 2.0]}


@pytest.fixture
def provider(monkeypatch):
    monkeypatch.setattr(batch_mode, "FIRST_PAUSE", 0.01)
    with providing() as provider:
        yield provider


def settings(provider, **changes):
    known = {"engine": "openai", "name": "big", "base_url": provider.url, "model": "m", "batch": True}
    return OpenAIJudge.model_validate(known | {"poll_seconds": 0.01, "timeout": 20, "retries": 1} | changes)


def calls(*prompts):
    return [Call({"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": text}]}) for text in prompts]


def send(provider, folder, wanted, spending=None, **changes):
    """What came, by prompt, and the error if there was one."""
    chosen = settings(provider, **changes)
    transport = BatchTransport(Endpoint(chosen, "judges: big"), chosen, folder, spending)
    kept: dict[str, Completion] = {}
    try:
        transport.send(
            wanted, lambda came: kept.update({prompt_of(wanted[place].body): reply for place, reply in came.items()})
        )
    except PinchError as error:
        return kept, str(error)
    return kept, None


def journals(folder):
    return list(folder.glob("*.jsonl"))


def prompt_of(body):
    return body["messages"][0]["content"]


@pytest.fixture
def cell(tmp_path):
    for name, said in (("candidate", "good"), ("baseline", "fair")):
        rows = [
            GenerationRow(
                id=id, lang="en", instruction=f"Say {id}.", response=f"{said} {id}", finish_reason="stop", n_tokens=2
            )
            for id in "pqr"
        ]
        write_rows(tmp_path / f"{name}.jsonl", rows)
    prompts = [
        TranslatedRow(id=id, lang="en", instruction=f"Say {id}.", response=None, source=f"Say {id}.", engine="")
        for id in "pqr"
    ]
    write_rows(tmp_path / "prompts.jsonl", prompts)
    return tmp_path


def command(provider, cell, output="verdicts"):
    chosen = settings(provider, read="text", max_usd=1.0, **PRICED).model_dump(mode="json", exclude_none=True)
    files = [
        word for name in ("candidate", "baseline", "prompts") for word in (f"--{name}", str(cell / f"{name}.jsonl"))
    ]
    where = [
        "--cache",
        str(cell / "cache"),
        "--spending",
        str(cell / "spending.sqlite"),
        "--output",
        str(cell / f"{output}.jsonl"),
    ]
    return ["judge", *files, "--lang", "en", "--name", "big", "--settings", json.dumps(chosen), *where]


# --- all goes well ---


def test_calls_go_as_one_batch_and_replies_come_to_their_places(provider, tmp_path, capsys):
    provider.reply = lambda body: completion(f"re {prompt_of(body)}", 7, 2)
    provider.lines = lambda lines: lines[::-1]  # In any order.
    kept, error = send(provider, tmp_path, calls("one", "two", "שלוש"))
    assert error is None
    assert kept == {text: Completion(f"re {text}", 7, 2) for text in ("one", "two", "שלוש")}
    assert len(provider.batches) == 1
    assert journals(tmp_path) == []
    assert "judge: batch batch_0: in_progress, 0 of 3 calls done\n" in capsys.readouterr().out


def test_the_same_call_twice_is_sent_once_and_its_reply_goes_to_both_places(provider, tmp_path):
    chosen = settings(provider)
    places = []
    BatchTransport(Endpoint(chosen, "j"), chosen, tmp_path).send(calls("one", "one"), places.extend)
    assert (places, len(provider.bodies)) == ([0, 1], 1)


def test_log_probabilities_of_the_first_token_are_read(provider, tmp_path):
    top = [{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -3}, {"token": "A", "logprob": -9}]
    reply = completion("A")
    reply["choices"][0]["logprobs"] = {"content": [{"token": "A", "top_logprobs": top}]}
    provider.reply = lambda body: reply
    assert send(provider, tmp_path, calls("one"))[0]["one"].logprobs == {"A": -0.1, "B": -3}


@pytest.mark.parametrize(("limit", "value", "batches"), [("MOST_REQUESTS", 2, 3), ("MOST_BYTES", 450, 3)])
def test_more_than_a_batch_may_hold_goes_as_several(provider, tmp_path, monkeypatch, limit, value, batches):
    monkeypatch.setattr(batch_mode, limit, value)
    kept, error = send(provider, tmp_path, calls(*"abcde"))
    assert (sorted(kept), error, len(provider.batches)) == (list("abcde"), None, batches)


# --- something goes wrong on the way ---


def test_a_batch_that_was_created_without_an_answer_is_found_and_not_made_twice(provider, tmp_path):
    provider.fails["POST /batches"] = [None]
    kept, error = send(provider, tmp_path, calls("one"))
    assert (list(kept), error, len(provider.batches)) == (["one"], None, 1)


@pytest.mark.parametrize("request_", ["POST /files", "POST /batches", "GET /batches", "GET /batches/", "GET /files/"])
def test_a_passing_fault_is_passed_over(provider, tmp_path, request_):
    provider.fails[request_] = [(500, b'{"error": {"message": "oops"}}')]
    kept, error = send(provider, tmp_path, calls("one"))
    assert (list(kept), error, len(provider.batches)) == (["one"], None, 1)


@pytest.mark.parametrize("request_", ["POST /files", "POST /batches", "GET /batches/", "GET /files/"])
def test_after_a_lasting_fault_the_next_run_goes_on_with_the_same_batch(provider, tmp_path, request_):
    provider.fails[request_] = [(500, b'{"error": {"message": "oops"}}')] * 2
    kept, error = send(provider, tmp_path, calls("one"))
    assert kept == {}
    assert error == (
        f"judges: big: 0 of 1 replies are kept; {provider.url} answered 500 for model 'm': oops; "
        "run again to go on with the same batches"
    )
    kept, error = send(provider, tmp_path, calls("one"))
    assert (list(kept), error, len(provider.batches)) == (["one"], None, 1)


def test_an_endpoint_without_a_batch_mode_is_told_from_others(provider, tmp_path):
    provider.fails["GET /batches"] = [(404, b'{"error": {"message": "not here"}}')]
    _, error = send(provider, tmp_path, calls("one"))
    assert error.endswith("answered 404 for model 'm': not here; has it a batch mode? if not, set batch: false")


@pytest.mark.parametrize("request_", ["POST /files", "POST /batches", "GET /batches", "GET /batches/"])
def test_a_page_of_html_is_an_error_and_no_traceback(provider, tmp_path, request_):
    provider.fails[request_] = [(200, b"<html>welcome</html>")] * 2
    _, error = send(provider, tmp_path, calls("one"))
    assert "answered with something that is no " in error


def test_a_torn_file_of_replies_is_downloaded_again_by_the_next_run(provider, tmp_path):
    provider.fails["GET /files/"] = [(200, b'{"custom_id": "ab')]
    kept, error = send(provider, tmp_path, calls("one"))
    assert kept == {}
    assert "file output-batch_0, line 1 is no JSON object; run again to download it again" in error
    assert send(provider, tmp_path, calls("one")) == ({"one": Completion("A", 100, 1)}, None)
    assert len(provider.batches) == 1


def test_replies_that_could_not_be_kept_are_downloaded_again(provider, tmp_path, monkeypatch):
    """A full disk, or a kill, in the middle of handing out; what was kept before is not asked for again."""
    chosen = settings(provider)
    wanted = calls("one", "two", "three")
    full = iter([None, OSError("No space left on device")])
    monkeypatch.setattr(batch_mode, "AT_ONCE", 1)

    def keep(replies):
        if error := next(full):
            raise error

    with pytest.raises(OSError):
        BatchTransport(Endpoint(chosen, "j"), chosen, tmp_path).send(wanted, keep)
    assert sorted(send(provider, tmp_path, wanted[1:])[0]) == ["three", "two"]
    assert (len(provider.batches), journals(tmp_path)) == (1, [])


def test_no_key_is_in_what_is_said(provider, tmp_path, monkeypatch):
    monkeypatch.setenv("BIG_KEY", "sk-secret")
    provider.reply = lambda body: refusal(401, "Incorrect API key provided: sk-secret")
    _, error = send(provider, tmp_path, calls("one"), api_key_env="BIG_KEY")
    assert "401: Incorrect API key provided: [key]" in error


def test_a_batch_of_another_account_is_not_sent_again_unasked(provider, tmp_path):
    provider.states = ["in_progress"]
    provider.fails["GET /batches/"] = [(500, b"")] * 2
    send(provider, tmp_path, calls("one"))
    provider.batches.clear()
    _, error = send(provider, tmp_path, calls("one"))
    assert (
        f"knows no batch batch_0: is the key that of another account? If the batch is gone for good, delete {tmp_path}"
        in error
    )
    assert provider.asked["POST /batches"] == 1


# --- how batches end ---


@pytest.mark.parametrize("state", ["expired", "cancelled"])
def test_what_was_finished_in_time_is_kept_and_the_rest_sent_as_a_new_batch(provider, tmp_path, state):
    provider.states, provider.finished = ["in_progress", state], 2
    kept, error = send(provider, tmp_path, calls("a", "b", "c", "d", "e"))
    assert len(kept) == 2
    assert error.startswith(f"judges: big: 2 of 5 replies are kept; batch batch_0 is {state}: 3 failed (")
    assert error.endswith("run again, and what has no reply is sent as a new batch")
    assert journals(tmp_path) == []
    provider.states, provider.finished = ["completed"], None
    rest = [call for call in calls("a", "b", "c", "d", "e") if prompt_of(call.body) not in kept]
    again, error = send(provider, tmp_path, rest)
    assert (len(again), error, len(provider.batches), len(provider.bodies)) == (3, None, 2, 5)


def test_a_batch_that_the_provider_refuses_says_why(provider, tmp_path):
    provider.states = ["failed"]
    create = provider.create
    errors = {"data": [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}]}
    provider.create = lambda body: create(body | {"errors": errors})
    _, error = send(provider, tmp_path, calls("one"))
    assert "batch batch_0 is failed: Enqueued token limit reached., 1 have no reply (" in error
    assert journals(tmp_path) == []


def test_a_state_that_nobody_knows_is_no_reason_to_wait_for_ever(provider, tmp_path):
    provider.states = ["paused"]
    assert "batch batch_0 is 'paused', which is no state that OpenAI has" in send(provider, tmp_path, calls("one"))[1]


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "This model's maximum context length is 8192 tokens", "context_length_exceeded"),
        (400, "the prompt is too long", ""),
        (413, "entity too large", ""),
    ],
)
def test_a_prompt_that_does_not_fit_is_a_refusal_and_no_error(provider, tmp_path, status, message, code):
    provider.reply = lambda body: refusal(status, message, code) if prompt_of(body) == "long" else completion()
    kept, error = send(provider, tmp_path, calls("long", "short"))
    assert (kept, error) == ({"long": Completion(refused=message), "short": Completion("A", 100, 1)}, None)


@pytest.mark.parametrize("said", [refusal(500, "overloaded"), {"object": "error"}, completion() | {"choices": []}])
def test_a_call_that_failed_is_named_after_the_others_were_kept(provider, tmp_path, said):
    provider.reply = lambda body: said if prompt_of(body) == "bad" else completion()
    bad, good = calls("bad", "good")
    kept, error = send(provider, tmp_path, [bad, good])
    assert list(kept) == ["good"]
    assert f"1 of 2 replies are kept; batch batch_0 is completed: 1 failed ({bad.key}: " in error
    provider.reply = lambda body: completion()
    assert send(provider, tmp_path, [bad]) == ({"bad": Completion("A", 100, 1)}, None)
    assert len(provider.batches) == 2


@pytest.mark.parametrize(
    ("lines", "kept", "says"),
    [
        (lambda lines: lines[1:], ["two"], "1 have no reply ({one})"),
        (lambda lines: [*lines, lines[0]], ["two"], "1 have more than one reply ({one})"),
        (
            lambda lines: [*lines, lines[0] | {"custom_id": "who"}],
            ["one", "two"],
            "1 replies are to nothing that was asked: (who)",
        ),
    ],
    ids=["missing", "twice", "unknown"],
)
def test_ids_that_are_missing_twice_or_unknown_are_named(provider, tmp_path, lines, kept, says):
    provider.lines = lines
    wanted = calls("one", "two")
    found, error = send(provider, tmp_path, wanted)
    assert sorted(found) == kept
    assert says.format(one=wanted[0].key) in error


# --- several jobs ---


def test_a_job_waits_for_the_batch_of_another_that_has_the_same_calls(provider, tmp_path):
    """The first is stopped with its batch under way; the second takes from it what it shares, and leaves the rest."""
    provider.fails["GET /batches/"] = [(500, b"")] * 2
    send(provider, tmp_path, calls("mine", "both"))
    assert list(send(provider, tmp_path, calls("both", "theirs"))[0]) == ["both", "theirs"]
    assert list(send(provider, tmp_path, calls("mine"))[0]) == ["mine"]
    assert sorted(map(prompt_of, provider.bodies)) == ["both", "mine", "theirs"]
    assert journals(tmp_path) == []


def test_a_batch_under_way_is_found_though_its_journal_is_lost(provider, tmp_path):
    provider.fails["GET /batches/"] = [(500, b"")] * 2
    send(provider, tmp_path, calls("one"))
    journals(tmp_path)[0].unlink()
    assert send(provider, tmp_path, calls("one"))[1] is None
    assert len(provider.batches) == 1


def test_two_jobs_with_the_same_calls_at_the_same_time_make_one_batch(provider, cell):
    provider.states = ["in_progress"] * 10 + ["completed"]
    jobs = [FORKS.Process(target=main, args=(command(provider, cell, output),)) for output in ("one", "two")]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert len(provider.batches) == 1
    assert (cell / "one.jsonl").read_bytes() == (cell / "two.jsonl").read_bytes()


# --- money ---


def test_a_batch_is_reserved_whole_before_its_upload_and_settled_by_its_replies(provider, tmp_path):
    wanted = calls("one", "two")
    ledger = tmp_path / "spending.sqlite"
    low = settings(provider, max_usd=0.0001, **PRICED)
    kept, error = send(provider, tmp_path, wanted, Spending(ledger, "big", low))
    assert (kept, provider.asked["POST /files"], journals(tmp_path)) == ({}, 0, [])
    assert "max_usd: 0 of 0.0001 USD spent, 0 reserved for calls under way, and this batch could cost 0.0" in error
    high = settings(provider, max_usd=1.0, **PRICED)
    assert send(provider, tmp_path, wanted, Spending(ledger, "big", high))[1] is None
    assert spent(ledger) == {"big": pytest.approx(2 * (100 * 1 + 1 * 2) / 1e6)}


def test_a_resumed_batch_is_reserved_and_settled_once(provider, tmp_path):
    ledger = Spending(tmp_path / "spending.sqlite", "big", settings(provider, max_usd=0.0008, **PRICED))
    provider.fails["GET /batches/"] = [(500, b"")] * 2
    wanted = calls("one", "two")
    send(provider, tmp_path, wanted, ledger)
    with pytest.raises(PinchError, match=r"0 of 0.0008 USD spent, 0.0\d+ reserved for calls under way"):
        ledger.reserve(wanted[0].body)
    assert send(provider, tmp_path, wanted, ledger)[1] is None
    assert spent(ledger.path) == {"big": pytest.approx(204e-6)}
    ledger.reserve(wanted[0].body)


def test_a_batch_that_was_never_sent_frees_what_was_reserved(provider, tmp_path):
    ledger = Spending(tmp_path / "spending.sqlite", "big", settings(provider, max_usd=0.0008, **PRICED))
    wanted = calls("one", "two")
    provider.fails["POST /files"] = [(400, b'{"error": {"message": "no"}}')]
    send(provider, tmp_path, wanted, ledger)
    assert send(provider, tmp_path, wanted, ledger)[1] is None


# --- killed ---


@pytest.mark.parametrize(
    "moment", ["POST /files!", "POST /batches", "POST /batches!", "GET /batches/", "GET /files/", "GET /files/!"]
)
def test_a_judge_that_is_killed_goes_on_with_its_batch_and_then_makes_no_calls(provider, cell, moment, capsys):
    """Killed at uploading, before and after the batch is made, while it is waited for, while replies come."""
    provider.hangs = moment
    words = command(provider, cell)
    process = FORKS.Process(target=main, args=(words,))
    process.start()
    try:
        assert provider.hanging.wait(60)
    finally:
        process.kill()
        process.join()
    provider.hangs = None
    assert main(words) == 0
    assert len(provider.batches) == 1
    assert len(provider.bodies) == 6
    verdicts = read_rows(cell / "verdicts.jsonl", VerdictRow, ("id", "order"))
    assert [row.winner for row in verdicts] == ["baseline", "candidate"] * 3
    provider.asked.clear()
    assert main(words) == 0
    assert provider.asked == {}
    assert spent(cell / "spending.sqlite") == {"big": pytest.approx(6 * 102e-6)}
    assert "calls 0, from the cache 6" in capsys.readouterr().out.splitlines()[-1]
