"""The environments of --sdm conda hold the versions of the lock."""

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
