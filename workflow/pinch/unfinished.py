"""What is there of an experiment that is not finished: its cells scored, its figures drawn with what is missing marked.

For `draw` and `explorer`, which show it; they run the links as their commands would.
"""

import argparse
import json
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from pinch import aggregate, plot
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.figures import Figures
from pinch.printable import one_line


def _called(link: object, *words: str) -> str:
    """Run a link as its command would."""
    parser = argparse.ArgumentParser()
    link.add_arguments(parser)  # type: ignore[attr-defined]
    with redirect_stdout(StringIO()):
        said: str = link.run(parser.parse_args(words))  # type: ignore[attr-defined]
    return said


def _finished_cells(experiment: Experiment, output: Path) -> tuple[list[str], int]:
    """Score the cells that are there: the rows written into `output`, and the number of cells in them."""
    rows: list[str] = []
    cells = 0
    for judge in experiment.judge_names():
        for base in experiment.base_names():
            for mixture in experiment.rows:
                for seed in experiment.seeds():
                    generated = experiment.generations(base, mixture, seed)
                    judged = experiment.judgments(judge, base, mixture, seed)
                    there = {Path(file).stem: file for file in generated if Path(file).is_file()}
                    verdicts = {Path(file).stem: file for file in judged if Path(file).is_file()}
                    compared = {Path(file).stem: file for file in experiment.baselines(base, mixture, seed)}
                    verdicts = {lang: file for lang, file in verdicts.items() if Path(compared[lang]).is_file()}
                    columns = [
                        [lang, experiment.baseline(lang)]
                        for lang in there
                        if lang in verdicts or experiment.baseline(lang) == mixture
                    ]
                    if not columns:
                        continue
                    row = output / "rows" / judge / base / mixture / f"{seed}.parquet"
                    names = {"judge": judge, "baseline": experiment.config.judge.baseline, "base": base}
                    _called(
                        aggregate,
                        "row",
                        *(word for name, value in names.items() for word in (f"--{name}", value)),
                        *("--mixture", mixture, "--seed", seed, "--columns", json.dumps(columns)),
                        *("--settings", experiment.aggregate_setting()),
                        *("--judgments", *verdicts.values(), "--generations", *there.values()),
                        *("--baselines", *(compared[lang] for lang in verdicts)),
                        *("--output", str(row)),
                    )
                    rows.append(str(row))
                    cells += len(columns)
    return rows, cells


@dataclass(frozen=True)
class Scored:
    """What is there of an experiment, scored."""

    output: Path
    table: str
    """All cells that are there, .parquet."""
    cells: int
    audits: list[str]


def score(experiment: Experiment, output: Path) -> Scored:
    """Tables of the cells that are there, in `output`. Raises PinchError where there is none."""
    rows, cells = _finished_cells(experiment, output)
    if not rows:
        raise PinchError(f"{experiment.results}: no cell is there yet; run the workflow first")
    tables = [str(output / f"scores.{kind}") for kind in ("parquet", "csv")]
    audits = [file for file in experiment.audits() if Path(file).is_file()]
    _called(aggregate, "table", "--rows", *rows, "--audits", *audits, "--parquet", tables[0], "--csv", tables[1])
    return Scored(output, tables[0], cells, audits)


def draw(figures: Figures, names: Iterable[str], scored: Scored) -> dict[str, str]:
    """Draw these figures as far as can be, and say which cannot; the CSV of each one that was drawn, by its name."""
    drawn: dict[str, str] = {}
    for name in names:
        figure = figures.all[name]
        files = {kind: str(scored.output / f"{name}.{kind}") for kind in ("png", "pdf", "csv")}
        words = [word for kind, file in files.items() for word in (f"--{kind}", file)]
        drawn_from = [] if figure.kind in plot.WITHOUT_SCORES else ["--scores", scored.table]
        if figure.kind == "translations":
            drawn_from = figures.arguments(name)
        about = [file for file in figures.inputs(name).get("audits", []) if file in scored.audits]
        drawn_from += ["--audits", *about] if about else []
        try:
            _called(plot, *drawn_from, "--settings", figures.setting(name), *words)
            drawn[name] = files["csv"]
        except PinchError as error:
            print(f"draw: {name}: not yet: {one_line(str(error))}", flush=True)
    return drawn
