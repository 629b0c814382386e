"""What each directive of the rules costs planning: the workflow with one kind of them after the other left out."""

import re
import shutil
from pathlib import Path

from harness import ROOT

ORDER = ("shell", "log", "benchmark", "params", "resources", "threads", "priority", "conda")
"""The shell command first, because it names all the others."""


def stripped(folder: Path, left_out: int) -> Path:
    """A copy of the workflow whose rules lack the first `left_out` of ORDER; returns its Snakefile."""
    folder.mkdir(parents=True)
    for name in ("workflow", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "resources").symlink_to(ROOT / "resources")
    for file in (folder / "workflow" / "rules").glob("*.smk"):
        text = file.read_text(encoding="utf-8")
        for directive in ORDER[:left_out]:
            # With what stands behind the colon, or with the lines below it that are indented deeper.
            block = rf"(?m)^    {directive}:(?: .*\n|\n(?: {{8}}.*\n|\n(?= {{8}}))+)"
            # Without a command Snakemake would take what is left for a rule that runs nothing.
            text = re.sub(block, '    shell:\n        "true"\n' if directive == "shell" else "", text)
        file.write_text(text, encoding="utf-8")
    return Path(shutil.copy(ROOT / "Snakefile", folder))
