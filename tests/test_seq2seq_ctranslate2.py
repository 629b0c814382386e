"""Translation models by CTranslate2: what they say, and refuse, is what they say and refuse by transformers."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pinch.config.translation import Seq2Seq as Settings
from pinch.errors import PinchError
from pinch.translate import converted
from pinch.translate.engines import Answer, EngineDownError
from pinch.translate.seq2seq import Seq2Seq
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from tests import toy_translators as toys

pytest.importorskip("ctranslate2")

ENGLISH = [
    "the dog .",
    "the red cat and the dog eats bread .",
    "the cat sees the bread .",
    "the zebra eats bread .",  # a word that no model here knows
    "bread",
    "the cat " * 10,  # too long
    "the red dog .",
    "the cat <2it> </s> __it__ ita_Latn",
]
SPANISH = ["el perro .", "el rojo gato y el perro come pan .", "el gato ve el pan .", None]
SPANISH += ["pan", None, "el rojo perro .", None]


def change(folder: Path, edit: Callable[[Any], None]) -> None:
    """Edit a model's weights or its decoding, where it lies."""
    import torch
    import transformers

    model: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
    with torch.no_grad():
        edit(model)
    model.save_pretrained(folder)


def spanish_by_itself(model: Any) -> None:
    """Make of the toy OPUS what OPUS is: the decoder starts from zeros, and says words of one language only."""
    spanish = [meaning for meaning in range(toys.WIDTH) if meaning == toys.LANGUAGE + toys.LANGUAGES.index("es")]
    words = model.model.shared.weight
    words[model.config.pad_token_id] = 0
    model.final_logits_bias[0] = (words[:, spanish].sum(dim=1) > 0).float()


def without_an_end(model: Any) -> None:
    """</s> means nothing any more, so nothing ends."""
    model.model.shared.weight[model.config.eos_token_id] = 0


def write_opus(folder: Path, more: tuple[str, ...] = ()) -> None:
    toys.write_marian(folder, more)
    change(folder, spanish_by_itself)


def write_endless(folder: Path) -> None:
    toys.write_m2m100(folder)
    change(folder, without_an_end)


WRITERS = {
    "m2m100": toys.write_m2m100,
    "nllb": toys.write_nllb,
    "opus": write_opus,
    "opus-many": lambda folder: write_opus(folder, (">>spa<<", ">>ita<<")),
    "madlad": toys.write_madlad,
    "endless": write_endless,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with all of them."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("translators")
    for name, write in WRITERS.items():
        write(folder / name)
    yield folder
    torch.set_num_threads(threads)


Make = Callable[..., Seq2Seq]


@pytest.fixture(scope="module")
def make(models: Path) -> Make:
    def engine(model: str, target: str = "es", backend: str = "ctranslate2", **options: Any) -> Seq2Seq:
        given = {"path": str(models / model), "beams": 2, "batch_size": 2, "max_new_tokens": 20, "backend": backend}
        settings = Settings.model_validate({"engine": "seq2seq"} | given | options)
        return Seq2Seq(settings, "en", target, models / "cache")

    return engine


def ask(engine: Seq2Seq, texts: list[str]) -> list[Answer]:
    answers: dict[int, Answer] = {}
    engine.ask([(text,) for text in texts], answers.__setitem__)
    return [answers[place] for place in range(len(texts))]


def said(engine: Seq2Seq, texts: list[str]) -> list[str | None]:
    return [answer.texts[0] if answer.texts else None for answer in ask(engine, texts)]


def watch(
    engine: Seq2Seq,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[Seq2Seq], object],
    fails: dict[int, str] | None = None,
) -> list[tuple[Any, ...]]:
    """What CTranslate2 is given at each call while `work` is done; the calls counted in `fails` fail."""
    engine._load()
    translate, seen = engine.model.translator.translate_batch, []

    class Translator:
        def translate_batch(self, *given: Any, **options: Any) -> Any:
            seen.append(given)
            if fails and len(seen) - 1 in fails:
                raise RuntimeError(fails[len(seen) - 1])
            return translate(*given, **options)

    monkeypatch.setattr(engine.model, "translator", Translator())
    work(engine)
    return seen


# --- the same ---


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize(
    ("model", "target"),
    [
        *[("m2m100", "es"), ("m2m100", "it"), ("nllb", "es"), ("nllb", "it")],
        *[("opus", "es"), ("endless", "es")],
    ],
)
def test_answers_are_those_of_transformers(make: Make, model, target, beams):
    """Texts, reasons of refusals, and tokens counted."""
    ours, theirs = (make(model, target, backend, beams=beams) for backend in ("ctranslate2", "transformers"))
    assert ask(ours, ENGLISH) == ask(theirs, ENGLISH)


