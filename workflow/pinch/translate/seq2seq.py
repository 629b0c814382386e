"""Translation models on this machine: NLLB, M2M100, MADLAD and OPUS (Marian), by transformers or CTranslate2.

They are trained on sentences and cut or drop what is longer, so a sentence is what they are asked, and an answer
that does not end by itself is none.
"""

import difflib
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pinch import modelling
from pinch.cache import ReplyCache
from pinch.config.translation import Seq2Seq as Settings
from pinch.errors import PinchError
from pinch.languages import name as language_name
from pinch.model_files import check_folder
from pinch.rows import digest, folder_digest, read_json, sync, sync_folder
from pinch.translate import converted
from pinch.translate.engines import Answer, EngineDownError, Request, Unit

FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.spm", "LICENSE*", "NOTICE*"]
"""What is fetched of a model: pickled weights are not loaded, and code of strangers is not run."""

FORCED = (re.compile(r"__(?P<code>[a-z]{2,3})__"), re.compile(r"(?P<code>[a-z]{3}_[A-Z][a-z]{3})"))
"""Tokens of languages that open the translation: of M2M100, of NLLB."""

PREFIXED = (re.compile(r"<2(?P<code>[a-z]{2,3}(_\w+)?)>"), re.compile(r">>(?P<code>[a-z]{2,3}(_\w+)?)<<"))
"""Tokens of languages that open the source: of MADLAD, of Marian models with several target languages."""

SAME = {"no": "nb", "ns": "nso", "tgl": "fil", "pbt": "ps", "fuv": "ff", "quy": "qu"}
"""Codes that models use for a language, beyond the aliases of the Unicode CLDR (spa, cmn, arb, iw ...)."""

SORTED_TOGETHER = 16
"""Batches handed over at once: sentences of the same length make a batch, and padding is lost time."""


def _canonical(code: str) -> str:
    from babel.core import get_global

    base = code.split("_", maxsplit=1)[0].lower()
    base = str(get_global("language_aliases").get(base, base))
    return SAME.get(base, base)


def model_code(lang: str, known: Collection[str]) -> str:
    """What a model that knows the codes `known` calls a language: spa_Latn, zho_Hans, es.

    Of several codes the one without a script, or with the script that the language is mostly written in. Raises
    PinchError where there is none, naming near ones, or where it cannot be told.
    """
    from babel.core import get_global

    found = sorted(code for code in known if _canonical(code) == _canonical(lang))
    likely = str(get_global("likely_subtags").get(_canonical(lang), "")).split("_")[1:2]
    for fitting in (
        found,
        [code for code in found if "_" not in code],
        [c for c in found if c.split("_")[1:2] == likely],
    ):
        if len(fitting) == 1:
            return fitting[0]
    if found:
        raise PinchError(f"the model has {' and '.join(found)} for {lang}; name one by codes: {{{lang}: {found[0]}}}")
    bases = {base: code for code in sorted(known) if (base := code.split("_", maxsplit=1)[0])[0] == lang[0]}
    near = ", ".join(bases[base] for base in difflib.get_close_matches(lang, bases, n=5, cutoff=0)) or "others"
    raise PinchError(
        f"the model does not know {lang} ({language_name(lang)}); it knows {near}; "
        "if one of them is meant, name it by codes"
    )


