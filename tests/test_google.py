"""The engine google, through deep-translator, against a server on loopback that answers as Google's page does,
and as badly."""

import html
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
from deep_translator import constants
from pinch.__main__ import main
from pinch.rows import TranslatedRow, read_rows
from pinch.translate import chunks, google

REPO = Path(__file__).parents[1]
SEED = REPO / "resources" / "seed"
LIMA = REPO.parent / "shared" / "data" / "lima" / "lima.jsonl"

HELLO = [
    {"id": "t1", "instruction": "Say hello.", "response": "Hello!"},
    {"id": "t2", "instruction": "Count to two.", "response": "One, two."},
]


class Page(ThreadingHTTPServer):
    """Puts «es» before every line. `faults` are for the next requests, one each; "drop" closes the connection."""

    daemon_threads = True

    def __init__(self):
        self.asked = []
        self.faults = []
        self.always = None
        self.lines_lost = False
        self.unchanged = False
        self.pause = 0.0
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/m"

    def handle_error(self, request, client_address):
        """A client that gives up is what some tests are about."""

    def translation(self, text, target):
        if self.unchanged:
            return text
        lines = [f"«{target}» {line.strip()}" if line else "" for line in text.split("\n")]
        return " ".join(lines) if self.lines_lost else "\n".join(lines)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.server.asked.append(query)
        fault = self.server.faults.pop(0) if self.server.faults else self.server.always
        time.sleep(self.server.pause)
        if fault == "drop":
            self.connection.close()
            return
        body = f'<div class="result-container">{html.escape(self.server.translation(query["q"], query["tl"]))}</div>'
        if fault == "slow":
            time.sleep(1)
        elif fault == "empty":
            body = '<div class="result-container"></div>'
        elif fault == "consent":
            body = "<h1>Before you continue</h1>"
        data = f"<html><body><form></form>{body}</body></html>".encode()
        self.send_response(fault if isinstance(fault, int) else 200)
        self.send_header("Content-Type", "text/html; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format, *arguments):
        pass


@pytest.fixture
def page(monkeypatch):
    server = Page()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setitem(constants.BASE_URLS, "GOOGLE_TRANSLATE", server.url)
    monkeypatch.setattr(google, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(google, "ATTEMPTS", 4)
    monkeypatch.delenv("PINCH_REFRESH", raising=False)
    yield server
    server.shutdown()
    server.server_close()


def command(folder, rows, lang="es", pivot="en"):
    source = folder / "source.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    arguments = ["translate", "--engine", "google", "--split", "eval", "--lang", lang, "--pivot", pivot]
    return [*arguments, "--source", str(source), "--output", str(folder / "out.jsonl"), "--cache", str(folder / "kept")]


@pytest.fixture
def translate(page, tmp_path, capsys):
    """Runs the command; returns what it wrote, or the one line of its error."""

    def run(rows=HELLO, **options):
        (tmp_path / "out.jsonl").unlink(missing_ok=True)
        status = main(command(tmp_path, rows, **options))
        captured = capsys.readouterr()
        run.said = captured.out.replace(f"{tmp_path}/", "").splitlines()
        assert status == (1 if captured.err else 0)
        if captured.err:
            assert not (tmp_path / "out.jsonl").exists()
            return captured.err.replace(f"{tmp_path}/", "").strip()
        return read_rows(tmp_path / "out.jsonl", TranslatedRow)

    return run


def one(text):
    return [{"id": "a", "instruction": text}]


# --- Texts ---


def test_instruction_and_response_are_translated_each_by_itself(translate, page):
    rows = translate()
    assert [(row.id, row.instruction, row.response, row.engine) for row in rows] == [
        ("t1", "«es» Say hello.", "«es» Hello!", "google"),
        ("t2", "«es» Count to two.", "«es» One, two.", "google"),
    ]
    assert page.asked[0] == {"sl": "en", "tl": "es", "q": "Say hello."}
    assert translate.said == [
        "translate: es: 4 of 4 texts, 4 requests",
        "translate: eval es: 2 rows in, 2 out, engine google",
    ]


def test_a_row_without_a_response_has_none_afterwards(translate):
    assert [row.response for row in translate([{"id": "a", "instruction": "Hi", "response": None}])] == [None]


def test_white_space_and_line_breaks_stay_and_cost_one_request(translate, page):
    (row,) = translate(one("\n  Title:\t\r\n\r\n \t \n* one\u2028* two <b>&amp;</b>\n\n\nend \n"))
    assert row.instruction == "\n  «es» Title:\t\r\n\r\n \t \n«es» * one\u2028«es» * two <b>&amp;</b>\n\n\n«es» end \n"
    assert len(page.asked) == 1


def test_lines_without_letters_stay_as_they_are(translate, page):
    (row,) = translate(one("Sum:\n---\n1 + 2 = 3\n🙂\nDone."))
    assert row.instruction == "«es» Sum:\n---\n1 + 2 = 3\n🙂\n«es» Done."
    assert page.asked[0]["q"] == "Sum:\n\n\n\nDone."
    assert translate(one("42"))[0].instruction == "42"
    assert len(page.asked) == 1


def test_where_lines_come_back_joined_each_is_asked_for_alone(translate, page):
    page.lines_lost = True
    assert translate(one("one\n\n two\nthree"))[0].instruction == "«es» one\n\n «es» two\n«es» three"
    assert len(page.asked) == 4
    translate(one("one\n\n two\nthree"))
    assert len(page.asked) == 4


def test_a_long_text_is_cut_between_lines_and_rejoined(translate, page):
    lines = [f"Line {number} of a long text." for number in range(600)]
    (row,) = translate(one("\n".join(lines)))
    assert row.instruction == "\n".join(f"«es» {line}" for line in lines)
    assert [len(query["q"]) <= 4_999 for query in page.asked] == [True] * 3


def test_a_long_line_is_cut_between_sentences_and_rejoined(translate, page):
    sentences = [f"Mr. Smith saw {number} cats." for number in range(400)]
    (row,) = translate(one(f"Before\n  {' '.join(sentences)}\nAfter"))
    assert row.instruction.replace("«es» ", "") == f"Before\n  {' '.join(sentences)}\nAfter"
    assert all(len(query["q"]) <= 4_999 for query in page.asked)
    assert all(query["q"].startswith("Mr. Smith") and query["q"].endswith("cats.") for query in page.asked[1:-1])


def test_a_sentence_that_google_does_not_take_is_told_before_anything_is_asked(translate, page):
    said = translate([*HELLO, {"id": "long", "instruction": "Hi", "response": "word " * 1_200}])
    assert said.startswith("translate: error: google: id 'long': response: a sentence of 5999 characters is longer")
    assert page.asked == []


def test_in_other_scripts_the_length_of_the_address_counts(translate, page):
    text = "".join(f"今天第{number}次去公园。" for number in range(400))
    (row,) = translate(one(text), lang="en", pivot="zh")
    assert row.instruction.replace("«en» ", "") == text
    assert [len(quote_plus(query["q"])) <= 16_000 for query in page.asked] == [True] * 2


@pytest.mark.parametrize("file", [SEED / "train.en.jsonl", LIMA], ids=["seed", "lima"])
def test_real_texts_are_cut_and_joined_without_loss(file):
    if file == LIMA and not file.exists():
        pytest.skip("no shared/data beside the checkout")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    for text in (text for row in rows for text in (row["instruction"], row["response"])):
        for limit in (4_999, 1_000):
            assert chunks.translate(chunks.split(text, "en", lambda t, n=limit: len(t) <= n), str) == text


def test_a_long_text_that_comes_back_unchanged_is_flagged(translate, page):
    page.unchanged = True
    rows = translate([{"id": "a", "instruction": "Paris"}, {"id": "b", "instruction": "This is a long sentence. " * 3}])
    assert [row.flags for row in rows] == [[], ["copied"]]
    assert translate.said[-1].endswith("engine google; 1 came back untranslated, flagged: b")


# --- Languages ---


@pytest.mark.parametrize(("ours", "theirs"), [("zh", "zh-CN"), ("he", "iw"), ("nb", "no"), ("jv", "jw"), ("sw", "sw")])
def test_google_is_asked_by_its_own_code(translate, page, ours, theirs):
    assert translate(lang=ours)[0].lang == ours
    assert {query["tl"] for query in page.asked} == {theirs}


def test_every_special_code_is_one_of_google_and_not_one_of_ours():
    known = set(constants.GOOGLE_LANGUAGES_TO_CODES.values())
    assert set(google.CODES.values()) <= known
    assert not set(google.CODES) & known


def test_a_language_that_google_has_not_is_named(translate, page):
    assert translate(lang="nn") == (
        "translate: error: google: nn: Google does not translate this language; use a translation memory for it"
    )
    assert page.asked == []


def test_a_memory_beside_google_is_refused(page, tmp_path, capsys):
    assert main([*command(tmp_path, HELLO), "--memory", "memory.jsonl"]) == 1
    assert capsys.readouterr().err.strip() == (
        "translate: error: translate.memory: the engine google does not look into a memory; give one of the two"
    )


# --- Faults ---


@pytest.mark.parametrize("fault", [429, 500, "empty", "consent", "drop"])
def test_a_fault_is_tried_again_and_told(translate, page, fault):
    page.faults = [None, fault, fault]
    assert [row.response for row in translate()] == ["«es» Hello!", "«es» One, two."]
    assert len(page.asked) == 6
    pauses = [line for line in translate.said if "; again in" in line]
    assert [line[line.index("(attempt") :] for line in pauses] == ["(attempt 1 of 4)", "(attempt 2 of 4)"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (429, "answers 429, too many requests"),
        (503, "answers with status 503"),
        ("empty", "answers with an empty translation"),
        ("consent", "answers with a page that holds no translation"),
        ("drop", "cannot be reached (ConnectionError)"),
        ("slow", "cannot be reached (ReadTimeout)"),
    ],
)
def test_a_fault_that_stays_ends_in_an_error_and_a_rerun_goes_on(translate, page, monkeypatch, fault, words):
    monkeypatch.setattr(google, "TIMEOUT", 0.2)
    page.faults = [None, None, None]
    page.always = fault
    assert translate() == (
        f"translate: error: google: es: id 't2': response: Google {words}, 4 times in a row; "
        "3 of 4 texts are done and kept in kept/translations.sqlite; run again to go on"
    )
    assert len(page.asked) == 3 + 4
    page.always = None
    assert len(translate()) == 2
    assert len(page.asked) == 3 + 4 + 1


# --- The cache ---


def test_a_second_run_asks_for_nothing(translate, page):
    first = translate()
    assert translate() == first
    assert len(page.asked) == 4
    assert translate.said[0] == "translate: es: 4 of 4 texts, 0 requests"


def test_a_text_of_another_language_or_another_text_is_asked_for(translate, page):
    translate()
    assert translate(lang="it")[0].response == "«it» Hello!"
    assert len(page.asked) == 8
    translate([*HELLO[:1], {"id": "t2", "instruction": "Count to three.", "response": "One, two."}])
    assert len(page.asked) == 9


def test_refreshing_asks_anew_and_keeps_what_comes(translate, page, monkeypatch):
    page.unchanged = True
    translate()
    page.unchanged = False
    monkeypatch.setenv("PINCH_REFRESH", "1")
    assert translate()[0].response == "«es» Hello!"
    monkeypatch.delenv("PINCH_REFRESH")
    assert translate()[0].response == "«es» Hello!"
    assert len(page.asked) == 8


def test_a_killed_run_pays_nothing_twice(page, tmp_path):
    rows = [{"id": f"r{number}", "instruction": f"Text number {number}."} for number in range(40)]
    page.pause = 0.02
    script = (
        "import sys; from deep_translator import constants; constants.BASE_URLS['GOOGLE_TRANSLATE'] = sys.argv[1]; "
        "from pinch.__main__ import main; sys.exit(main(sys.argv[2:]))"
    )
    argv = [sys.executable, "-c", script, page.url, *command(tmp_path, rows)]
    environment = os.environ | {"PYTHONPATH": str(REPO / "workflow")}
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while len(page.asked) < 15 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "out.jsonl").exists()
    page.pause = 0.0
    subprocess.run(argv, env=environment, check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert len(read_rows(tmp_path / "out.jsonl", TranslatedRow)) == 40
    # All but the one under way when it was killed.
    counts = Counter(query["q"] for query in page.asked)
    assert len(counts) == 40
    assert sum(counts.values()) <= 41


def test_progress_is_told_now_and_then(translate, monkeypatch):
    monkeypatch.setattr(google, "EVERY", 0.0)
    translate()
    assert translate.said[:2] == ["translate: es: 1 of 4 texts, 1 requests", "translate: es: 2 of 4 texts, 2 requests"]
