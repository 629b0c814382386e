"""Profiles: what they name exists, what light is stays local, and how cells find a server that is a job."""

import re
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from pinch import check, endpoint
from pinch.errors import PinchError
from pinch.experiment import Experiment

from tests.harness import REPO, Run, job_counts, tiny_config

PROFILE = REPO / "profiles" / "slurm" / "config.yaml"
RULES = {
    name: body
    for file in (REPO / "workflow" / "rules").glob("*.smk")
    for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", file.read_text(encoding="utf-8"), re.M | re.S)
}
HEAVY = {"base_model", "finetune", "generate", "judge", "audit"}


def profile() -> dict[str, Any]:
    return yaml.safe_load(PROFILE.read_text(encoding="utf-8"))


def local_rules() -> set[str]:
    common = (REPO / "workflow" / "rules" / "common.smk").read_text(encoding="utf-8")
    return set(re.findall(r"^    (\w+),$", common.split("localrules:")[1].split("\n\n")[0], re.MULTILINE))


def test_every_rule_is_local_or_submitted_on_purpose() -> None:
    assert local_rules() | HEAVY | {"translate"} == set(RULES)
    assert not local_rules() & HEAVY


def test_the_profile_names_rules_that_there_are() -> None:
    for key in ("set-resources", "set-threads", "groups"):
        assert set(profile()[key]) <= HEAVY | {"translate"}


def test_groups_are_made_of_wildcards_of_their_rules_and_have_all_their_cells() -> None:
    assert set(profile()["group-components"]) == set(profile()["groups"].values())
    for rule, group in profile()["groups"].items():
        wildcards = set(re.findall(r"\{\{(\w+)\}\}", RULES[rule].split("output:")[1].split("log:")[0]))
        assert set(re.findall(r"\{(\w+)\}", group)) <= wildcards
        assert "lang" not in re.findall(r"\{(\w+)\}", group)
        # Else a row of twelve cells would ask for twelve GPUs.
        assert profile()["set-resources"][rule]["cells"] == profile()["resources"]["cells"] == 1


def test_the_profile_plans_what_is_planned_without_it(tmp_path: Path, tiny_model: Path) -> None:
    run = Run(tmp_path)
    run.write(tiny_config(tiny_model))
    plain = run.make("--dry-run")
    there = run.make("--dry-run", "--profile", str(PROFILE.parent), "--executor", "dryrun")
    assert job_counts(there) == job_counts(plain)


# --- limits over the whole run ---


def served(tmp_path: Path, tiny_model: Path, **judge: Any) -> Experiment:
    config = tiny_config(tiny_model)
    base = {"engine": "openai", "name": "served", "base_url": "http://localhost/v1", "model": "m", "concurrency": 7}
    config["judges"].append(base | judge)
    config["translate"]["engines"] = [{"engine": "deepl", "concurrency": 3, "api_key_env": "KEY", "languages": ["es"]}]
    Run(tmp_path).write(config)
    return Experiment(check.read(str(tmp_path / "tiny.yaml")))


def test_a_job_counts_with_its_calls_in_flight(tmp_path: Path, tiny_model: Path) -> None:
    experiment = served(tmp_path, tiny_model)
    assert [experiment.judging.calls(name) for name in ("rubric", "served")] == [0, 7]
    assert [experiment.translations.calls(lang) for lang in ("en", "es", "ru")] == [0, 3, 0]
    assert experiment.config.generate.calls == 0
    # A batch is one call now and then.
    assert served(tmp_path, tiny_model, batch=True).judging.calls("served") == 0


def test_calls_are_a_resource_of_the_run(tmp_path: Path, tiny_model: Path) -> None:
    served(tmp_path, tiny_model)
    plan = Run(tmp_path).make("--dry-run", "--set-resources", "finetune:calls=1")
    counted = re.findall(r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    resources: .*?\bcalls=(\d+)", plan, re.MULTILINE)
    assert {(rule, calls) for rule, calls in counted if rule in ("judge", "translate")} >= {
        ("judge", "0"),
        ("judge", "7"),
        ("translate", "3"),
    }


# --- a server that is a job ---


def test_an_address_is_as_given_or_read_from_the_file_that_the_server_writes(tmp_path: Path) -> None:
    assert endpoint.address("http://localhost:8000/v1", "judges: q") == "http://localhost:8000/v1"
    file = tmp_path / "judge server.url"
    writing = threading.Timer(0.3, file.write_text, ["http://node7:8000/v1\n"])
    writing.start()
    assert endpoint.address(f"file:{file}", "judges: q") == "http://node7:8000/v1"
    writing.join()


@pytest.mark.parametrize("content", ["", "node7:8000", "http://a b", "http://one\nhttp://two"])
def test_a_file_that_holds_no_address_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "judge.url"
    file.write_text(content)
    with pytest.raises(PinchError, match=r"judges: q: base_url: .*judge.url holds no address such as http"):
        endpoint.address(f"file:{file}", "judges: q")


def test_a_server_that_never_writes_its_address_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(endpoint, "PATIENCE", 0.0)
    with pytest.raises(PinchError, match=r"base_url: .*judge.url is not there after .* start the server"):
        endpoint.address(f"file:{tmp_path / 'judge.url'}", "judges: q")
    assert "waiting for" in capsys.readouterr().out


# --- the cluster of the tests ---


def test_the_script_of_the_test_cluster_explains_itself() -> None:
    done = subprocess.run([REPO / "tests/slurm/cluster.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "install" in done.stdout and "stop" in done.stdout


def test_the_script_leaves_the_configuration_of_another_cluster_alone(tmp_path: Path) -> None:
    """A copy of it that knows another folder in the place of /etc/slurm, and programs that are none."""
    text = (REPO / "tests/slurm/cluster.sh").read_text(encoding="utf-8")
    assert text.count("CONF=/etc/slurm\n") == 1
    script = tmp_path / "cluster.sh"
    script.write_text(text.replace("CONF=/etc/slurm\n", f"CONF='{tmp_path}/etc'\n"))
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("slurmctld", "slurmd", "munged"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "slurm.conf").write_text("ClusterName=somebody\n")
    path = f"{programs}:/usr/bin:/bin"
    environment = {"PATH": path, "PINCH_SLURM_STATE": str(tmp_path / "state")}
    for command in ("start", "stop"):
        done = subprocess.run(["bash", script, command], env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == (command == "start")
        assert (tmp_path / "etc" / "slurm.conf").read_text() == "ClusterName=somebody\n"
        assert [path.name for path in (tmp_path / "etc").iterdir()] == ["slurm.conf"]
    assert (
        "another cluster's"
        in subprocess.run(
            ["bash", script, "start"], env=environment, capture_output=True, text=True, check=False
        ).stderr
    )
