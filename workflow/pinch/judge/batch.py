"""Calls through the batch mode of a provider: cheaper, done within a day, and never sent twice.

What was sent is written down in a journal before it is sent. A process that is killed, at whatever moment, leaves a
journal that the next one goes on from: it finds the batch by a name of ours in the batch's metadata, waits for it and
downloads what came. A journal goes away when all replies of its batch were handed out.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import openai
from filelock import FileLock
from openai.types import Batch, FileObject

from pinch.config import OpenAIJudge
from pinch.endpoint import Endpoint
from pinch.errors import PinchError
from pinch.judge.calls import NO_COMPLETION, Call, Completion, Keep, read_completion
from pinch.judge.journal import Journal
from pinch.judge.live import ABOUT_LENGTH, FIRST_PAUSE, LONGEST_PAUSE
from pinch.judge.openai import FILTERED
from pinch.judge.spending import Spending
from pinch.printable import one_line
from pinch.rows import canonical, digest

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""Of one batch, by OpenAI's documentation of 2026."""

UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")
OVER = ("completed", "failed", "expired", "cancelled")

LONGEST = 2 * 86400
"""Seconds after which a batch is over, one way or another: the window is a day."""

LOCK = "sending.lock"

AT_ONCE = 1000
"""Replies that are kept in one write: 50,000 writes take minutes on a slow disk."""

REST = "run again to go on with the same batches"