def test_a_t5_says_the_same_tokens(make: Make):
    """The toy MADLAD knows no translation: its words are any, and never end."""
    ours, theirs = (make("madlad", backend=backend, beams=1) for backend in ("ctranslate2", "transformers"))
    ours._load()
    theirs._load()
    ids = [ours._ids(text) for text in ENGLISH[:3]]
    assert ours.model.generate(ids) == theirs._generate(ids)


@pytest.mark.parametrize("model", ["m2m100", "nllb", "opus"])
@pytest.mark.parametrize("compute_type", ["float32", "int8"])
def test_they_are_translations(make: Make, model, compute_type):
    assert said(make(model, compute_type=compute_type), ENGLISH) == SPANISH


@pytest.mark.parametrize(
    ("model", "source", "prefixes"),
    [
        ("madlad", ["<2es>", "▁the", "▁cat", "</s>"], None),
        ("opus-many", [">>spa<<", "▁the", "▁cat", "</s>"], None),
        ("opus", ["▁the", "▁cat", "</s>"], None),
        ("m2m100", ["__en__", "▁the", "▁cat", "</s>"], [["__es__"]]),
        ("nllb", ["eng_Latn", "▁the", "▁cat", "</s>"], [["spa_Latn"]]),
    ],
)
def test_the_model_is_told_the_languages_as_it_was_in_training(make: Make, monkeypatch, model, source, prefixes):
    seen = watch(make(model), monkeypatch, lambda engine: ask(engine, ["the cat"]))
    assert seen == [([source], prefixes)]


def test_who_else_is_in_a_batch_changes_nothing(make: Make):
    assert [said(make("nllb"), [text])[0] for text in ENGLISH] == said(make("nllb", batch_size=8), ENGLISH)


@pytest.mark.parametrize("compute_type", ["float32", "int8"])
def test_a_translation_that_never_ends_is_refused(make: Make, compute_type):
    (answer,) = ask(make("endless", compute_type=compute_type), ["the cat ."])
    assert answer == Answer(None, "was not finished after 20 tokens", tokens_in=5, tokens_out=20)


def test_a_translation_as_long_as_the_model_has_positions_is_whole(make: Make):
    engine = make("opus", max_new_tokens=500)
    assert engine.fits("cat " * 63) and not engine.fits("cat " * 64)
    assert said(engine, ["cat " * 63]) == [" ".join(["gato"] * 63)]


def decoding_as(folder: Path, **options: Any) -> str:
    """The path of a toy M2M100 with these options of decoding."""
    toys.write_m2m100(folder)
    decoding = folder / "generation_config.json"
    decoding.write_text(json.dumps(json.loads(decoding.read_text()) | options))
    return str(folder)


@pytest.mark.parametrize("option", [{"repetition_penalty": 30.0}, {"no_repeat_ngram_size": 2}])
@pytest.mark.parametrize("backend", ["ctranslate2", "transformers"])
def test_a_model_that_may_not_repeat_itself_does_not(make: Make, tmp_path: Path, option, backend):
    """What it says instead is a toss-up between words that it has no reason for."""
    (text,) = said(make("", backend=backend, path=decoding_as(tmp_path / "m2m100", **option)), ["cat cat cat"])
    assert str(text).startswith("gato ") and text != "gato gato gato"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"length_penalty": 0.6}, {"length_penalty": 0.6, "patience": 2}),
        ({"early_stopping": True}, {"patience": 1}),
        ({"eos_token_id": [2, 3]}, {"end_token": [2, 3]}),
    ],
)
def test_decoding_is_as_the_model_says(make: Make, tmp_path: Path, option, expected):
    engine = make("", path=decoding_as(tmp_path / "m2m100", **option))
    engine._load()
    assert {name: engine.model.options[name] for name in expected} == expected


def test_each_batch_is_kept_as_it_is_done(make: Make, monkeypatch):
    kept: dict[int, Answer] = {}

    def three(engine: Seq2Seq) -> None:
        engine.ask([(text,) for text in ENGLISH[:5]], kept.__setitem__)

    with pytest.raises(EngineDownError, match=r"2 sentences do not fit .* lower batch_size, which is 2"):
        watch(make("m2m100"), monkeypatch, three, fails={1: "CUDA failed with error out of memory"})
    assert {place: answer.texts for place, answer in kept.items()} == {1: (SPANISH[1],), 2: (SPANISH[2],)}


