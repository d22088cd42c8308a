"""The README's session is a real one: every command in it is run, and what it shows is what they print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner
from pedicxr_release.cli import main

if TYPE_CHECKING:
    import pytest

README = Path(__file__).parents[2] / "README.md"


def test_the_session_in_the_readme_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```console\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    steps = [step for block in blocks for step in re.split(r"^\$ ", block, flags=re.MULTILINE) if step.strip()]
    ran = 0
    for step in steps:
        command, _, shown = step.partition("\n")
        if not command.startswith("pedicxr-release "):
            continue
        result = CliRunner().invoke(main, shlex.split(command)[1:])
        assert result.exit_code in (0, 1), result.output
        printed = [line.rstrip() for line in result.output.splitlines()]
        position = 0
        for line in (line.rstrip() for line in shown.splitlines()):
            if line == "…":
                continue
            assert line in printed[position:], f"{command}: {line}"
            position = printed.index(line, position) + 1
        ran += 1
    assert ran >= 5
