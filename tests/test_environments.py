"""The environments of --sdm conda and the container hold the versions of the lock, and all that their jobs import."""

import ast
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parent.parent
PYTHON_3_11 = {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux", "os_name": "posix"}


def locked() -> dict[str, str]:
    lines = (REPOSITORY / "requirements.lock").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {
        item.name: str(item.specifier)
        for item in requirements
        if item.marker is None or item.marker.evaluate(PYTHON_3_11)
    }


@pytest.mark.parametrize("environment", sorted(path.name for path in (REPOSITORY / "envs").glob("*.yaml")))
def test_conda_environment_has_the_versions_of_the_lock(environment: str) -> None:
    content = yaml.safe_load((REPOSITORY / "envs" / environment).read_text())
    pinned = next(item["pip"] for item in content["dependencies"] if isinstance(item, dict))
    assert len(pinned) > 10
    lock = locked()
    for requirement in map(Requirement, pinned):
        assert str(requirement.specifier) == lock[requirement.name], requirement.name


def test_torch_is_locked_without_a_local_version() -> None:
    assert locked()["torch"] == "==2.13.0"


def test_every_lock_line_is_exact() -> None:
    assert all(specifier.startswith("==") and "*" not in specifier for specifier in locked().values())


# --- all that is imported is there ---

LIBRARY = REPOSITORY / "workflow" / "pinch"

LAZY = {
    "translate": {"torch", "transformers", "safetensors", "ctranslate2", "huggingface-hub"},  # models of this machine
    "modelling": {"torch", "transformers", "safetensors", "peft"},  # what light jobs call of it needs none
    "gpus": {"torch"},
    "model_files": {"transformers"},  # who loads a model
    "sources": {"datasets"},  # of the hub
    "base_model": {"torch", "transformers", "huggingface-hub"},  # fetching and converting
}
"""What modules of the light environment's jobs import in functions that those jobs do not call."""


BROUGHT = {
    "pydantic-core": "pydantic",
    "safetensors": "transformers",
    "tokenizers": "transformers",
    "httpx2": "openai",
    "urllib3": "requests",
}
"""What a package brings along itself and never goes without, in the version of the lock."""


def rules() -> dict[str, tuple[str, str]]:
    """By rule: its environment and the command of `python -m pinch` that it runs."""
    found = {}
    for file in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk")):
        for text in re.split(r"^(?=rule )", file.read_text(), flags=re.MULTILINE)[1:]:
            name = text[5 : text.index(":")]
            command = re.search(r"python -m pinch (\w+)", text)
            assert command, name
            environment = re.search(r"envs/(\w+)\.yaml", text)
            # translate's is chosen by its engines: the least that it can be.
            found[name] = (environment[1] if environment else "light", command[1])
    return found


def module_file(name: str) -> Path | None:
    path = LIBRARY.parent / Path(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def imports(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Of a module of ours: modules of ours that it imports at once, and of others all that it ever imports."""
    file = module_file(name)
    assert file is not None, name
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    ours: set[str] = set()
    others: set[str] = set()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            wanted = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for module in wanted:
            if module.split(".")[0] == "pinch":
                if node in tree.body and module_file(module):
                    ours.add(module)
            elif module.split(".")[0] not in sys.stdlib_module_names:
                others.add(module.split(".")[0])
    return frozenset(ours), frozenset(others)


def imported(command: str) -> dict[str, set[str]]:
    """Packages by the module of ours that imports them, of all that a command's module imports."""
    names = packages_distributions()
    waiting, seen = ["pinch.__main__", f"pinch.{command}"], set()
    found: dict[str, set[str]] = {}
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            ours, others = imports(module)
            waiting += ours
            packages = {names[other][0].lower().replace("_", "-") for other in others if other in names}
            found[module] = packages
    return found


@pytest.mark.parametrize("rule", sorted(rules()))
def test_the_environment_of_a_rule_has_all_that_its_command_imports(rule: str) -> None:
    environment, command = rules()[rule]
    content = yaml.safe_load((REPOSITORY / "envs" / f"{environment}.yaml").read_text())
    pinned = next(item["pip"] for item in content["dependencies"] if isinstance(item, dict))
    there = {Requirement(item).name for item in pinned}
    there |= {package for package, brought_by in BROUGHT.items() if brought_by in there}
    for module, packages in imported(command).items():
        lazy = (
            LAZY.get(module.removeprefix("pinch.").split(".")[0], set())
            if environment == "light"
            else {"ctranslate2", "bitsandbytes", "vllm"}
        )
        assert not packages - there - lazy, module


# --- the container ---


def test_the_container_is_set_up_as_make_sets_up() -> None:
    """It could not be built where it was written; this holds it to the lock and to the files that it copies."""
    text = (REPOSITORY / "envs" / "Containerfile").read_text()
    python = re.search(r"^FROM docker.io/library/python:(\d+\.\d+)", text, re.MULTILINE)
    content = yaml.safe_load((REPOSITORY / "envs" / "torch.yaml").read_text())
    assert python and f"python ={python[1]}" in content["dependencies"]
    setup = (REPOSITORY / "Makefile").read_text()
    for install in ("grep '^pip==' requirements.lock", "--requirement requirements.lock", "pinch.pth"):
        assert install in text and install in setup
    copied = [word for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert all((REPOSITORY / name).exists() for name in copied)
    assert {"Snakefile", "workflow", "resources", "envs", "profiles", "config.yaml", "requirements.lock"} <= set(copied)