def _fetch(hub: str, revision: str, cache: Path) -> Path:
    """The folder of a hub model at a commit, fetched if it is not there; safe under several processes."""
    from filelock import FileLock
    from huggingface_hub import snapshot_download

    folder = cache / "translation_models" / f"{hub.replace('/', '--')}@{revision}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        if not folder.is_dir():
            print(f"translate: fetching {hub} at {revision} from the Hugging Face hub", flush=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                target = Path(scratch) / "model"
                try:
                    snapshot_download(hub, revision=revision, local_dir=target, allow_patterns=FILES)
                except Exception as error:  # the hub's HTTP client has exceptions of its own
                    first = (str(error).strip() or type(error).__name__).splitlines()[0]
                    raise PinchError(f"seq2seq: hub {hub} at {revision}: cannot be fetched: {first}") from None
                shutil.rmtree(target / ".cache", ignore_errors=True)
                check_folder(target, f"seq2seq: hub {hub} at {revision}")
                sync_folder(target)
                target.rename(folder)
                sync(folder.parent)
    return folder


def _local_digest(folder: Path, cache: Path) -> str:
    """The digest of a local model; gigabytes are not read again in each job while no file changes size or time."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stamps = [(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    key = digest(str(folder.resolve()), stamps)
    digests = ReplyCache(cache / "folder_digests.sqlite")
    known = digests.get(key)
    if known is None:
        known = {"digest": folder_digest(folder)}
        digests.put(key, known)
    return str(known["digest"])


class Seq2Seq:
    """Sentences by length into batches, each kept as it is done; the weights are loaded when first asked."""

    unit: Unit = "sentence"

    def __init__(self, settings: Settings, source: str, target: str, cache: Path) -> None:
        self.settings, self.cache = settings, cache
        if settings.hub:
            hub, revision = settings.hub.replace("{lang}", target), settings.commit(target)
            if revision is None:
                raise PinchError(
                    f"seq2seq: revision: has no commit for {target}; add it, or leave {target} out of languages"
                )
            self.folder, model = _fetch(hub, revision, cache), f"{hub}@{revision}"
            called = hub
        else:
            called = str(settings.path).replace("{lang}", target)
            self.folder = Path(called)
            check_folder(self.folder, f"seq2seq: path {called}")
            model = _local_digest(self.folder, cache)
        self.name = f"seq2seq:{Path(called).absolute().name}"
        self.batch = settings.batch_size * SORTED_TOGETHER
        modelling.quiet()
        self.tokenizer = modelling.load_tokenizer(self.folder, template=False)
        self.tokenizer.padding_side = "right"
        self.model: Any = None
        self.prefix: list[int] = []
        self.forced: int | None = None
        self.reserved = set(self.tokenizer.all_special_ids) - {self.tokenizer.unk_token_id}
        try:
            codes = self._choose(source, target)
        except PinchError as error:
            raise PinchError(f"seq2seq: {called}: {error}") from None
        self.limit = self._limit()
        # The sizes of batches and the device are left out: they change a translation as little as a threshold.
        self.identity: dict[str, str | int | float | None] = {
            "engine": "seq2seq",
            "model": model,
            "source": codes[0],
            "target": codes[1],
            "beams": settings.beams,
            "max_new_tokens": settings.max_new_tokens,
            "transformers": version("transformers"),
        }
        if settings.backend == "ctranslate2":
            self.identity |= {
                "backend": settings.backend,
                "compute_type": settings.compute_type,
                "ctranslate2": converted.release(),
            }

    def _choose(self, source: str, target: str) -> tuple[str | None, str | None]:
        """Tell the tokenizer the languages, by what its vocabulary has for them; the model's codes."""
        # M2M100's tokenizer keeps the tokens of its languages beside its vocabulary.
        tokens = {*self.tokenizer.get_vocab(), *getattr(self.tokenizer, "lang_token_to_id", {})}
        for pattern in (*FORCED, *PREFIXED):
            known = {match["code"]: token for token in tokens if (match := pattern.fullmatch(token))}
            if known:
                code = self._code(target, known)
                self.reserved.update(self.tokenizer.convert_tokens_to_ids(list(known.values())))
                id = int(self.tokenizer.convert_tokens_to_ids(known[code]))
                if pattern in PREFIXED:
                    self.prefix = [id]
                    return None, code
                self.forced = id
                self.tokenizer.src_lang = self._code(source, known)
                return str(self.tokenizer.src_lang), code
        for lang, stated in ((source, "source_lang"), (target, "target_lang")):
            made_for = getattr(self.tokenizer, stated, None)
            if made_for is None:
                raise PinchError(
                    "is no translation model that is known here: its tokenizer has no tokens of languages, as NLLB, "
                    f"M2M100, MADLAD and multilingual OPUS have, and no {stated}, as OPUS has for one pair"
                )
            if _canonical(made_for) != _canonical(lang):
                raise PinchError(f"its {stated} is {made_for}, not {lang}; give it only the languages that it is for")
        return None, None

    def _code(self, lang: str, known: Collection[str]) -> str:
        code = self.settings.codes.get(lang)
        if code is None:
            return model_code(lang, known)
        if code not in known:
            near = ", ".join(difflib.get_close_matches(code, sorted(known), n=3, cutoff=0.3))
            raise PinchError(f"codes: {lang}: the model has no {code!r}; near are {near or 'none'}")
        return code

    def _limit(self) -> int:
        """Tokens of a source or a translation: max_new_tokens, or the model's positions where they are fewer."""
        config = read_json(self.folder / "config.json")
        positions = (config.get("max_position_embeddings"), config.get("n_positions"), self.tokenizer.model_max_length)
        return min(self.settings.max_new_tokens, *(int(number) for number in positions if number))

    def _ids(self, text: str) -> list[int]:
        return [*self.prefix, *modelling.text_ids(self.tokenizer, text)]

    def _refusal(self, ids: list[int]) -> str:
        """Why a source is not asked for; "" if it is."""
        if len(ids) > self.limit:
            return f"has {len(ids)} tokens, and {self.limit} is the most that fit"
        # "</s>" and "<2fr>" in a text are pieces like others to some tokenizers, and an order to the model.
        if [id for id in ids if id in self.reserved] != self._ids(""):
            return "holds what the model would take for one of its own tokens"
        return ""

    def fits(self, text: str) -> bool:
        """By its tokens; a text of few bytes cannot have more of them."""
        return len(text.encode()) + 3 <= self.limit or len(self._ids(text)) <= self.limit

    def ask(self, requests: Sequence[Request], keep: Callable[[int, Answer], None]) -> None:
        """Raises EngineDownError where a batch is too large for the GPU's memory."""
        import torch

        ids = [self._ids(text) for (text,) in requests]
        self._load()
        # The longest first, so that a batch too large shows at once.
        places = sorted(range(len(requests)), key=lambda place: -len(ids[place]))
        refused = {place: reason for place in places if (reason := self._refusal(ids[place]))}
        for place, reason in refused.items():
            keep(place, Answer(texts=None, reason=reason, calls=0))
        places = [place for place in places if place not in refused]
        for start in range(0, len(places), self.settings.batch_size):
            some = places[start : start + self.settings.batch_size]
            try:
                answers = self._translate([ids[place] for place in some])
            except torch.OutOfMemoryError:
                raise EngineDownError(
                    f"{self.name}: {len(some)} sentences do not fit the GPU's memory together; "
                    f"lower batch_size, which is {self.settings.batch_size}"
                ) from None
            for place, answer in zip(some, answers, strict=True):
                keep(place, answer)

    def _load(self) -> None:
        if self.model is not None:
            return
        if self.settings.backend == "ctranslate2":
            folder = converted.convert(self.folder, str(self.identity["model"]), self.settings.compute_type, self.cache)
            self.model = converted.Converted(folder, self.settings, self.tokenizer, self.forced, self.limit)
            self.ends = self.model.ends
            return
        import transformers
        from safetensors import SafetensorError

        try:
            model: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(
                self.folder, dtype=modelling.dtype(), use_safetensors=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise PinchError(f"{self.folder}: the model cannot be loaded: {str(error).splitlines()[0]}") from None
        decoding = model.generation_config
        decoding.update(
            num_beams=self.settings.beams,
            do_sample=False,
            max_length=None,
            max_new_tokens=self.limit,
            # OPUS has one, which makes a translation that was cut off look like one that has ended.
            forced_eos_token_id=None,
        )
        if self.forced is not None:
            decoding.forced_bos_token_id = self.forced
        ends = decoding.eos_token_id
        self.ends = set(ends if isinstance(ends, list) else [ends])
        self.model = model.to(modelling.device()).eval()

    def _translate(self, ids: list[list[int]]) -> list[Answer]:
        sequences = self.model.generate(ids) if self.settings.backend == "ctranslate2" else self._generate(ids)
        return [self._answer(len(source), sequence) for source, sequence in zip(ids, sequences, strict=True)]

    def _generate(self, ids: list[list[int]]) -> list[list[int]]:
        import torch

        batch = self.tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self.model.device)
        with torch.inference_mode():
            sequences = self.model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        return [[int(token) for token in sequence[1:]] for sequence in sequences]

    def _answer(self, tokens_in: int, sequence: list[int]) -> Answer:
        """The text of what was generated after the token that starts the decoder."""
        end = next((place for place, token in enumerate(sequence) if token in self.ends), None)
        if end is None:
            reason = f"was not finished after {len(sequence)} tokens"
            return Answer(texts=None, reason=reason, tokens_in=tokens_in, tokens_out=len(sequence))
        said = sequence[1 if self.forced is not None else 0 : end]
        if self.tokenizer.unk_token_id in said:
            # Decoding would drop it without a word.
            reason = "holds a piece that is not in the model's vocabulary"
            return Answer(texts=None, reason=reason, tokens_in=tokens_in, tokens_out=end + 1)
        text = self.tokenizer.decode(said, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Answer(texts=(str(text).strip(),), tokens_in=tokens_in, tokens_out=end + 1)

    def close(self) -> None:
        """Give the memory back."""
        self.model = None
