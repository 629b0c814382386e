"""An endpoint of chat completions on loopback that answers every call after the same time, and counts.

    python benchmarks/loopback.py --latency 0.5        # prints its address; ends with its standard input

It is a process of its own, so that what it takes is not in what is measured. Any number of calls are in flight at a
time, each is answered after the latency, and nothing is ever refused: calls/s are at most calls in flight / latency.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEAD = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

LABELS = {"first": ("A", "m"), "second": ("B", "M")}
"""Tokens that name a response: in our prompts, and in AlpacaEval's."""


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    """What a judge would say that always prefers the first: as structured output, log probabilities or text."""
    text = '{"verdict": "A"}' if "response_format" in asked else "A"
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    if asked.get("logprobs"):
        likely = [("A", -0.2), ("m", -1.8), ("B", -5.0), ("M", -6.0), (" A", -9.0)]
        top = [{"token": token, "logprob": value, "bytes": list(token.encode())} for token, value in likely]
        choice["logprobs"] = {"content": [top[0] | {"top_logprobs": top}], "refusal": None}
    usage = {"prompt_tokens": 300, "completion_tokens": 1, "total_tokens": 301}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": asked["model"],
        "choices": [choice],
        "usage": usage,
    }


class Counts:
    """What was asked since the last look."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.calls = self.answered = self.in_flight = self.most_in_flight = 0
        self.prompts: set[str] = set()
        self.first = self.last = 0.0

    def report(self) -> bytes:
        """As JSON; `seconds` are from the first call to the last answer."""
        return json.dumps(
            {
                "calls": self.calls,
                "answered": self.answered,
                "distinct": len(self.prompts),
                "most_in_flight": self.most_in_flight,
                "seconds": self.last - self.first,
            }
        ).encode()


class Connection(asyncio.Protocol):
    """HTTP/1.1 with kept connections, one request after the other: no more than the clients here speak."""

    def __init__(self, counts: Counts, latency: float) -> None:
        self.counts = counts
        self.latency = latency
        self.loop = asyncio.get_running_loop()
        self.received = bytearray()
        self.answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone, perhaps before its answer."""
        if self.answering:
            self.counts.in_flight -= 1
            self.answering = False

    def data_received(self, data: bytes) -> None:
        """Some of a request, or all of it."""
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.received[:end])
        length = HEAD.search(head)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self.received) < whole:
            return
        body = bytes(self.received[end + 4 : whole])
        del self.received[:whole]
        if head.startswith(b"POST"):
            self.asked(json.loads(body))
        else:
            self.write(self.counts.report())
            if head.startswith(b"DELETE"):
                self.counts.clear()

    def asked(self, body: dict[str, Any]) -> None:
        """Answer in time."""
        now, counts = self.loop.time(), self.counts
        counts.first = counts.first or now
        counts.calls += 1
        counts.in_flight += 1
        counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
        counts.prompts.add(str(body["messages"]))
        self.answering = True
        self.loop.call_at(now + self.latency, self.answer, json.dumps(completion(body)).encode())

    def answer(self, said: bytes) -> None:
        """Unless the client has gone."""
        if not self.answering:
            return
        self.answering = False
        self.counts.in_flight -= 1
        self.counts.answered += 1
        self.counts.last = self.loop.time()
        self.write(said)

    def write(self, said: bytes) -> None:
        """A response with status 200."""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
        self.transport.write(head.encode() + said)


@dataclass(frozen=True)
class Loopback:
    """A server that runs."""

    url: str
    """As base_url."""
    latency: float

    def seen(self) -> dict[str, Any]:
        """What was asked since the last look: calls, answered, distinct, most_in_flight, seconds."""
        request = urllib.request.Request(self.url, method="DELETE")
        with urllib.request.urlopen(request, timeout=60) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def calls(self) -> int:
        """How many so far, without forgetting them."""
        with urllib.request.urlopen(self.url, timeout=60) as response:
            return int(json.load(response)["calls"])


@contextmanager
def serving(latency: float) -> Iterator[Loopback]:
    """A server of this latency, in seconds, in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), f"--latency={latency}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin and server.stdout
        try:
            yield Loopback(server.stdout.readline().strip(), latency)
        finally:
            server.stdin.close()
            server.wait(timeout=60)


async def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, required=True, help="seconds from a call to its answer")
    latency = parser.parse_args().latency
    counts = Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(counts, latency), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
