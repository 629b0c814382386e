"""What a results folder knows of itself: whose it is, what was planned before anything ran, and long arguments."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pinch import explored, inventory
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.figures import Figures
from pinch.printable import one_line, printable
from pinch.rows import canonical, read_json, write_json, write_text


def check_owner(experiment: Experiment, owner: str) -> None:
    """Refuse a results folder that another experiment's config made. Raises PinchError."""
    record = Path(experiment.results) / "experiment.json"
    if record.is_file() and read_json(record).get("config") != owner:
        raise PinchError(
            f"results: {experiment.results} belongs to the experiment of {read_json(record).get('config')}, not to "
            f"{owner}; give this one a folder of its own, or delete {record} to let it take over"
        )


def begin(experiment: Experiment, owner: str, settings: Mapping[str, Any]) -> None:
    """Write R/experiment.json, and R/plan.md and R/plan.json where the settings are not those of the last run."""
    folder = Path(experiment.results)
    record = folder / "experiment.json"
    new = {"config": owner, "settings": dict(settings)}
    if not record.is_file() or not (folder / "plan.md").is_file() or read_json(record) != new:
        # Not above: every job of a cluster reads the rules, and plans nothing.
        from pinch.plan import make_plan, render_markdown

        try:
            plan = make_plan(experiment)
        except PinchError as error:  # what a plan cannot read is for the job that needs it to refuse
            print(f"pinch: no plan of this run: {one_line(str(error))}", flush=True)
        else:
            write_text(folder / "plan.md", render_markdown(plan, owner))
            write_json(folder / "plan.json", asdict(plan))
    write_json(record, new)


def finish(experiment: Experiment) -> None:
    """Write R/manifest.json when a run has ended well. What stands in the way spoils no finished run."""
    results = Path(experiment.results)
    try:
        inventory.record(results, read_json(results / "experiment.json")["settings"])
    except (PinchError, OSError) as error:
        print(f"pinch: {results / inventory.NAME} cannot be written: {error}", flush=True)


def write_arguments(figures: Figures) -> None:
    """Write R/arguments/; a file that is as it should be is left alone."""
    for name, text in _argument_files(figures):
        path = Path(figures.results, "arguments", name)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)


def _argument_files(figures: Figures) -> Iterator[tuple[str, str]]:
    experiment = figures.experiment
    yield "aggregate.txt", _lines(experiment.score_rows())
    yield "generate.json", experiment.generate_rows() + "\n"
    yield "transport/generate.json", experiment.generate_transport() + "\n"
    for judge in experiment.judge_names():
        yield f"transport/judges/{judge}.json", experiment.judging.transport(judge) + "\n"
    yield "explorer.json", explored.setting(figures) + "\n"
    yield "compare.json", experiment.groups_setting() + "\n"
    for judge in experiment.judge_names():
        for lang in experiment.judging.audited_languages():
            yield f"audit/{judge}/{lang}.txt", _lines(experiment.audited_rows(judge, lang))
    # What a local judge is asked about in one go, by the first of these jobs to run.
    local, langs = experiment.judging.local(), experiment.judging.audited_languages()
    for lang in langs if local else []:
        yield f"judge/{lang}.json", canonical(experiment.column(lang)) + "\n"
    for judge in local:
        inputs = {lang: experiment.audit_inputs(judge, lang) for lang in langs}
        words = {lang: experiment.judging.audit_arguments(there) for lang, there in inputs.items()}
        yield f"audit/{judge}.json", canonical(words) + "\n"
    for name in figures.all:
        yield f"plot/{name}.json", figures.setting(name) + "\n"
        if scores := figures.inputs(name).get("scores"):
            yield f"plot/{name}.txt", _lines(scores)
    for name in figures.answers:
        yield f"answer/{name}.json", figures.answer_setting(name) + "\n"


def _lines(paths: Sequence[str]) -> str:
    return "".join(f"{path}\n" for path in paths)


def summary(figures: Figures) -> str:
    """For the end of a run: where the figures are, and the answers that there are, in words."""
    lines = [
        f"pinch: figures in {figures.results}/figures, scores in {figures.results}/scores/scores.csv",
        f"pinch: open {figures.results}/explorer/index.html in a browser to read what is behind each cell",
    ]
    for file in figures.experiment.audits():
        audit = read_json(file) if Path(file).is_file() else {}
        if audit.get("status") == "red":
            lines.append(
                f"pinch: judge {audit['judge']} is not to be believed in {audit['lang']}: "
                f"{', '.join(flag.replace('_', ' ') for flag in audit['flags'])} ({file})"
            )
    for name in figures.answers:
        answer = Path(figures.results) / "answers" / f"{name}.txt"
        if answer.is_file():
            lines += [f"pinch: {name}: {line}" for line in answer.read_text(encoding="utf-8").splitlines()]
    return printable("\n".join(lines))
