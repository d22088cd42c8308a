"""Evidence of earlier runs: the same report without reading, and read again whenever anything it depends on has changed."""

from __future__ import annotations

import os
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pedicxr_release import cache as cache_module
from pedicxr_release import validation
from pedicxr_release.cache import FILE, CacheError, EvidenceCache
from pedicxr_release.cli import main
from pedicxr_release.demo.faults import plant
from pedicxr_release.report.document import to_json
from pedicxr_release.validation import GateOptions, Report, validate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pedicxr_release.demo.write import Demo

OPTIONS = GateOptions(expectations=False, workers=1)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read, in order; files count as settled however young they are."""
    monkeypatch.setattr(cache_module, "UNSETTLED", -(10**18))
    paths: list[str] = []
    real = validation.examine_all

    def examine_all(files: list, *arguments: object, **named: object) -> list:
        paths.extend(file.path for file in files)
        return real(files, *arguments, **named)

    monkeypatch.setattr(validation, "examine_all", examine_all)
    return paths


@pytest.fixture
def run(demo: Demo, tmp_path: Path, read: list[str]) -> Callable[..., Report]:
    def gate(options: GateOptions = OPTIONS, folder: str = "cache") -> Report:
        read.clear()
        kept = EvidenceCache(tmp_path / folder)
        try:
            return validate(demo.root, demo.profile, options, cache=kept)
        finally:
            kept.close()

    return gate


def test_a_second_run_reads_nothing_and_says_the_same(demo: Demo, run: Callable[..., Report], read: list[str]) -> None:
    for fault in ("patient-name", "source-ae-title", "box-outside"):
        plant(fault, demo)
    fresh = to_json(validate(demo.root, demo.profile, OPTIONS), with_evidence=True)
    first = run()
    assert len(read) == 30
    second = run()
    assert read == []
    assert fresh == to_json(first, with_evidence=True) == to_json(second, with_evidence=True)


def rewrite(path: Path) -> None:
    """Other bytes of the same length, with the old time."""
    status, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-2] + b"\x01\x02")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(path: Path) -> None:
    """Another file with the same bytes and time."""
    status, content = path.stat(), path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "change", [rewrite, replace, os.utime, lambda path: path.chmod(0o600)], ids=["bytes", "inode", "mtime", "ctime"]
)
def test_a_file_that_changed_in_any_way_is_read_again(
    demo: Demo, run: Callable[..., Report], read: list[str], change: Callable[[Path], None]
) -> None:
    run()
    path = demo.image_path("train", 3)
    change(path)
    run()
    assert read == [f"train/{path.name}"]


def test_other_options_another_program_or_profile_read_all_again(
    demo: Demo, run: Callable[..., Report], read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    run(GateOptions(pixels=False, expectations=False, workers=1))
    assert len(read) == 30
    monkeypatch.setattr(cache_module, "program_digest", lambda: "another")
    run()
    assert len(read) == 30
    demo.profile = demo.profile.model_copy(update={"digest": "another"})
    run()
    assert len(read) == 30


def test_a_file_that_has_just_changed_is_not_kept(
    run: Callable[..., Report], read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "UNSETTLED", 10**15)
    run()
    run()
    assert len(read) == 30


def test_a_run_that_was_stopped_is_resumed(
    demo: Demo, run: Callable[..., Report], read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pedicxr_release import engine

    monkeypatch.setattr(engine, "BATCH_FILES", 5)
    monkeypatch.setattr(validation, "judge_layout", lambda _: iter(()))

    def stop(_files: int, _size: int) -> None:
        raise KeyboardInterrupt

    kept = EvidenceCache(demo.root.parent / "cache")
    with pytest.raises(KeyboardInterrupt):
        validate(demo.root, demo.profile, OPTIONS, cache=kept, progress=stop)
    kept.close()
    run()
    assert len(read) == 25


def test_outcomes_of_expectations_are_kept_for_the_same_frames(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pedicxr_release.demo.write import write_demo
    from pedicxr_release.expectations import ExpectationRunner
    from pedicxr_release.profile import load_profile

    profile = load_profile("pedicxr")
    made = write_demo(tmp_path / "c", profile, 110, 1, downscale=16)
    kept = EvidenceCache(tmp_path / "cache")
    first = validate(made.root, profile, GateOptions(workers=1), cache=kept)
    assert first.evidence.outcomes
    started: list[int] = []
    real = ExpectationRunner.start
    monkeypatch.setattr(ExpectationRunner, "start", lambda self, rows: (started.append(rows), real(self, rows))[1])
    second = validate(made.root, profile, GateOptions(workers=1), cache=kept)
    assert second.evidence.outcomes == first.evidence.outcomes
    assert not started
    table = made.table_path("train", "image_labels")
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-1]))
    validate(made.root, profile, GateOptions(workers=1), cache=kept)
    assert started


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\x00" + bytes(4000)], ids=["text", "broken"])
def test_a_broken_cache_is_made_anew(tmp_path: Path, run: Callable[..., Report], read: list[str], content: bytes) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / FILE).write_bytes(content)
    run()
    run()
    assert read == []


def test_two_runs_at_once(tmp_path: Path) -> None:
    EvidenceCache(tmp_path).close()

    def keep(first: int) -> None:
        kept = EvidenceCache(tmp_path)
        for number in range(first, 400, 2):
            kept.keep({number.to_bytes(2): str(number)})
        kept.close()

    threads = [threading.Thread(target=keep, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = EvidenceCache(tmp_path)
    assert len(kept.find([number.to_bytes(2) for number in range(1000)])) == 400


def test_what_nobody_uses_goes(tmp_path: Path) -> None:
    kept = EvidenceCache(tmp_path)
    kept.keep({b"a": "1", b"b": "2"})
    kept.close()
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("UPDATE entries SET used = 1 WHERE key = ?", (b"a",))
    kept = EvidenceCache(tmp_path)
    assert kept.find([b"a", b"b"]) == {b"b": "2"}


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    EvidenceCache(tmp_path / "cache").close()
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
    assert (tmp_path / "cache" / FILE).stat().st_mode & 0o077 == 0


def test_a_cache_that_cannot_be_used_is_an_error_only_if_it_was_asked_for(
    clean_demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError):
        EvidenceCache(tmp_path / "file")
    command = ["validate", str(clean_demo.root), "--no-expectations"]
    result = CliRunner().invoke(main, [*command, "--cache", str(tmp_path / "file")])
    assert result.exit_code == 2
    assert "the cache cannot be used" in result.stderr
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert CliRunner().invoke(main, command).exit_code == 0


def test_package_never_asks_it(demo: Demo, tmp_path: Path, run: Callable[..., Report]) -> None:
    """A record of evidence that says something else than the file does not get into a package."""
    run(folder="pedicxr-release")
    with sqlite3.connect(tmp_path / "pedicxr-release" / FILE) as database:
        database.execute("""UPDATE entries SET value = replace(value, '"split":"train"', '"split":"other"')""")
    out, environment = tmp_path / "out", {"XDG_CACHE_HOME": str(tmp_path)}
    assert (
        "train: 0 images"
        in CliRunner().invoke(main, ["validate", str(demo.root), "--no-expectations", "-q"], env=environment).output
    )
    result = CliRunner().invoke(main, ["package", str(demo.root), str(out), "-q"], env=environment)
    assert result.exit_code == 0
    assert (out / "vindr-pcxr-1.0.0").is_dir()
