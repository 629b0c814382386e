"""An endpoint of chat completions on loopback that answers as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Said = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class Endpoint:
    """What it was asked, the keys, paths and times of that, and how many calls at a time."""

    def __init__(self, answer: Callable[[int, dict[str, Any]], Said | None]) -> None:
        self.answer, self.url = answer, ""
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.paths: list[str] = []
        self.times: list[float] = []
        self.in_flight = self.most_in_flight = 0

    @property
    def prompts(self) -> list[str]:
        """The first message of each call."""
        return [str(asked["messages"][0]["content"]) for asked in self.asked]


JSON = {"Content-Type": "application/json"}

PATHS = [f"/v1/{name}" for name in ("chat/completions", "completions", "load_lora_adapter", "unload_lora_adapter")]
"""Others are hung up on."""


def body(content: Any = "A", logprobs: dict[str, float] | None = None, **changes: Any) -> Said:
    """A chat completion that says `content`, of 100 tokens in and 2 out."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    if logprobs is not None:
        top = [{"token": token, "logprob": value, "bytes": None} for token, value in logprobs.items()]
        choice["logprobs"] = {"content": [top[0] | {"top_logprobs": top}] if top else []}
    usage = {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102}
    whole = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return 200, JSON, json.dumps(whole | changes).encode()


def error(status: int, message: str = "no", code: str | None = None, **headers: str) -> Said:
    """What an endpoint says that does not do as asked; `_` in the names of headers stands for `-`."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, JSON | names, json.dumps({"error": {"message": message, "code": code}}).encode()


@contextmanager
def serving(answer: Callable[[int, dict[str, Any]], Said | None]) -> Iterator[Endpoint]:
    """`answer` is given the number of the call, from 1, and what was asked; None hangs up."""
    endpoint, lock = Endpoint(answer), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                endpoint.asked.append(asked)
                endpoint.keys.append(self.headers["Authorization"])
                endpoint.paths.append(self.path)
                endpoint.times.append(time.monotonic())
                number = len(endpoint.asked)
                endpoint.in_flight += 1
                endpoint.most_in_flight = max(endpoint.in_flight, endpoint.most_in_flight)
            said = endpoint.answer(number, asked)
            with lock:
                endpoint.in_flight -= 1
            if said is not None and self.path in PATHS:
                self.send_response(said[0])
                for name, value in ({"Content-Length": str(len(said[2]))} | said[1]).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said[2])

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
