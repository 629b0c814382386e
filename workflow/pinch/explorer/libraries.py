"""The JavaScript that the explorer stands on, taken from the packages that ship it, as plain scripts.

A page that is opened from a file may load scripts beside it, but no modules: so what DataTables' bundle exports becomes
properties of the window. DataTables (tables) comes with itables, Vega-Lite (charts) with vl-convert.
"""

import re
from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from pinch.errors import PinchError
from pinch.rows import write_text

LICENCES = """DataTables and its extensions, jQuery: MIT licence; see the notices in datatables.js.
Vega, Vega-Lite, Vega-Embed and what they bundle: BSD 3-Clause and other permissive licences; https://vega.github.io
From the Python packages itables {itables} and vl-convert-python {vl_convert}.
"""

MARK = "// made from {package} {version}\n"


def write(folder: Path) -> None:
    """Write lib/ below the explorer, where it is not there in the versions that are installed."""
    _write(folder / "datatables.js", "itables", _tables)
    _write(folder / "vega.js", "vl-convert-python", _charts)
    write_text(folder / "datatables.css", files("itables").joinpath("html/dt_bundle.css").read_text(encoding="utf-8"))
    told = LICENCES.format(itables=version("itables"), vl_convert=version("vl-convert-python"))
    write_text(folder / "LICENCES.txt", told)


def _write(path: Path, package: str, make: Callable[[], str]) -> None:
    mark = MARK.format(package=package, version=version(package))
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            if file.readline() == mark:
                return
    write_text(path, mark + make())


def _tables() -> str:
    module = files("itables").joinpath("html/dt_bundle.js").read_text(encoding="utf-8")
    found = re.findall(r"export\s*\{([^}]*)\};?", module)
    names = dict(reversed(pair.split(" as ")) for pair in found[0].split(",")) if len(found) == 1 else {}
    if "jQuery" not in names:
        raise PinchError(f"itables {version('itables')}: its DataTables do not export jQuery as those of 2.9 do")
    given = f"window.DataTable = {names['jQuery'].strip()}.fn.dataTable;"
    script = re.sub(r"export\s*\{[^}]*\};?", lambda _: given, module)
    return f'(() => {{\n"use strict";\n{script}\n}})();\n'


def _charts() -> str:
    from vl_convert import javascript_bundle

    bundle: str = javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f"(() => {{\n{bundle}\n}})();\n"