def test_what_else_fails_says_so(make: Make, monkeypatch):
    with pytest.raises(EngineDownError, match="ctranslate2: Library libcublas is not found"):
        watch(
            make("m2m100"),
            monkeypatch,
            lambda engine: ask(engine, ["the cat"]),
            fails={0: "Library libcublas is not found or cannot be loaded"},
        )


# --- the conversion ---


def test_two_processes_convert_a_model_once(tmp_path: Path):
    command = f"""if True:
        import time
        from pathlib import Path
        from pinch.translate import converted
        converted.release = lambda: "4"
        converted._convert = lambda folder, target, compute_type: time.sleep(1) or target.mkdir()
        print(converted.convert(Path("nllb"), "a digest", "float32", Path({str(tmp_path)!r})))
    """
    pair = [subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate()[0].splitlines() for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    (folder,) = {lines[-1] for lines in printed}
    assert Path(folder).is_dir()
    assert sorted(len(lines) for lines in printed) == [1, 2]  # one says that it converts


def test_a_conversion_that_was_broken_off_leaves_nothing_that_is_taken_for_a_model(models: Path, tmp_path, monkeypatch):
    def breaks(folder: Path, target: Path, compute_type: str) -> None:
        target.mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(converted, "_convert", breaks)
        converted.convert(models / "nllb", "a digest", "float32", tmp_path)
    folder = converted.convert(models / "nllb", "a digest", "float32", tmp_path)
    assert (folder / "model.bin").is_file()


def test_a_model_that_starts_otherwise_is_refused(make: Make, tmp_path: Path):
    toys.write_marian(tmp_path / "opus")
    with pytest.raises(PinchError, match=r"its decoder does not start from zeros.*; backend: transformers does"):
        ask(make("", path=str(tmp_path / "opus")), ["the cat ."])


def test_a_vocabulary_in_another_order_is_refused(models: Path, tmp_path: Path, monkeypatch):
    from ctranslate2.converters.transformers import M2M100Loader

    names = M2M100Loader.get_vocabulary
    monkeypatch.setattr(M2M100Loader, "get_vocabulary", lambda *given: names(*given)[::-1])
    with pytest.raises(PinchError, match="its vocabulary comes out in another order"):
        converted.convert(models / "nllb", "a digest", "float32", tmp_path)


def test_weights_that_are_damaged_are_one_clear_line(make: Make, tmp_path: Path):
    toys.write_m2m100(tmp_path / "m2m100")
    weights = load_file(tmp_path / "m2m100/model.safetensors")
    lost = next(name for name in sorted(weights) if "fc1" in name)
    weights[lost] = weights[lost][:-1].clone()
    save_file(weights, tmp_path / "m2m100/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PinchError, match=r"m2m100: cannot be converted for CTranslate2: .*; backend: transformers"):
        ask(make("", path=str(tmp_path / "m2m100")), ["the cat ."])


# --- settings ---


def test_without_the_package_the_error_says_how_to_get_it(make: Make, monkeypatch):
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(PinchError, match=r"backend: ctranslate2 cannot be imported .*; pip install ctranslate2==4"):
        make("nllb")
    assert said(make("nllb", backend="transformers"), ["the dog ."]) == ["el perro ."]


def test_the_identity_holds_backend_compute_type_and_version(make: Make):
    plain, whole, small = (
        make("nllb", backend="transformers").identity,
        make("nllb").identity,
        make("nllb", compute_type="int8").identity,
    )
    assert whole == plain | {
        "backend": "ctranslate2",
        "compute_type": "float32",
        "ctranslate2": converted.release(),
    }
    assert small == whole | {"compute_type": "int8"}


def test_a_compute_type_that_the_machine_has_not_is_an_error(make: Make, monkeypatch):
    import ctranslate2

    monkeypatch.setattr(ctranslate2, "get_supported_compute_types", lambda device: {"int8", "float32"})
    with pytest.raises(PinchError, match=r"does not compute in float16; it has float32, int8"):
        ask(make("nllb", compute_type="float16"), ["the dog ."])


def test_a_compute_type_without_its_backend_is_an_error():
    with pytest.raises(ValidationError, match="is for `backend: ctranslate2`"):
        Settings(engine="seq2seq", path="here", compute_type="int8")
