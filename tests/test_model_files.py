"""Models of strangers: their files are looked at before anything in them is used, and none of them is ever run."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pinch import modelling
from pinch.__main__ import main
from pinch.errors import PinchError
from pinch.model_files import check_folder

from tests.links import link, one_error


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of a whole model, to be spoilt."""
    return Path(shutil.copytree(tiny_model, tmp_path / "a model"))


class Payload:
    """What runs code of its own when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.canary,)


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def fetched(folder: Path, tmp_path: Path) -> int:
    """Ask for it as a base model, as the workflow does."""
    spec = json.dumps({"path": str(folder), "name": "strange"})
    return main(link("base_model", spec=spec, cache=tmp_path / "cache", output=tmp_path / "strange.json"))


def test_a_whole_model_passes(model: Path, tmp_path: Path) -> None:
    check_folder(model, "base model")
    assert fetched(model, tmp_path) == 0


def test_pickled_weights_are_refused_and_their_code_does_not_run(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = tmp_path / "code has run"
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(canary)))
    assert fetched(model, tmp_path) == 1
    assert "has no *.safetensors; pickled weights are not loaded" in one_error(capsys.readouterr().err)
    assert not (tmp_path / "strange.json").exists()
    with pytest.raises(PinchError, match="the model cannot be loaded"):
        modelling.load_model(model)
    assert not canary.exists()
    # The canary sings where somebody does unpickle it.
    pickle.loads((model / "pytorch_model.bin").read_bytes())
    assert canary.exists()


def test_a_pickled_adapter_is_refused_and_its_code_does_not_run(
    tiny_model: Path, adapter: Path, tmp_path: Path
) -> None:
    canary = tmp_path / "code has run"
    weights = Path(shutil.copytree(adapter / "weights", tmp_path / "weights"))
    (weights / "adapter_model.safetensors").unlink()
    (weights / "adapter_model.bin").write_bytes(pickle.dumps(Payload(canary)))
    with pytest.raises(PinchError, match=r"has no adapter_model\.safetensors; pickled weights are not loaded"):
        modelling.load_model(tiny_model, weights)
    assert not canary.exists()


def with_code(model: Path, canary: Path) -> None:
    """As on the hub: a config that names classes in a file beside it."""
    (model / "modeling_strange.py").write_text(
        f"from pathlib import Path\nPath({str(canary)!r}).touch()\n"
        "from transformers import PretrainedConfig, PreTrainedModel\n"
        "class StrangeConfig(PretrainedConfig):\n    model_type = 'strange'\n"
        "class Strange(PreTrainedModel):\n    config_class = StrangeConfig\n"
    )
    named = {"AutoConfig": "modeling_strange.StrangeConfig", "AutoModelForCausalLM": "modeling_strange.Strange"}
    edit(model / "config.json", auto_map=named)


def test_a_model_that_is_code_of_its_own_is_refused_unrun(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = tmp_path / "code has run"
    with_code(model, canary)
    edit(model / "config.json", model_type="strange")
    assert fetched(model, tmp_path) == 1
    assert "its model_type 'strange' is code of its own (auto_map in config.json)" in one_error(capsys.readouterr().err)
    with pytest.raises(PinchError):
        modelling.load_model(model)
    assert not canary.exists()


def test_code_beside_a_model_of_a_known_kind_is_not_run(model: Path, tmp_path: Path) -> None:
    canary = tmp_path / "code has run"
    with_code(model, canary)
    check_folder(model, "base model")
    assert type(modelling.load_model(model)).__module__.startswith("transformers.")
    modelling.load_tokenizer(model)
    assert not canary.exists()


def test_a_tokenizer_that_is_code_of_its_own_is_not_run(model: Path, tmp_path: Path) -> None:
    canary = tmp_path / "code has run"
    with_code(model, canary)
    edit(
        model / "tokenizer_config.json",
        tokenizer_class="Strange",
        auto_map={"AutoTokenizer": ["modeling_strange.S", None]},
    )
    try:
        modelling.load_tokenizer(model)
    except PinchError as error:
        assert "tokenizer" in str(error)
    assert not canary.exists()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"more")


def huge_header(file: Path) -> None:
    file.write_bytes((2**62).to_bytes(8, "little") + file.read_bytes()[8:])


def no_header(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:8] + b"\xff" * 40 + content[48:])


def other_shape(file: Path) -> None:
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    next(tensor for name, tensor in header.items() if name != "__metadata__")["shape"][0] += 1
    written = json.dumps(header).encode()
    file.write_bytes(len(written).to_bytes(8, "little") + written + content[8 + length :])


@pytest.mark.parametrize(
    "spoil", [cut, lengthen, huge_header, no_header, other_shape, lambda file: file.write_bytes(b"")]
)
def test_weights_that_are_not_whole_are_named_before_they_are_used(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], Any]
) -> None:
    spoil(model / "model.safetensors")
    assert fetched(model, tmp_path) == 1
    said = one_error(capsys.readouterr().err)
    assert "model.safetensors is not safetensors, or damaged: " in said
    assert not (tmp_path / "strange.json").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_hidden_layers": 10**9}, "config.json has 1000000000 layers, its weights are"),
        ({"model_type": ["gemma3_text"], "auto_map": {"AutoConfig": "x.y"}}, "is code of its own"),
    ],
)
def test_a_config_that_asks_for_the_impossible_is_refused(model: Path, changes: dict[str, Any], said: str) -> None:
    edit(model / "config.json", **changes)
    with pytest.raises(PinchError, match=said):
        check_folder(model, "base model")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1, "a": 2}', "[" * 100_000])
def test_a_config_that_is_no_object_is_refused(model: Path, content: str) -> None:
    (model / "config.json").write_text(content)
    with pytest.raises(PinchError, match=r"^base model: config.json is not "):
        check_folder(model, "base model")


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "/etc/passwd", "weights.bin", "missing.safetensors", 3])
def test_an_index_names_files_of_its_folder_and_no_others(model: Path, name: Any) -> None:
    (model.parent / "elsewhere.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(PinchError, match=r"model.safetensors.index.json names .* no \*.safetensors of this folder"):
        check_folder(model, "base model")
