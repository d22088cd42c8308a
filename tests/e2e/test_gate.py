"""The gate in a pipeline, as far as it can run here: the action's steps, the template's script, the hooks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pedicxr_release.demo.faults import plant

if TYPE_CHECKING:
    from pedicxr_release.demo.write import Demo

ROOT = Path(__file__).parents[2]
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def shell(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script as GitHub does: bash, stopping at the first error, pipes included."""
    environment = {"PATH": PATH, "HOME": str(folder), **variables}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment, timeout=120)


def action(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the gate's step of the composite action with its inputs."""
    described = load("action.yml")
    step = next(step for step in described["runs"]["steps"] if step.get("id") == "gate")
    given = {name: inputs.get(name, one.get("default", "")) for name, one in described["inputs"].items()}
    variables = {name: given[text[len("${{ inputs.") : -len(" }}")]] for name, text in step["env"].items()}
    files = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    return shell(step["run"], folder, **variables, **files)


@pytest.mark.parametrize(("fault", "code"), [(None, 0), ("patient-name", 1)])
def test_the_action_obeys_the_gate(demo: Demo, tmp_path: Path, fault: str | None, code: int) -> None:
    if fault:
        plant(fault, demo)
    ran = action(tmp_path, dataset="candidate")
    assert ran.returncode == code, ran.stderr
    assert (tmp_path / "output").read_text() == f"exit-code={code}\n"
    assert ("GATE OPEN" if code == 0 else "GATE SHUT") in (tmp_path / "summary.md").read_text()
    reports = tmp_path / "pedicxr-release-reports"
    assert sorted(path.name for path in reports.iterdir()) == ["report.html", "report.json", "report.sarif", "report.xml"]
    assert json.loads((reports / "report.json").read_text())["verdict"] == ("fail" if code else "pass")
    assert ("::error title=PHI101" in ran.stdout) == bool(code)
    assert not code or ",file=candidate/train/" in ran.stdout


def test_the_action_passes_its_inputs_on(demo: Demo, tmp_path: Path) -> None:
    assert action(tmp_path, dataset="candidate", published="true").returncode == 1
    assert action(tmp_path, dataset="candidate", **{"fail-on": "warning"}).returncode == 1
    absent = action(tmp_path, dataset="candidate", exceptions="absent.yaml")
    assert absent.returncode == 2
    assert "absent.yaml" in absent.stderr


def test_an_input_is_no_part_of_the_script(demo: Demo, tmp_path: Path) -> None:
    ran = action(tmp_path, dataset='candidate"; touch taken; "', profile="$(touch taken)")
    assert ran.returncode == 2
    assert not (tmp_path / "taken").exists()


def test_an_incomplete_run_never_opens_the_gate(demo: Demo, tmp_path: Path) -> None:
    """A full disk while a report is written, an older report that says pass, a run that is killed."""
    reports = tmp_path / "pedicxr-release-reports"
    assert action(tmp_path, dataset="candidate").returncode == 0
    shutil.rmtree(reports)
    reports.mkdir()
    (reports / "report.json").write_text('{"verdict": "pass"}')
    (reports / "report.html").symlink_to("/dev/full")
    ran = action(tmp_path, dataset="candidate")
    assert ran.returncode == 3, ran.stdout
    assert not (reports / "report.json").exists()
    (reports / "report.json").write_text('{"verdict": "pass"}')
    killed = shell(
        "pedicxr-release validate candidate --quiet --format json=pedicxr-release-reports/report.json & sleep 0.7; kill -9 $!; wait $!",
        tmp_path,
    )
    assert killed.returncode not in (0, 1)
    assert not (reports / "report.json").exists()


def test_the_gitlab_template_obeys_the_gate(demo: Demo, tmp_path: Path) -> None:
    template = load("templates/gitlab-ci.yml")
    job, variables = template["pedicxr-release"], template["variables"]
    (script,) = job["script"]
    assert shell(script, tmp_path, DATASET="candidate", **variables).returncode == 0
    for path in [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]:
        assert (tmp_path / path).stat().st_size > 500
    plant("box-outside", demo)
    shut = shell(script, tmp_path, DATASET="candidate", **variables)
    assert shut.returncode == 1
    assert "GATE SHUT" in shut.stdout
    assert job["artifacts"]["when"] == "always"


def test_the_hooks_are_a_valid_manifest_and_run(demo: Demo, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    hooks = {hook["id"]: hook["entry"] for hook in load(".pre-commit-hooks.yaml")}
    assert shell(f"{hooks['pedicxr-release-validate']} candidate", tmp_path).returncode == 0
    shutil.copytree(ROOT / "schemas" / "pedicxr", tmp_path / "profile")
    assert shell(f"{hooks['pedicxr-release-profile']} profile", tmp_path).returncode == 0
    (tmp_path / "profile" / "labels.yaml").write_text("local: []\n")
    assert shell(f"{hooks['pedicxr-release-profile']} profile", tmp_path).returncode == 2
