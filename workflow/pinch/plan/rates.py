"""How fast: measured by what has run in this results folder, else as the config gives or assumes it."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pinch.config.plan import Plan as Settings
from pinch.errors import PinchError
from pinch.plan.amounts import Rate
from pinch.plan.work import Training

DECODED = re.compile(
    r"^generate: \S+ \(\d+/\d+\): \d+ responses, (\d+) tokens in [\d.]+ s, (\d+) tokens/s", re.MULTILINE
)
"""What generate says of each cell that it makes. The rate has more digits than the seconds of a short cell."""


def train_rate(base: str, trainings: Sequence[Training], assumed: Settings) -> Rate:
    """Tokens a second of training: all tokens of the finished trainings by all of their seconds.

    Where they ran on several devices, those of the one that trained the most models.
    """
    done = [training.manifest for training in trainings if training.manifest]
    devices = Counter(str(manifest["device"]) for manifest in done)
    if devices:
        device, number = devices.most_common(1)[0]
        seen = [manifest for manifest in done if manifest["device"] == device]
        tokens = sum(manifest["tokens_seen"] for manifest in seen)
        seconds = sum(manifest["tokens_seen"] / manifest["tokens_per_second"] for manifest in seen)
        return Rate(f"training, {base}", round(tokens / seconds, 1), f"measured on {_models(number)}, {device}")
    return _given(f"training, {base}", "train_tokens_per_second", assumed)


def generate_rate(base: str, logs: Path, trainings: Sequence[Training], assumed: Settings) -> Rate:
    """Tokens a second of decoding, from what generate has printed; loading the model is not in it."""
    label = f"generation, {base}"
    found = [match.groups() for text in _read(logs.rglob("*.log")) for match in DECODED.finditer(text)]
    cells = [(int(tokens), int(tokens) / int(rate)) for tokens, rate in found if int(rate)]
    seconds = sum(seconds for _, seconds in cells)
    if seconds:
        devices = Counter(str(training.manifest["device"]) for training in trainings if training.manifest)
        where = f", {devices.most_common(1)[0][0]}" if devices else ""
        tokens = sum(tokens for tokens, _ in cells)
        return Rate(label, round(tokens / seconds, 1), f"measured on {len(cells)} cells{where}")
    return _given(label, "generate_tokens_per_second", assumed)


def judge_rate(judge: str, assumed: Settings) -> Rate:
    """Tokens a second of a judge that runs on GPUs of one's own."""
    label = f"judging, {judge}"
    if assumed.judge_tokens_per_second is None:
        return Rate(label, None, "not given (plan.judge_tokens_per_second), so its time is not counted")
    return _given(label, "judge_tokens_per_second", assumed)


def _given(label: str, key: str, assumed: Settings) -> Rate:
    origin = f"given, plan.{key}" if key in assumed.model_fields_set else f"assumed: 8 B on an H100; set plan.{key}"
    return Rate(label, getattr(assumed, key), origin)


def _models(number: int) -> str:
    return "1 model" if number == 1 else f"{number} models"


def _read(files: Iterable[Path]) -> list[str]:
    try:
        return [file.read_text(encoding="utf-8", errors="replace") for file in files]
    except OSError as error:
        raise PinchError(f"{error.filename}: cannot be read: {error.strerror}") from None
