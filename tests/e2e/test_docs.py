"""README and documentation are true: every command in them is run, what they show is what it prints, nothing is stale."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from pedicxr_release.cli import main
from pedicxr_release.demo.write import write_demo
from pedicxr_release.profile import load_profile

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BINARIES = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def sessions(page: Path) -> list[tuple[str, list[str]]]:
    """Every command of a page in order, with the lines that it is said to print."""
    steps = [
        step for block in blocks(page, "console") for step in re.split(r"^\$ ", block, flags=re.MULTILINE) if step.strip()
    ]
    return [(step.partition("\n")[0], step.partition("\n")[2].splitlines()) for step in steps]


def run(command: str) -> tuple[int, str]:
    words = shlex.split(command)
    if words[0] == "pedicxr-release":
        result = CliRunner().invoke(main, words[1:])
        return result.exit_code, result.output
    ran = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, check=False, env={**os.environ, **BINARIES})
    assert ran.returncode == 0, ran.stderr
    return 0, ran.stdout


@pytest.mark.parametrize(
    "page", [page for page in PAGES if sessions(page)], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_every_command_that_is_shown_does_what_is_shown(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command, shown in sessions(page):
        code, output = run(command)
        assert code in (0, 1, 2), output
        printed = [line.rstrip() for line in output.splitlines()]
        for line in (line.rstrip() for line in shown):
            if line == "…":
                continue
            pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
            position = next((n for n, one in enumerate(printed) if pattern.fullmatch(one)), None)
            assert position is not None, f"$ {command}\n{line}\n--- is not in\n{output}"
            printed = printed[position + 1 :]


def test_commands_are_only_shown_where_they_are_run() -> None:
    for page in PAGES:
        for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            assert kind == "console" or not re.search(r"^\$ ", text, re.MULTILINE), page


def test_the_reference_is_fresh() -> None:
    ran = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "reference.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_the_documentation_builds_strictly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert ran.returncode == 0, ran.stderr
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="https?://(?!squidfunk)[^"]+\.(?:js|css|woff2?)', page)


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in main.commands:
        assert f"`{name} " in readme or f"`{name}`" in readme, name


def test_the_workflow_in_the_documentation_runs(tmp_path: Path) -> None:
    """The steps of the worked pipeline that call the tool are run as they stand, but for the folder of the data."""
    import yaml

    workflow = next(yaml.safe_load(text) for text in blocks(ROOT / "docs" / "ci.md", "yaml") if "self-hosted" in text)
    steps = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    commands = [step.replace("/data/", f"{tmp_path}/") for step in steps if step.startswith("pedicxr-release")]
    assert [shlex.split(command)[1] for command in commands] == ["package", "verify"]
    write_demo(tmp_path / "candidate", load_profile("pedicxr"), 12, 1, downscale=8)
    for command, published in zip(commands, (" --published", ""), strict=True):
        code, output = run(command.replace(published, "", 1))
        assert code == 0, output
