"""Translation models on this machine: toy ones with the tokenizers and architectures of the real ones, which really
translate a few words."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pinch.config.translation import Seq2Seq as Settings
from pinch.errors import PinchError
from pinch.translate.engines import Answer, EngineDownError
from pinch.translate.seq2seq import Seq2Seq, model_code
from pydantic import ValidationError

from tests import toy_translators as toys

WRITERS = {
    "m2m100": toys.write_m2m100,
    "nllb": toys.write_nllb,
    "opus": toys.write_marian,
    "opus-many": lambda folder: toys.write_marian(folder, more=(">>spa<<", ">>ita<<")),
    "madlad": toys.write_madlad,
    # As OPUS has it: the end is put in by force where the limit is reached.
    "endless": lambda folder: toys.write_marian(folder, ends=False, forced_eos_token_id=0),
}

COMMIT = "0123456789abcdef0123456789abcdef01234567"

# Padding, order and batches of unlike length.
ENGLISH = ["the dog .", "the red cat and the dog eats bread .", "the cat sees the bread .", "bread", "the red dog ."]
SPANISH = ["el perro .", "el rojo gato y el perro come pan .", "el gato ve el pan .", "pan", "el rojo perro ."]
ITALIAN = ["il cane .", "il rosso gatto e il cane mangia pane .", "il gatto vede il pane .", "pane", "il rosso cane ."]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with all of them."""
    import torch

    # They are so small that threads would only wait for each other.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("translators")
    for name, write in WRITERS.items():
        write(folder / name)
    yield folder
    torch.set_num_threads(threads)


Make = Callable[..., Seq2Seq]


@pytest.fixture
def make(models: Path, tmp_path: Path) -> Make:
    def engine(model: str, target: str = "es", source: str = "en", **options: Any) -> Seq2Seq:
        place = {} if "hub" in options else {"path": str(models / model)}
        options = {"beams": 2, "batch_size": 2, "max_new_tokens": 20} | place | options
        return Seq2Seq(Settings(engine="seq2seq", **options), source, target, tmp_path / "cache")

    return engine


def ask(engine: Seq2Seq, texts: list[str]) -> list[Answer]:
    answers: dict[int, Answer] = {}
    engine.ask([(text,) for text in texts], answers.__setitem__)
    return [answers[place] for place in range(len(texts))]


def said(engine: Seq2Seq, texts: list[str]) -> list[str]:
    return ["".join(answer.texts or [f"refused: {answer.reason}"]) for answer in ask(engine, texts)]


