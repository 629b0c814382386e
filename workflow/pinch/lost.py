"""Files of cells that are missing although something was made from them.

Snakemake looks for missing files only behind jobs that run: verdicts that are lost while the figure is there would
never be missed. So the target rule names them. It names these alone, and not all cells of the experiment: what it names
is planned like any input, and where nothing is lost Snakemake finds the cells behind the figures.
"""

from collections.abc import Iterator
from pathlib import Path

from pinch.experiment import Experiment


def lost_files(experiment: Experiment) -> list[str]:
    """What no job asks for, because what it was for is there: responses, verdicts, rows of scores, what they share."""
    return [*_shared(experiment), *_of_rows(experiment)]


def _shared(experiment: Experiment) -> Iterator[str]:
    """What responses were made from and is no input of the judges and tuned models that read it as well."""
    if Path(experiment.results, "generations").is_dir():
        files = [f"{experiment.results}/base_models/{base}.json" for base in experiment.base_names()]
        files += [experiment.translations.file("eval", lang) for lang in experiment.columns]
        yield from (file for file in files if not Path(file).is_file())


def _of_rows(experiment: Experiment) -> Iterator[str]:
    table = Path(experiment.results, "scores", "scores.parquet").is_file()
    for base in experiment.base_names():
        for mixture in experiment.training_sets:
            for seed in experiment.seeds():
                judged: set[str] = set()
                for judge in experiment.judge_names() if mixture in experiment.rows else ():
                    row = experiment.score_row(judge, base, mixture, seed)
                    verdicts = experiment.judgments(judge, base, mixture, seed)
                    there = _names(Path(verdicts[0]).parent) if verdicts else set()
                    judged |= there
                    if Path(row).is_file():
                        yield from (file for file in verdicts if Path(file).name not in there)
                    elif table:
                        yield row
                folder = Path(experiment.results, "generations", base, mixture, seed)
                there = _names(folder)
                for lang in experiment.row_languages(mixture):
                    name = f"{lang}.jsonl"
                    # Those of a baseline serve a whole column, whatever has become of their own row.
                    if name not in there and (name in judged or experiment.baseline(lang) == mixture):
                        yield (folder / name).as_posix()


def _names(folder: Path) -> set[str]:
    """The files of a folder, none where it is missing: one look at the disk a row, not one a cell."""
    try:
        return {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return set()
