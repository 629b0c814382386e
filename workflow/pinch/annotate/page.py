"""The sheets that annotators get: a page that works offline, a table for spreadsheets, and instructions."""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pinch import languages, spreadsheet
from pinch.annotate.key import SHEET_FORMAT, TASKS, Key, Task
from pinch.rows import write_text

TEMPLATES = Path(__file__).parents[2] / "templates"

README = """Sheets for annotators
=====================

Export {export}, task {task}. Made by `python -m pinch annotate export`; docs/annotation.md says more.

annotator-1/, annotator-2/, ...  One folder for each annotator: give each person one folder, and nothing else. It holds
                   INSTRUCTIONS.txt and, for each language, the same sheet twice: .html, to be opened in a browser
                   (no network needed), and .csv, for a spreadsheet. One of the two is enough. Delete the languages
                   that the person does not read.
key.json           Says which model wrote which response. NOT for annotators: whoever sees it is not blind any more.
                   Keep it, for without it the answers say nothing.

When the filled sheets are back (.json from the page's download button, or .csv):

    python -m pinch annotate import THIS_FOLDER SHEET... --judgments EXPERIMENT.yaml --output FOLDER
"""

INSTRUCTIONS = """{title}
{underline}

{question} You are not told which system wrote what; judge what is there.

{choices}
With the page: open LANGUAGE.html in a browser (Chromium, Chrome, Edge, Firefox or Safari; no network is needed). Keys
1, 2 and 3 choose, the arrow keys go back and on. Answers are kept in the browser as you go. At the end press "Download
answers" and send the file that you get.

With a spreadsheet: open LANGUAGE.csv (UTF-8, separated by commas), write one of

    {words}

into the column "choice" of every row, remarks into "comment", change nothing else, and save it as CSV (UTF-8). Some
texts have an apostrophe before them, so that the spreadsheet does not take them for formulas.

Leave an item empty only if you cannot answer it; empty ones are counted.
"""


def write_folder(folder: Path, key: Key, texts: Mapping[str, list[str]]) -> None:
    """Write all sheets of an export; `texts` are, by item, the instruction and the response or the two responses."""
    task = TASKS[key.task]
    for name, sheet in key.sheets.items():
        stem = folder / f"annotator-{sheet.annotator}" / sheet.lang
        write_text(stem.with_suffix(".html"), page(key, name, texts))
        # The mark tells spreadsheets that it is UTF-8.
        write_text(stem.with_suffix(".csv"), "\ufeff" + table(key, name, texts))
        write_text(stem.parent / "INSTRUCTIONS.txt", _instructions(task))
    write_text(folder / "README.txt", README.format(export=key.export, task=key.task))


def _instructions(task: Task) -> str:
    choices = "".join(f"{f'{word}:':<12}{meaning}\n" for word, (_, meaning) in task.choices.items())
    underline = "=" * len(task.title)
    words = " | ".join(task.choices)
    return INSTRUCTIONS.format(
        title=task.title, underline=underline, question=task.question, choices=choices, words=words
    )


def table(key: Key, name: str, texts: Mapping[str, list[str]]) -> str:
    """A sheet as CSV with an empty column for the choice."""
    header = ["sheet", "item", *TASKS[key.task].fields, "choice", "comment"]
    lines = ([name, token, *texts[token], "", ""] for token in key.sheets[name].items)
    return spreadsheet.table([header, *lines], line_end="\r\n")


def page(key: Key, name: str, texts: Mapping[str, list[str]]) -> str:
    """A sheet as one HTML file that needs nothing else, and by its own policy can ask for nothing else."""
    sheet, task = key.sheets[name], TASKS[key.task]
    data = {
        "format": SHEET_FORMAT,
        "export": key.export,
        "sheet": name,
        "annotator": sheet.annotator,
        "task": key.task,
        "lang": sheet.lang,
        "choices": list(task.choices),
        "items": [{"item": token, "digest": key.items[token].shown, "texts": texts[token]} for token in sheet.items],
    }
    html: str = _template().render(data=data, task=task, language=languages.name(sheet.lang), sheet=sheet)
    return html


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["source"] = _source
    return environment.get_template("annotate.html")


def _source(text: str) -> str:
    """How a Content-Security-Policy names an inline script or style."""
    return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode()}'"
