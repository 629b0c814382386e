"""The models of seq2seq by CTranslate2, which decodes them in less time: converted once, loaded when first asked."""

import tempfile
from pathlib import Path
from typing import Any

from pinch.config.translation import Seq2Seq as Settings
from pinch.errors import PinchError
from pinch.rows import digest, read_json, sync, sync_folder, write_text
from pinch.translate.engines import EngineDownError

PACKAGE = "ctranslate2==4.8.5"


def release() -> str:
    """The version of CTranslate2. Raises PinchError where it is not installed: it is no dependency of this package."""
    try:
        import ctranslate2
    except ImportError as error:
        raise PinchError(f"seq2seq: backend: ctranslate2 cannot be imported ({error}); pip install {PACKAGE}") from None
    return str(ctranslate2.__version__)


def _checked(kind: Any, folder: str, **options: Any) -> Any:
    """A model as the converter loads it, if it is one of which CTranslate2 does not assume too much."""
    model = kind.from_pretrained(folder, use_safetensors=True, trust_remote_code=False, **options)
    if model.config.model_type == "marian":
        # True of OPUS as published; training with transformers moves these weights, for they are the output's too.
        if model.get_decoder().embed_tokens.weight[model.config.decoder_start_token_id].any():
            raise ValueError("its decoder does not start from zeros, as CTranslate2 has it start")
        if not model.config.share_encoder_decoder_embeddings:
            raise ValueError("it has one vocabulary for sources and another for translations")
    return model


def convert(folder: Path, model: str, compute_type: str, cache: Path) -> Path:
    """The folder of a model in CTranslate2's format, converted if it is not there; safe under several processes.

    `model` names its content: a digest, or a commit of the hub. Raises PinchError where it cannot be converted.
    """
    from filelock import FileLock

    key = digest(model, compute_type, release())
    target = cache / "ctranslate2_models" / f"{folder.name}-{compute_type}-{key[:16]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
        if not target.is_dir():
            print(f"translate: converting {folder} for CTranslate2 in {compute_type}", flush=True)
            with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
                try:
                    _convert(folder, Path(scratch) / "model", compute_type)
                except Exception as error:  # the converter knows few models, and says so in many ways
                    first = (str(error).strip() or type(error).__name__).splitlines()[0]
                    raise PinchError(
                        f"seq2seq: {folder}: cannot be converted for CTranslate2: {first}; "
                        "backend: transformers does without"
                    ) from None
                sync_folder(Path(scratch) / "model")
                (Path(scratch) / "model").rename(target)
                sync(target.parent)
    return target


def _convert(folder: Path, target: Path, compute_type: str) -> None:
    from ctranslate2.converters import TransformersConverter

    converter: Any = TransformersConverter(str(folder))
    load_tokenizer, seen = converter.load_tokenizer, {}

    def tokenizer_with_languages(*args: Any, **options: Any) -> Any:
        tokenizer = load_tokenizer(*args, **options)
        # M2M100's keeps the tokens of its languages beside its vocabulary, and the converter looks for them where
        # transformers 5 no longer has them.
        seen["tokens"] = tokenizer.get_vocab() | getattr(tokenizer, "lang_token_to_id", {})
        tokenizer.get_vocab = lambda: seen["tokens"]
        return tokenizer

    def model_with_decoding(*args: Any, **options: Any) -> Any:
        seen["model"] = _checked(*args, **options)
        return seen["model"]

    converter.load_tokenizer, converter.load_model = tokenizer_with_languages, model_with_decoding
    converter.convert(str(target), quantization=compute_type)
    # Tokens go in and come out by their names: one name shifted, and all translations were nonsense.
    vocabulary = read_json(target / "shared_vocabulary.json")
    if any(vocabulary[id] != token for token, id in seen["tokens"].items() if id < len(vocabulary)):
        raise ValueError("its vocabulary comes out in another order")
    write_text(target / "generation_config.json", seen["model"].generation_config.to_json_string(use_diff=False))


class Converted:
    """A model in CTranslate2, on the GPU where there is one, else on as many cores as torch would take."""

    def __init__(self, folder: Path, settings: Settings, tokenizer: Any, forced: int | None, limit: int) -> None:
        """`folder`: made by `convert`. `forced`: the token that opens a translation. `limit`: of its tokens.

        Raises PinchError where the model cannot be loaded, or this machine does not compute in its type.
        """
        import ctranslate2
        import torch

        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        known = sorted(ctranslate2.get_supported_compute_types(device))
        if settings.compute_type not in known:
            raise PinchError(
                f"seq2seq: compute_type: this machine's {device} does not compute in {settings.compute_type}; "
                f"it has {', '.join(known)}"
            )
        try:
            self.translator: Any = ctranslate2.Translator(
                str(folder), device, compute_type=settings.compute_type, intra_threads=torch.get_num_threads()
            )
        except RuntimeError as error:
            raise PinchError(f"{folder}: the model cannot be loaded: {str(error).splitlines()[0]}") from None
        self.tokenizer = tokenizer
        self.prefix = None if forced is None else tokenizer.convert_ids_to_tokens([forced])
        decoding = read_json(folder / "generation_config.json")
        ends = decoding["eos_token_id"]
        self.ends = set(ends if isinstance(ends, list) else [ends])
        self.options = {
            "beam_size": settings.beams,
            # Transformers goes on while an unfinished beam may yet win, unless told to stop early; CTranslate2 never
            # looks, and with its default stops too soon: that cost NLLB 3.3B 0.4 chrF++, and with 2 it cost nothing
            # (the model card of jknafou/nllb-200-3.3B-ct2-float16).
            "patience": 1 if decoding.get("early_stopping") else 2,
            "end_token": sorted(self.ends),
            "return_end_token": True,
            "min_decoding_length": 0,
            "max_decoding_length": limit,
            "max_input_length": 0,
        }
        for option in ("length_penalty", "repetition_penalty", "no_repeat_ngram_size"):
            if decoding.get(option) is not None:
                self.options[option] = decoding[option]

    def generate(self, ids: list[list[int]]) -> list[list[int]]:
        """What is said to these sources, each up to and with the token that ends it, if one does.

        Raises torch.OutOfMemoryError where they do not fit the GPU together, EngineDownError where it fails otherwise.
        """
        import torch

        sources = [self.tokenizer.convert_ids_to_tokens(source) for source in ids]
        prefixes = None if self.prefix is None else [self.prefix] * len(sources)
        try:
            results = self.translator.translate_batch(sources, prefixes, **self.options)
        except RuntimeError as error:
            if "out of memory" in str(error):
                raise torch.OutOfMemoryError(str(error)) from None
            raise EngineDownError(f"seq2seq: ctranslate2: {str(error).splitlines()[0]}") from None
        return [self.tokenizer.convert_tokens_to_ids(result.hypotheses[0]) for result in results]