def shown(engine: Seq2Seq, text: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens that the model sees of a text."""
    seen: list[str] = []
    engine._load()
    generate = engine.model.generate

    def look(input_ids: Any, **more: Any) -> Any:
        seen.extend(engine.tokenizer.convert_ids_to_tokens(input_ids[0].tolist()))
        return generate(input_ids=input_ids, **more)

    monkeypatch.setattr(engine.model, "generate", look)
    ask(engine, [text])
    return seen


# --- translations ---


@pytest.mark.parametrize("model", ["m2m100", "nllb"])
@pytest.mark.parametrize(("target", "expected"), [("es", SPANISH), ("it", ITALIAN)])
def test_a_model_of_many_languages_translates_into_the_one_asked_for(make: Make, model, target, expected):
    assert said(make(model, target), ENGLISH) == expected


def test_a_model_of_one_pair_translates(make: Make):
    assert said(make("opus"), ENGLISH) == SPANISH


@pytest.mark.parametrize("model", ["m2m100", "opus"])
def test_who_else_is_in_a_batch_changes_nothing(make: Make, model):
    assert [said(make(model), [text])[0] for text in ENGLISH] == said(make(model, batch_size=5), ENGLISH) == SPANISH


@pytest.mark.parametrize("beams", [1, 4])
def test_beams_change_no_clear_translation(make: Make, beams):
    assert said(make("nllb", beams=beams), ENGLISH) == SPANISH


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("madlad", ["<2es>", "▁the", "▁cat", "</s>"]),
        ("opus-many", [">>spa<<", "▁the", "▁cat", "</s>"]),
        ("opus", ["▁the", "▁cat", "</s>"]),
        ("m2m100", ["__en__", "▁the", "▁cat", "</s>"]),
        ("nllb", ["eng_Latn", "▁the", "▁cat", "</s>"]),
    ],
)
def test_the_model_is_told_the_languages_as_it_was_in_training(make: Make, monkeypatch, model, tokens):
    assert shown(make(model), "the cat", monkeypatch) == tokens


@pytest.mark.parametrize("model", ["nllb", "opus-many", "madlad", "m2m100"])
@pytest.mark.parametrize("token", ["ita_Latn", ">>ita<<", "<2it>", "__it__", "</s>"])
def test_what_looks_like_a_token_in_a_text_is_none_to_the_model(make: Make, monkeypatch, model, token):
    """It is an unknown word to most; T5 takes it for the token itself, and is not asked."""
    assert token not in shown(make(model), f"the cat {token} the cat", monkeypatch)[1:-1]


def test_an_order_in_a_text_is_refused(make: Make):
    (answer,) = ask(make("madlad"), ["the cat <2it> the cat"])
    assert answer == Answer(None, "holds what the model would take for one of its own tokens", calls=0)


# --- refusals ---


def test_a_translation_that_never_ends_is_refused_even_where_an_end_is_forced(make: Make):
    (answer,) = ask(make("endless"), ["the cat ."])
    assert answer == Answer(None, "was not finished after 20 tokens", tokens_in=4, tokens_out=20)


def test_a_translation_with_a_hole_is_refused(make: Make):
    first, second = ask(make("m2m100"), ["the zebra eats bread .", "the cat ."])
    assert (first.texts, first.reason) == (None, "holds a piece that is not in the model's vocabulary")
    assert second.texts == ("el gato .",)


def test_what_is_too_long_is_refused_and_stops_no_other(make: Make):
    engine = make("m2m100")
    long = "the cat " * 10
    assert engine.fits("the cat " * 9) and not engine.fits(long)
    refused, answer = ask(engine, [long, "the cat ."])
    assert refused == Answer(None, "has 22 tokens, and 20 is the most that fit", calls=0)
    assert answer.texts == ("el gato .",)


def test_no_more_is_asked_than_the_model_has_positions(make: Make):
    engine = make("opus", max_new_tokens=500)
    assert engine.fits("cat " * 63) and not engine.fits("cat " * 64)
    assert said(engine, ["cat " * 63]) == [" ".join(["gato"] * 63)]


def test_each_batch_is_kept_as_it_is_done(make: Make, monkeypatch):
    import torch

    engine = make("m2m100")
    engine._load()
    generate, calls = engine.model.generate, []

    def fails(**inputs: Any) -> Any:
        calls.append(inputs)
        if len(calls) == 2:
            raise torch.OutOfMemoryError
        return generate(**inputs)

    monkeypatch.setattr(engine.model, "generate", fails)
    kept: dict[int, Answer] = {}
    with pytest.raises(EngineDownError, match=r"2 sentences do not fit .* lower batch_size, which is 2"):
        engine.ask([(text,) for text in ENGLISH], kept.__setitem__)
    assert {place: answer.texts for place, answer in kept.items()} == {1: (SPANISH[1],), 2: (SPANISH[2],)}


# --- languages ---


@pytest.mark.parametrize(
    ("lang", "code"),
    [
        *[("ar", "arb_Arab"), ("zh", "zho_Hans"), ("cs", "ces_Latn"), ("en", "eng_Latn"), ("et", "est_Latn")],
        *[("fi", "fin_Latn"), ("he", "heb_Hebr"), ("hi", "hin_Deva"), ("it", "ita_Latn"), ("ru", "rus_Cyrl")],
        *[("es", "spa_Latn"), ("sw", "swh_Latn"), ("sr", "srp_Cyrl"), ("hr", "hrv_Latn"), ("sl", "slv_Latn")],
        *[("pl", "pol_Latn"), ("sk", "slk_Latn"), ("lv", "lvs_Latn"), ("no", "nob_Latn"), ("fil", "tgl_Latn")],
        *[("fa", "pes_Arab"), ("ps", "pbt_Arab"), ("ckb", "ckb_Arab"), ("ms", "zsm_Latn"), ("yue", "yue_Hant")],
    ],
)
def test_nllb_s_codes_are_found(lang, code):
    from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES

    assert model_code(lang, FAIRSEQ_LANGUAGE_CODES) == code


@pytest.mark.parametrize(
    ("lang", "code"), [("es", "es"), ("nb", "no"), ("nso", "ns"), ("fil", "tl"), ("he", "he"), ("zh", "zh")]
)
def test_m2m100_s_codes_are_found(lang, code):
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

    assert model_code(lang, FAIRSEQ_LANGUAGE_CODES["m2m100"]) == code


def test_a_code_without_a_script_goes_before_those_with_one():
    assert model_code("zh", ["zh_Latn", "zh", "es"]) == "zh"


def test_a_language_that_the_model_does_not_know_is_an_error_that_names_near_ones(make: Make):
    with pytest.raises(PinchError, match=r"nllb: the model does not know br \(Breton\); it knows b.*, b.*; if one"):
        make("nllb", "br")


def test_a_language_with_several_codes_is_an_error_until_one_is_chosen(make: Make):
    with pytest.raises(PinchError, match=r"has aka_Latn and twi_Latn for ak; name one by codes: \{ak: aka_Latn\}"):
        make("nllb", "ak")
    assert make("nllb", "ak", codes={"ak": "twi_Latn"}).identity["target"] == "twi_Latn"


def test_codes_go_before_what_is_found(make: Make):
    assert said(make("nllb", "es", codes={"es": "ita_Latn"}), ["the dog ."]) == ["il cane ."]


def test_a_code_that_the_model_has_not_is_an_error(make: Make):
    with pytest.raises(PinchError, match=r"codes: es: the model has no 'spa_Latin'; near are spa_Latn"):
        make("nllb", "es", codes={"es": "spa_Latin"})


def test_a_model_of_one_pair_takes_no_other(make: Make):
    with pytest.raises(PinchError, match=r"its target_lang is es, not it"):
        make("opus", "it")
    with pytest.raises(PinchError, match=r"its source_lang is en, not fr"):
        make("opus", "es", source="fr")


def test_a_model_that_is_no_translator_is_an_error(make: Make, tiny_model: Path):
    with pytest.raises(PinchError, match="is no translation model that is known here"):
        make("", path=str(tiny_model))


# --- which model ---


def test_the_language_stands_in_the_path(make: Make, models: Path, tmp_path: Path):
    shutil.copytree(models / "opus", tmp_path / "opus-en-es")
    assert make("", path=str(tmp_path / "opus-en-{lang}")).name == "seq2seq:opus-en-es"
    with pytest.raises(PinchError, match=r"opus-en-it: has no config.json"):
        make("", "it", path=str(tmp_path / "opus-en-{lang}"))


def test_weights_that_are_pickled_are_refused(make: Make, models: Path, tmp_path: Path):
    shutil.copytree(models / "opus", tmp_path / "opus")
    (tmp_path / "opus/model.safetensors").rename(tmp_path / "opus/pytorch_model.bin")
    with pytest.raises(PinchError, match=r"has no \*.safetensors; pickled weights are not loaded"):
        make("", path=str(tmp_path / "opus"))


def test_weights_that_are_damaged_are_one_clear_line(make: Make, models: Path, tmp_path: Path):
    shutil.copytree(models / "opus", tmp_path / "opus")
    (tmp_path / "opus/model.safetensors").write_bytes(b"nothing")
    with pytest.raises(PinchError, match=r"model\.safetensors is not safetensors, or damaged"):
        ask(make("", path=str(tmp_path / "opus")), ["the cat ."])


@pytest.mark.parametrize(("option", "same"), [("beams", False), ("max_new_tokens", False), ("batch_size", True)])
def test_the_identity_holds_what_changes_a_translation(make: Make, option, same):
    assert (make("opus").identity == make("opus", **{option: 7}).identity) is same


def test_the_identity_changes_with_the_model_s_files_and_not_with_their_place(make: Make, models: Path, tmp_path: Path):
    shutil.copytree(models / "opus", tmp_path / "opus")
    before = make("opus").identity
    assert make("", path=str(tmp_path / "opus")).identity == before
    decoding = tmp_path / "opus/generation_config.json"
    decoding.write_text(json.dumps(json.loads(decoding.read_text()) | {"length_penalty": 2.0}))
    assert make("", path=str(tmp_path / "opus")).identity != before


def test_a_local_model_is_read_for_its_digest_once(make: Make, monkeypatch):
    before = make("m2m100").identity
    monkeypatch.setattr("pinch.translate.seq2seq.folder_digest", None)
    assert make("m2m100").identity == before


def test_a_hub_model_is_fetched_once_at_its_commit(make: Make, models: Path, monkeypatch):
    asked = []

    def download(hub: str, revision: str, local_dir: Path, allow_patterns: list[str]) -> None:
        asked.append((hub, revision))
        shutil.copytree(models / "opus", local_dir)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    options = {"hub": "Helsinki-NLP/opus-mt-en-{lang}", "revision": {"es": COMMIT}}
    engine = make("", **options)
    assert said(make("", **options), ["the cat ."]) == ["el gato ."]
    assert asked == [("Helsinki-NLP/opus-mt-en-es", COMMIT)]
    assert (engine.name, engine.identity["model"]) == ("seq2seq:opus-mt-en-es", f"Helsinki-NLP/opus-mt-en-es@{COMMIT}")
    with pytest.raises(PinchError, match="revision: has no commit for it"):
        make("", "it", **options)


def test_a_hub_that_cannot_be_reached_is_one_clear_line(make: Make):
    with pytest.raises(PinchError, match=rf"hub nobody/nothing at {COMMIT}: cannot be fetched: "):
        make("", hub="nobody/nothing", revision=COMMIT)


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"hub": "a/b"},
        {"hub": "a/b", "revision": "main"},
        {"hub": "a/b", "revision": {"es": COMMIT}},
        {"hub": "a/b-{lang}", "revision": COMMIT},
        {"hub": "a/b-{lang}", "revision": {"es": "main"}},
        {"hub": "a/b-{lang}", "revision": {}},
        {"path": "here", "revision": COMMIT},
        {"path": "here", "hub": "a/b", "revision": COMMIT},
    ],
)
def test_a_model_is_named_in_one_way_and_at_a_commit(model):
    with pytest.raises(ValidationError, match=r"revision|name the model"):
        Settings(engine="seq2seq", **model)
