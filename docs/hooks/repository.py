"""The site's links to files of the repository outside of docs/: the files are put into the site, below repository/.

A page of docs/ is read on the site and in a checkout, and its links lead to the right place in both. A Markdown file
that is linked becomes a page, with its own links followed; any other file is copied as it is.
"""

import os
import posixpath
import re
from collections.abc import Callable
from pathlib import Path

from properdocs.config.defaults import ProperDocsConfig
from properdocs.structure.files import File, Files, InclusionLevel
from properdocs.structure.pages import Page

FOLDER = "repository"

FENCED = re.compile(r"^( *)(```|~~~).*?^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def replaced(text: str, target: Callable[[str], str]) -> str:
    """The text with the targets of its links replaced, those in fenced blocks apart."""
    out, place = [], 0
    for block in [*FENCED.finditer(text), None]:
        prose = text[place : block.start() if block else len(text)]
        out += [LINK.sub(lambda found: found[1] + target(found[2]) + found[3], prose), block[0] if block else ""]
        place = block.end() if block else place
    return "".join(out)


def outside(link: str, file: str) -> str | None:
    """The file of the repository that a link of one of its files names, if that is none of docs/."""
    path = link.partition("#")[0]
    if not path or re.match(r"[a-z]+:", path):
        return None
    found = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
    return None if found.startswith(("docs/", "../")) else found


def on_files(files: Files, config: ProperDocsConfig) -> Files:
    """Add what is linked, and what that links."""
    root = Path(config.config_file_path).parent
    waiting = [f"docs/{file.src_uri}" for file in files if file.is_documentation_page()]
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        if not name.endswith(".md"):
            continue
        links: list[str] = []
        replaced((root / name).read_text(encoding="utf-8"), lambda link: links.append(link) or link)  # noqa: B023
        for found in filter(None, (outside(link, name) for link in links)):
            if found not in seen and (root / found).is_file():
                seen.add(found)
                waiting.append(found)
                kept_out = InclusionLevel.NOT_IN_NAV
                path = str(root / found)
                files.append(File.generated(config, f"{FOLDER}/{found}", abs_src_path=path, inclusion=kept_out))
    return files


def on_page_markdown(markdown: str, page: Page, config: ProperDocsConfig, files: Files) -> str:
    """Links between pages as they are in the repository, turned into those between pages of the site."""
    here = page.file.src_uri
    name = here.removeprefix(f"{FOLDER}/") if here.startswith(f"{FOLDER}/") else f"docs/{here}"

    def target(link: str) -> str:
        path, hash_, anchor = link.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return link
        found = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        there = found.removeprefix("docs/") if found.startswith("docs/") else f"{FOLDER}/{found}"
        return os.path.relpath(there, posixpath.dirname(here) or ".") + hash_ + anchor

    return replaced(markdown, target)
