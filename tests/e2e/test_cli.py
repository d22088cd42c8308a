"""The commands as a person uses them: output, exit codes, and clear errors that leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
from click.testing import CliRunner, Result
from pedicxr_release.candidate import list_candidate
from pedicxr_release.cli import main
from pedicxr_release.demo.faults import FAULTS
from pedicxr_release.engine import examine_all
from pedicxr_release.examine.image import ExamineOptions
from pedicxr_release.finding import catalogue
from pedicxr_release.report.document import json_schema
from pedicxr_release.source import open_folder

if TYPE_CHECKING:
    from pedicxr_release.demo.write import Demo

COMMAND = [str(Path(sys.executable).with_name("pedicxr-release"))]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_validate_json_on_a_clean_candidate(clean_demo: Demo) -> None:
    result = run("validate", clean_demo.root, "--format", "json", "--with-evidence")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    jsonschema.validate(report, json_schema())
    assert report["verdict"] == "pass"
    assert report["schema_version"] == 1
    assert report["counts"] == {"error": 0, "warning": 1, "info": report["counts"]["info"], "excepted": 0}
    assert report["dataset"]["images"] == 30
    assert len(report["evidence"]["files"]) == 34
    paths = [(f["path"], f["location"].get("row", 0)) for f in report["findings"]]
    assert paths == sorted(paths)


def test_two_runs_give_the_same_bytes(clean_demo: Demo) -> None:
    first = run("validate", clean_demo.root, "--format", "json", "--workers", "1").stdout
    assert first == run("validate", clean_demo.root, "--format", "json", "--workers", "2").stdout


def test_several_formats_at_once(clean_demo: Demo, tmp_path: Path) -> None:
    result = run("validate", clean_demo.root, "--format", "text", "--format", f"json={tmp_path / 'r.json'}")
    assert "GATE OPEN" in result.stdout
    assert json.loads((tmp_path / "r.json").read_text())["verdict"] == "pass"


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("info", 1)])
def test_fail_on(clean_demo: Demo, fail_on: str, code: int) -> None:
    assert run("validate", clean_demo.root, "--fail-on", fail_on).exit_code == code


def test_published_makes_the_declared_counts_a_duty(clean_demo: Demo) -> None:
    result = run("validate", clean_demo.root, "--published")
    assert result.exit_code == 1
    assert "LAY110" in result.stdout


def test_a_clean_report_fits_one_screen(clean_demo: Demo) -> None:
    assert len(run("validate", clean_demo.root).stdout.splitlines()) <= 24


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(["validate", "{tmp}/nowhere"], 2, "there is no such folder", id="missing"),
        pytest.param(["validate", "{tmp}/file"], 2, "not a folder", id="file"),
        pytest.param(["validate", "{demo}", "--profile", "nope"], 2, "no profile nope", id="profile"),
        pytest.param(["validate", "{demo}", "--format", "xml"], 2, "choose from", id="format"),
        pytest.param(
            ["validate", "{demo}", "--format", "json", "--format", "text"], 2, "one format goes to", id="two-on-stdout"
        ),
        pytest.param(["validate", "{demo}", "--workers", "0"], 2, "workers", id="workers"),
        pytest.param(
            ["validate", "{demo}", "--format", "json={tmp}/no/such/folder"], 3, "cannot be written", id="report-file"
        ),
        pytest.param(["validate"], 2, "DATASET", id="no-argument"),
        pytest.param(["stats", "{tmp}/empty"], 2, "nothing to count", id="stats-empty"),
        pytest.param(["package", "{demo}", "{demo}/out"], 2, "inside the dataset", id="package-inside"),
        pytest.param(["explain", "XYZ999"], 2, "no check XYZ999", id="explain"),
        pytest.param(["demo", "{demo}"], 2, "not an empty folder", id="demo-exists"),
        pytest.param(["demo", "{tmp}/new", "--fault", "nope"], 2, "no fault nope", id="no-fault"),
        pytest.param(["profile", "init", "{demo}"], 2, "not empty", id="init-exists"),
    ],
)
def test_wrong_use_is_one_clear_line(clean_demo: Demo, tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    filled = [argument.format(tmp=tmp_path, demo=clean_demo.root) for argument in arguments]
    result = run(*filled)
    assert result.exit_code == code
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_an_empty_dataset_does_not_pass(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("validate", tmp_path / "empty")
    assert result.exit_code == 1
    assert "LAY114" in result.stdout
    assert "LAY109" in result.stdout


@pytest.mark.parametrize("name", list(catalogue()))
def test_explain(name: str) -> None:
    result = run("explain", name)
    assert result.exit_code == 0
    assert catalogue()[name].remedy.split()[0] in result.stdout


def test_checks_lists_them_all() -> None:
    assert set(re.findall(r"^[A-Z]{3}\d{3}", run("checks").stdout, re.MULTILINE)) == set(catalogue())
    assert len(json.loads(run("checks", "--format", "json").stdout)) == len(catalogue())


def test_profile_commands(tmp_path: Path) -> None:
    assert "36 local labels" in run("profile", "show").stdout
    assert "sound" in run("profile", "lint").stdout
    assert run("profile", "init", tmp_path / "own").exit_code == 0
    (tmp_path / "own" / "labels.yaml").write_text("local: []\n")
    result = run("profile", "lint", tmp_path / "own")
    assert result.exit_code == 2
    assert "labels.yaml" in result.stderr


def test_demo_is_deterministic_and_lists_its_faults(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run("demo", tmp_path / name, "--images", "4", "--seed", "7", "--downscale", "8").exit_code == 0
    first, second = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()} for name in "ab"
    )
    assert first == second
    assert len(run("demo", "--list-faults", "x").stdout.splitlines()) == len(FAULTS)


def test_a_demo_fault_through_the_command(tmp_path: Path) -> None:
    assert run("demo", tmp_path / "d", "--images", "6", "--downscale", "8", "--fault", "patient-name").exit_code == 0
    result = run("validate", tmp_path / "d")
    assert result.exit_code == 1
    assert "PHI101" in result.stdout
    assert "NGUYEN" not in result.output


def test_help_is_quick_to_import() -> None:
    heavy = "import sys, pedicxr_release.cli; print([m for m in ('pandas', 'pydicom', 'numpy', 'rich') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


# -- nothing half-written -------------------------------------------------------------------------------------------------


def test_a_shut_gate_leaves_nothing_behind(demo: Demo, tmp_path: Path) -> None:
    demo.image_path("train", 0).write_bytes(b"")
    result = run("package", demo.root, tmp_path / "deep" / "out")
    assert result.exit_code == 1
    assert "no package was written" in result.stdout
    assert not (tmp_path / "deep").exists()


def test_an_existing_package_is_not_touched(clean_demo: Demo, tmp_path: Path) -> None:
    assert run("package", clean_demo.root, tmp_path).exit_code == 0
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    result = run("package", clean_demo.root, tmp_path)
    assert result.exit_code == 2
    assert "exists" in result.stderr
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}


def test_a_full_disk_leaves_nothing_behind(clean_demo: Demo, tmp_path: Path) -> None:
    """A file-size limit stands for the disk: writes fail in the same place."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000));"
        "from pedicxr_release.cli import main; main()"
    )
    arguments = ["package", str(clean_demo.root), str(tmp_path / "out")]
    result = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 3
    assert "file too large" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_file_that_vanished_or_may_not_be_read_is_a_finding_and_the_run_goes_on(demo: Demo, tmp_path: Path) -> None:
    profile = demo.profile
    candidate = list_candidate(open_folder(demo.root), profile)
    victim = demo.image_path("train", 1)
    victim.unlink()
    records = examine_all(candidate.images(profile), profile, ExamineOptions(), workers=1)
    unreadable = [f for record in records for f in record.findings if f.code == "LAY113"]
    assert [f.path for f in unreadable] == [victim.relative_to(demo.root).as_posix()]
    assert unreadable[0].message == "it cannot be read: no such file or directory"
    assert len(records) == 30


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(demo: Demo) -> None:
    victim = demo.image_path("train", 1)
    victim.chmod(0)
    result = run("validate", demo.root, "--format", "json")
    assert result.exit_code == 1
    (finding,) = [f for f in json.loads(result.stdout)["findings"] if f["code"] == "LAY113"]
    assert finding["path"] == victim.relative_to(demo.root).as_posix()
    assert "permission denied" in finding["message"]
