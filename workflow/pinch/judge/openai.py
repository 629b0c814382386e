"""A judge behind any endpoint that speaks OpenAI's chat completions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pinch.cache import turn
from pinch.config import OpenAIJudge
from pinch.errors import PinchError
from pinch.judge.calls import Call, Completion, Transport
from pinch.judge.kept import Kept
from pinch.judge.prompting import fill, read_label, read_logprobs
from pinch.judge.protocol import Choice, Question, Reply
from pinch.prompts import labels_of, read_prompt
from pinch.rows import canonical, digest

FILTERED = "content_filter"
"""Begins what is kept of a prompt that the endpoint's own filter refused; else it was refused for its length."""

SHOWN = 500
"""Characters of an unusable reply that are shown to the judge again: enough for it to see what it did."""


@dataclass
class _Asking:
    """A question on its way to a verdict."""

    call: Call
    """The next one."""
    heard: list[Completion] = field(default_factory=list)
    cached: int = 0
    choice: Choice | None = None
    reason: str = ""
    raw: str | None = None


class OpenAIEngine:
    """Makes calls of questions, sends those that are not kept, and asks again where a reply names no label."""

    def __init__(self, settings: OpenAIJudge, name: str, cache: str | Path, spending: str | Path | None = None) -> None:
        """`spending` is the ledger of the experiment. Raises PinchError where the prompt cannot be used."""
        self.settings = settings
        self.name = name
        self.cache = Path(cache)
        self.spending = spending
        self.prompt = read_prompt(settings.prompt)
        self.labels = labels_of(settings)
        self.kept = Kept(cache, settings.model)

    @cached_property
    def transport(self) -> Transport:
        """Made when something is to be sent: what is all kept needs neither key nor client."""
        from pinch.endpoint import Endpoint
        from pinch.judge.spending import Spending

        settings = self.settings
        if settings.max_usd is not None and self.spending is None:
            raise PinchError(f"judges: {self.name}: max_usd needs --spending, the ledger of what was spent before")
        endpoint = Endpoint(settings, f"judges: {self.name}")
        ledger = Spending(self.spending, self.name, settings) if self.spending is not None else None
        if settings.batch:
            from pinch.judge.batch import BatchTransport

            return BatchTransport(endpoint, settings, self.cache / "batches", ledger)
        from pinch.judge.live import LiveTransport

        return LiveTransport(endpoint, settings, ledger)

    def key(self, question: Question) -> str:
        """Of the first call: prompt, model and decoding; where the endpoint is does not matter."""
        return self._call(question).key

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Rounds of calls: in each, what is still without a label is asked again, told what is wrong with its reply.

        Raises PinchError when the endpoint fails for good; replies that came before are kept.
        """
        asked = [_Asking(self._call(question)) for question in questions]
        for _ in range(1 + self.settings.ask_again):
            pending = [asking for asking in asked if asking.choice is None]
            if not pending:
                break
            self._hear(pending)
            for asking in pending:
                self._judge(asking)
                if asking.choice is None:
                    asking.call = self._reminding(asking)
        return [self._reply(asking) for asking in asked]

    def _call(self, question: Question) -> Call:
        return self._chat(
            [{"role": "user", "content": fill(self.prompt, question)}], question.repeat, self.settings.read
        )

    def _reminding(self, asking: _Asking) -> Call:
        *others, last = self.labels
        # Templates of many models refuse an empty turn, or two of the user's in a row.
        said = asking.heard[-1].text.strip()[:SHOWN] or "..."
        again = f"That names none of the labels, or several. Reply with {', '.join(others)} or {last} and nothing else."
        messages = [
            *asking.call.body["messages"],
            {"role": "assistant", "content": said},
            {"role": "user", "content": again},
        ]
        # Where the first token of a reply was no label, its text may name one.
        read = "text" if self.settings.read == "logprobs" else self.settings.read
        return self._chat(messages, asking.call.repeat, read)

    def _chat(self, messages: list[dict[str, str]], repeat: int, read: str) -> Call:
        settings = self.settings
        body: dict[str, Any] = {
            "model": settings.model,
            "messages": messages,
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
        }
        if read == "structured":
            schema = {
                "type": "object",
                "properties": {"verdict": {"type": "string", "enum": list(self.labels)}},
                "required": ["verdict"],
                "additionalProperties": False,
            }
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "verdict", "strict": True, "schema": schema},
            }
        elif read == "logprobs":
            body |= {"max_tokens": 1, "logprobs": True, "top_logprobs": 20}
        return Call(body, repeat)

    def _hear(self, pending: Sequence[_Asking]) -> None:
        """Get a completion for each, from what is kept or from the endpoint; the same call is sent once."""
        calls = {asking.call.key: asking.call for asking in pending}
        known = self.kept.completions(calls)
        missing = [key for key in calls if key not in known]
        if missing and not self.settings.batch:  # batches have a turn of their own
            with turn(self.cache, digest("judge", sorted(calls))):
                # Who waited may find that another run of the same cell has asked for all.
                known |= self.kept.completions(missing)
                missing = [key for key in missing if key not in known]
                self._send(calls, missing, known)
        else:
            self._send(calls, missing, known)
        new = set(missing)
        for asking in pending:
            key = asking.call.key
            asking.heard.append(known[key])
            asking.cached += key not in new
            new.discard(key)

    def _send(self, calls: Mapping[str, Call], missing: Sequence[str], known: dict[str, Completion]) -> None:
        """Send what is missing, and keep what comes, here and on the disk."""

        def keep(completions: Mapping[int, Completion]) -> None:
            # Under the call that was wanted, even where the endpoint took only a plainer one: the next run wants it.
            came = {missing[place]: completion for place, completion in completions.items()}
            self.kept.keep_many(came)
            known.update(came)

        if missing:
            self.transport.send([calls[key] for key in missing], keep)

    def _judge(self, asking: _Asking) -> None:
        """What the last completion says; no choice where it names no label."""
        completion, limit = asking.heard[-1], asking.call.body["max_tokens"]
        context = self.settings.context
        asking.raw = completion.text
        if completion.refused is not None:
            asking.raw = None
            asking.choice = "invalid"
            filtered = completion.refused.startswith(FILTERED)
            what = "the endpoint's filter refuses it" if filtered else "does not fit the judge's context"
            asking.reason = f"{what}: {completion.refused}"
        elif context is not None and completion.tokens_in + limit > context:
            asking.choice = "invalid"
            asking.reason = (
                f"does not fit the judge's context: {completion.tokens_in} tokens of prompt and {limit} of reply "
                f"in {context}"
            )
        elif completion.logprobs and (found := read_logprobs(completion.logprobs, self.labels)):
            asking.choice, asking.reason = found[0], "log probabilities of the labels"
            asking.raw = canonical({label: round(share, 6) for label, share in found[1].items()})
        elif (choice := read_label(completion.text, self.labels)) != "invalid":
            asking.choice, asking.reason = choice, "label"

    def _reply(self, asking: _Asking) -> Reply:
        tries = len(asking.heard)
        tokens_in, tokens_out = (
            sum(getattr(completion, name) for completion in asking.heard) for name in ("tokens_in", "tokens_out")
        )
        price = self.settings.usd_per_million_tokens
        return Reply(
            choice=asking.choice or "invalid",
            reason=asking.reason or f"no reply names one label, in {tries} {'try' if tries == 1 else 'tries'}",
            raw=asking.raw,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            usd=(tokens_in * price[0] + tokens_out * price[1]) / 1e6 if price else None,
            calls=tries - asking.cached,
            cached=asking.cached,
        )
