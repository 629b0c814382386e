"""The file by which one training runs over several processes: what `accelerate config` writes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinch.config import Finetune
from pinch.errors import PinchError
from pinch.parsing import check_plain, parse_yaml
from pinch.rows import digest

KEY = "finetune.accelerate"
KINDS = {"MULTI_GPU": "ddp", "MULTI_CPU": "ddp", "FSDP": "fsdp", "NO": "ddp"}
"""accelerate's distributed_type, as far as it is known here."""


@dataclass(frozen=True)
class Processes:
    """How many there are on how many machines, and what they share."""

    file: str
    number: int
    """Of all machines together."""
    machines: int
    kind: str
    """ddp: each has the whole model; fsdp: each has a part."""
    digest: str
    """Of what the file says."""

    @property
    def per_machine(self) -> int:
        """Processes of a machine, each with a GPU where there are any."""
        return self.number // self.machines


def read(file: str) -> Processes:
    """Raises PinchError naming the key, the file and what of it does not serve."""
    try:
        said: Any = parse_yaml(Path(file).read_text(encoding="utf-8-sig"))
        check_plain(said)
    except OSError as error:
        raise PinchError(f"{KEY}: {file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PinchError(f"{KEY}: {file}: is not UTF-8 text; convert the file to UTF-8") from None
    except ValueError as error:
        raise PinchError(f"{KEY}: {file}: is not YAML: {error}") from None
    if not isinstance(said, dict):
        raise PinchError(f"{KEY}: {file}: holds no keys and values; write one with `accelerate config`")
    kind = said.get("distributed_type") or "NO"  # to YAML, NO without quotes is false
    if kind == "DEEPSPEED":
        raise PinchError(
            f"{KEY}: {file}: distributed_type: DEEPSPEED is not served, for its engine cuts steps by itself; FSDP "
            "shares a model among GPUs as well: see workflow/accelerate/fsdp.yaml"
        )
    if not isinstance(kind, str) or kind not in KINDS:
        raise PinchError(f"{KEY}: {file}: distributed_type: {kind!r} is none of {', '.join(KINDS)}")
    sharing = said.get("fsdp_config")
    if kind == "FSDP" and (not isinstance(sharing, dict) or sharing.get("fsdp_version") != 2):
        raise PinchError(f"{KEY}: {file}: fsdp_config.fsdp_version: must be 2; see workflow/accelerate/fsdp.yaml")
    number, machines = _count(file, said, "num_processes"), _count(file, said, "num_machines")
    if number % machines:
        raise PinchError(f"{KEY}: {file}: num_processes: {number} are not as many on each of {machines} machines")
    return Processes(file, number, machines, KINDS[kind], digest(said))


def check(processes: Processes, settings: Finetune) -> None:
    """Raises PinchError where a training cannot run so."""
    if processes.kind != "fsdp" or processes.number == 1:
        return
    with_it = f"{KEY}: {processes.file} asks for FSDP"
    if settings.method == "qlora":
        raise PinchError(f"{with_it}, which does not share out a base of four bits; use DDP, or method: lora")
    if settings.select == "rouge_l":
        raise PinchError(f"{with_it}, with which nothing can be decoded on the way; use select: loss or last, or DDP")


def _count(file: str, said: dict[str, Any], name: str) -> int:
    value = said.get(name, 1)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PinchError(f"{KEY}: {file}: {name}: {value!r} is no number of 1 or more")
    return value