class BatchTransport:
    """Sends calls as batches, waits for them and hands their replies out."""

    def __init__(
        self, endpoint: Endpoint, settings: OpenAIJudge, folder: Path, spending: Spending | None = None
    ) -> None:
        """`folder` holds the journals; jobs that share it wait for each other's batches where calls are the same."""
        self.endpoint = endpoint
        # A redirect would carry a user's texts to where no config sends them.
        self.client = endpoint.client.with_options(http_client=openai.DefaultHttpxClient(follow_redirects=False))
        self.settings = settings
        self.folder = folder
        self.spending = spending
        self.told: dict[str, str] = {}

    def send(self, calls: Sequence[Call], keep: Keep) -> None:
        """Hand completions to `keep` with the places of their calls, when their batch is over.

        Raises PinchError where some have no reply, or the endpoint fails for good: what came is kept before that, and
        another `send` of the rest waits for batches that are under way, and sends what ended without a reply anew.
        """
        if not calls:
            return
        places: dict[str, list[int]] = defaultdict(list)
        for place, call in enumerate(calls):
            places[call.key].append(place)
        wanted = {call.key: call for call in calls}
        failures: list[str] = []
        self.folder.mkdir(parents=True, exist_ok=True)
        # One job at a time: of two that have calls in common, the second waits for the first one's batch.
        with FileLock(self.folder / LOCK):
            journals = self._begin(wanted, failures)
        kept = 0
        while journals:
            for journal in list(journals):
                try:
                    batch = self._look(journal)
                    if batch.status in UNDER_WAY:
                        continue
                    mine = (journal.keys & wanted.keys()) - journal.without
                    replies, said = self._replies(journal, batch, mine)
                except PinchError as error:
                    failures.append(str(error))
                    journals.remove(journal)
                    continue
                journals.remove(journal)
                failures += filter(None, [said])
                keys = list(replies)
                for start in range(0, len(keys), AT_ONCE):
                    some = keys[start : start + AT_ONCE]
                    journal.add("done", some)
                    journal.done.update(some)
                    keep({place: replies[key] for key in some for place in places[key]})
                    kept += sum(len(places[key]) for key in some)
                journal.add("without", sorted(mine - replies.keys()))
                journal.without |= mine - replies.keys()
                with FileLock(self.folder / LOCK):
                    journal.close()
            if journals:
                time.sleep(self.settings.poll_seconds)
        if failures:
            why = "; ".join(failure.removeprefix(f"{self.endpoint.where}: ") for failure in failures)
            raise PinchError(f"{self.endpoint.where}: {kept} of {len(calls)} replies are kept; {why}")

    # --- sending ---

    def _begin(self, wanted: Mapping[str, Call], failures: list[str]) -> list[Journal]:
        """The batches that bring what is wanted: those under way, and new ones for the rest."""
        journals = []
        rest = dict(wanted)
        for path in sorted(self.folder.glob("*.jsonl")):
            journal = Journal.read(path)
            if journal.base_url != self.settings.base_url or not (journal.keys - journal.without) & rest.keys():
                continue
            if journal.batch is None:
                # Killed between the first line and the provider's name for the batch, which may or may not be there.
                found = self._find(journal.made - LONGEST, journal.name)
                if found is None:
                    self._settle(journal.name)
                    path.unlink()
                    continue
                self._named(journal, found)
            journals.append(journal)
            rest = {key: call for key, call in rest.items() if key not in journal.keys - journal.without}
        for chunk in _chunks(list(rest.values())):
            try:
                journals.append(self._create(chunk))
            except PinchError as error:
                failures.append(str(error))
                break
        return journals

    def _create(self, calls: Sequence[Call]) -> Journal:
        """Upload and create one batch. Raises PinchError; what may be under way in spite of it keeps its journal."""
        keys = frozenset(call.key for call in calls)
        of = digest(sorted(keys))
        running = self._find(time.time() - LONGEST, calls=of)
        told = str((running.metadata or {}).get("pinch_batch")) if running else ""
        # A name of ours becomes one of a file; what else a provider may say does not.
        name = told if re.fullmatch("[0-9a-f]{32}", told) else uuid4().hex
        journal = Journal.begin(self.folder, name, self.settings.base_url, keys)
        if running:
            # Its journal was lost, or is on another machine.
            self._named(journal, running)
            return journal
        try:
            if self.spending:
                self.spending.reserve_batch(name, [call.body for call in calls])
            print(f"judge: batch of {len(calls)} calls: uploading", flush=True)
            uploaded = self.client.files.create(file=(f"{name}.jsonl", _input(calls)), purpose="batch")
            if not isinstance(uploaded, FileObject) or not isinstance(uploaded.id, str):
                raise PinchError(self._nonsense("file"))
        except (PinchError, openai.OpenAIError) as error:
            self._settle(name)
            journal.path.unlink()
            raise self._said(error) if isinstance(error, openai.OpenAIError) else error from None
        try:
            batch = self._created(journal, uploaded.id, of)
        except openai.OpenAIError as error:
            if isinstance(error, openai.APIStatusError) and error.status_code < 500:
                self._settle(name)
                journal.path.unlink()
            raise self._said(error) from None
        self._named(journal, batch)
        return journal

    def _created(self, journal: Journal, file: str, of: str) -> Batch:
        """Create the batch, looking before each retry whether one that seemed to fail did not: the client cannot."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

        once = self.client.with_options(max_retries=0)
        tries = Retrying(
            retry=retry_if_exception_type(
                (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError)
            ),
            stop=stop_after_attempt(self.settings.retries + 1),
            wait=wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
            reraise=True,
        )
        for attempt in tries:
            with attempt:
                again = attempt.retry_state.attempt_number > 1
                batch = (self._find(journal.made - LONGEST, journal.name) if again else None) or once.batches.create(
                    input_file_id=file,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata={"pinch_batch": journal.name, "pinch_calls": of},
                )
        return self._checked(batch)

    def _find(self, since: float, name: str | None = None, calls: str | None = None) -> Batch | None:
        """The batch of this name, or one under way with just these calls, among the provider's of late."""
        try:
            # Newest first.
            for batch in self.client.batches.list(limit=100):
                if (self._checked(batch).created_at or since) < since:
                    break
                metadata = batch.metadata or {}
                if name and metadata.get("pinch_batch") == name:
                    return batch
                if calls and metadata.get("pinch_calls") == calls and batch.status in UNDER_WAY:
                    return batch
        except openai.OpenAIError as error:
            raise self._said(error) from None
        except AttributeError:
            # What the client itself makes of a page of HTML.
            raise PinchError(self._nonsense("list of batches")) from None
        return None

    def _named(self, journal: Journal, batch: Batch) -> None:
        journal.batch = batch.id
        journal.add("batch", [batch.id])

    # --- waiting and reading ---

    def _look(self, journal: Journal) -> Batch:
        assert journal.batch
        try:
            batch = self._checked(self.client.batches.retrieve(journal.batch))
        except openai.NotFoundError:
            raise PinchError(
                f"{self.settings.base_url} knows no batch {journal.batch}: is the key that of another account? If the "
                f"batch is gone for good, delete {journal.path} and run again to send its calls anew"
            ) from None
        except openai.OpenAIError as error:
            raise self._said(error) from None
        counts = batch.request_counts
        says = f"{batch.status}, {counts.completed + counts.failed if counts else 0} of {len(journal.keys)} calls done"
        if self.told.get(journal.name) != says:
            self.told[journal.name] = says
            print(one_line(f"judge: batch {journal.batch}: {says}"), flush=True)
        if batch.status not in UNDER_WAY + OVER:
            raise PinchError(f"batch {journal.batch} is {batch.status!r}, which is no state that OpenAI has; {REST}")
        return batch

    def _replies(self, journal: Journal, batch: Batch, mine: frozenset[str]) -> tuple[dict[str, Completion], str]:
        """The replies of a batch that is over to `mine`, by key, and in words what is wrong with the rest, if anything.

        Raises PinchError where a file cannot be had whole; a rerun downloads it again.
        """
        found: dict[str, Completion] = {}
        failed: dict[str, str] = {}
        twice: set[str] = set()
        unknown: list[str] = []
        tokens_in = tokens_out = 0
        for line in self._lines(journal, batch):
            key = str(line.get("custom_id"))
            if key not in journal.keys:
                unknown.append(key)
                continue
            if key in found or key in failed:
                twice.add(key)
            read = self._read(line)
            if isinstance(read, str):
                failed[key] = read
            else:
                found[key] = read
                tokens_in += read.tokens_in
                tokens_out += read.tokens_out
        self._settle(journal.name, tokens_in, tokens_out)
        missing = sorted(mine - found.keys() - failed.keys())
        # Of two replies under one name nobody knows which one is meant.
        replies = {key: reply for key, reply in found.items() if key not in twice and key in mine}
        problems = [
            _some("failed", [f"{key}: {failed[key]}" for key in sorted(failed.keys() & mine)]),
            _some("have no reply", missing),
            _some("have more than one reply", sorted(twice & mine)),
            _some("replies are to nothing that was asked:", unknown),
        ]
        why = "; ".join(str(error.message) for error in (batch.errors and batch.errors.data) or [])
        said = ", ".join(filter(None, [self._clean(why), *problems]))
        if not unknown and mine <= replies.keys():
            return replies, ""
        rest = "run again, and what has no reply is sent as a new batch"
        return replies, f"batch {batch.id} is {batch.status}{': ' if said else ''}{said}; {rest}"

    def _lines(self, journal: Journal, batch: Batch) -> Iterator[dict[str, Any]]:
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            try:
                # Some providers keep files elsewhere, and lead there.
                text = self.endpoint.client.files.content(file).content.decode("utf-8", "replace")
            except openai.OpenAIError as error:
                raise self._said(error) from None
            for number, line in enumerate(text.split("\n"), start=1):
                if line.strip():
                    try:
                        data = json.loads(line)
                    except (ValueError, RecursionError):
                        data = None
                    if not isinstance(data, dict):
                        raise PinchError(
                            f"batch {batch.id}: file {file}, line {number} is no JSON object; run again to download it "
                            f"again, or delete {journal.path} to send its calls anew"
                        )
                    yield data

    def _read(self, line: Mapping[str, Any]) -> Completion | str:
        """The reply in a line of an output or error file, or why there is none."""
        response = line.get("response")
        body = response.get("body") if isinstance(response, dict) else None
        status = response.get("status_code", 200) if isinstance(response, dict) else None
        error = (body.get("error") if isinstance(body, dict) else None) or line.get("error")
        if status == 200 and not error:
            try:
                return read_completion(body, self.endpoint.without_key)
            except NO_COMPLETION:
                return "the reply is no chat completion"
        words = error if isinstance(error, dict) else {"message": error}
        said = self._clean(str(words.get("message") or words.get("code") or "no reason given"))
        if status == 413 or (status in (400, 422) and any(word in f"{words}".lower() for word in ABOUT_LENGTH)):
            return Completion(refused=said)
        if status in (400, 422) and words.get("code") == FILTERED:
            return Completion(refused=f"{FILTERED}: {said}")
        return f"{status}: {said}" if status else said

    # --- small things ---

    def _said(self, error: openai.OpenAIError) -> PinchError:
        rest = "has it a batch mode? if not, set batch: false" if isinstance(error, openai.NotFoundError) else REST
        return PinchError(self.endpoint.explain(error, rest))

    def _settle(self, name: str, tokens_in: int = 0, tokens_out: int = 0) -> None:
        if self.spending:
            self.spending.settle_batch(name, tokens_in, tokens_out)

    def _checked(self, batch: Any) -> Batch:
        """The client hands on whatever came, a page of HTML too."""
        if not isinstance(batch, Batch) or not isinstance(batch.id, str):
            raise PinchError(self._nonsense("batch"))
        return batch

    def _nonsense(self, what: str) -> str:
        return (
            f"{self.endpoint.base_url} answered with something that is no {what}; is base_url right (most end in /v1), "
            f"and has it a batch mode? If not, set batch: false; {REST}"
        )

    def _clean(self, text: str) -> str:
        return self.endpoint.without_key(" ".join(text.split()))[:300]


def _line(call: Call) -> bytes:
    line = {"custom_id": call.key, "method": "POST", "url": "/v1/chat/completions", "body": call.body}
    return (canonical(line) + "\n").encode("utf-8", "replace")


def _input(calls: Sequence[Call]) -> bytes:
    return b"".join(map(_line, calls))


def _chunks(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """In their order, as many at a time as a batch may hold."""
    chunk: list[Call] = []
    size = 0
    for call in calls:
        more = len(_line(call))
        if chunk and (len(chunk) == MOST_REQUESTS or size + more > MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(call)
        size += more
    if chunk:
        yield chunk


def _some(words: str, items: Sequence[str]) -> str:
    """How many, and the first few."""
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return f"{len(items)} {words} ({', '.join(items[:3])}{more})" if items else ""
