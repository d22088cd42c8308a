"""A file cannot stop the run: a worker that dies, hangs or eats memory becomes a finding on that file."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from pedicxr_release import engine
from pedicxr_release.candidate import list_candidate
from pedicxr_release.examine import batch
from pedicxr_release.examine.image import ExamineOptions, Examiner
from pedicxr_release.finding import Collector
from pedicxr_release.source import open_folder
from pedicxr_release.workers import Worker

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path

    from pedicxr_release.demo.write import Demo
    from pedicxr_release.examine.record import ImageFile, ImageRecord
    from pedicxr_release.examine.remote import Content
    from pedicxr_release.profile import Profile

MARKER = b"PEDICXR-TEST:"


class HostileExaminer(Examiner):
    """Does what a file says: stands for a codec that crashes, hangs or allocates without end."""

    def __call__(self, file: ImageFile, content: Content | None = None) -> ImageRecord:
        with open(file.source, "rb") as stream:  # noqa: PTH123
            start = stream.read(32)
        if start.startswith(MARKER):
            match start[len(MARKER) :]:
                case b"die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case b"hang":
                    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
                    while True:
                        pass
                case b"eat":
                    bytearray(8 << 30)
                case b"raise":
                    raise ValueError("a text that quotes NGUYEN^VAN^AN")
        return super().__call__(file, content)


def _start(profile: Profile, options: ExamineOptions) -> None:
    start_worker(profile, options)
    engine._examiner = HostileExaminer(profile, options)


start_worker = engine._start_worker


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_start_worker", _start)
    monkeypatch.setattr(batch, "SECONDS", 1.0)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        pytest.param(b"die", "RUN101", id="dies"),
        pytest.param(b"eat", "RUN103", id="eats-memory"),
        pytest.param(b"raise", "RUN105", id="raises"),
    ],
)
@pytest.mark.usefixtures("hostile")
def test_a_hostile_file_is_a_finding_and_the_run_goes_on(demo: Demo, profile: Profile, what: bytes, code: str) -> None:
    for index in (0, 5):
        demo.image_path("train", index).write_bytes(MARKER + what)
    victims = {demo.image_path("train", index).relative_to(demo.root).as_posix() for index in (0, 5)}
    files = list_candidate(open_folder(demo.root), profile).images(profile)
    records = engine.examine_all(files, profile, ExamineOptions(), workers=2)
    assert [record.path for record in records] == [file.path for file in files]
    assert {record.path for record in records if any(f.code == code for f in record.findings)} == victims
    assert all(record.sha256 for record in records if record.path not in victims)
    assert not any("NGUYEN" in finding.message for record in records for finding in record.findings)


@pytest.mark.usefixtures("hostile")
def test_a_file_that_hangs_is_ended_by_its_alarm(demo: Demo, profile: Profile) -> None:
    victim = demo.image_path("train", 0)
    victim.write_bytes(MARKER + b"hang")
    files = list_candidate(open_folder(demo.root), profile).images(profile)
    records = engine.examine_all(files, profile, ExamineOptions(), workers=2)
    # The limit in the worker is the module's own, five seconds; the parent's view of it is shortened above.
    late = [f for record in records for f in record.findings if f.code == "RUN102"]
    assert [finding.path for finding in late] == [victim.relative_to(demo.root).as_posix()]
    assert sum(record.sha256 is not None for record in records) == len(files) - 1


def test_a_file_with_too_many_findings_says_how_many_more() -> None:
    found = Collector("x", limit=3)
    for _ in range(5):
        found.add("DCM201", keyword="Modality", vr="CS", length=2)
    assert [finding.code for finding in found.findings] == ["DCM201"] * 3 + ["RUN104"]
    assert found.findings[-1].message.startswith("2 more findings")


def test_no_worker_can_be_started(demo: Demo, profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: engine.LocalCrew) -> ProcessPoolExecutor:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(engine.LocalCrew, "_executor", refuse)
    with pytest.raises(OSError, match="temporarily"):
        engine.examine_all(list_candidate(open_folder(demo.root), profile).images(profile), profile, ExamineOptions())


def test_a_run_that_ends_early_ends_its_own_workers_and_no_other_child(clean_demo: Demo, profile: Profile) -> None:
    def stop(_: list[ImageRecord]) -> None:
        raise KeyboardInterrupt

    child = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(600,))
    child.start()
    try:
        files = list_candidate(open_folder(clean_demo.root), profile).images(profile)
        with pytest.raises(KeyboardInterrupt):
            engine.examine_all(files, profile, ExamineOptions(), workers=2, arrived=stop)
        for process in multiprocessing.active_children():
            if isinstance(process, Worker):
                process.join(60)
        assert multiprocessing.active_children() == [child]
    finally:
        child.kill()
        child.join()


def test_batches_are_cut_by_bytes_and_by_count(clean_demo: Demo, profile: Profile) -> None:
    files = list_candidate(open_folder(clean_demo.root), profile).images(profile) * 10
    batches = list(engine._batches(files, by_size=True))
    assert [file for batch in batches for file in batch] == files
    assert max(len(batch) for batch in batches) <= engine.BATCH_FILES
    assert max(sum(file.size for file in batch) for batch in batches) <= engine.BATCH_BYTES
    assert len(list(engine._batches(files, by_size=False))) == -(-len(files) // engine.BATCH_FILES)


@pytest.mark.parametrize(
    ("own", "quotas", "cores"),
    [
        pytest.param("0::/\n", {}, 8, id="none"),
        pytest.param("0::/\n", {"": "max 100000"}, 8, id="unlimited"),
        pytest.param("0::/\n", {"": "300000 100000"}, 3, id="container"),
        pytest.param("0::/\n", {"": "10000 100000"}, 1, id="less-than-one"),
        pytest.param("0::/\n", {"": "1600000 100000"}, 8, id="more-than-there-are"),
        pytest.param("0::/a/b\n", {"a/b": "max 100000", "a": "200000 100000"}, 2, id="group-above"),
        pytest.param("0::/docker/x\n", {"": "400000 100000"}, 4, id="group-as-the-host-names-it"),
        pytest.param("4:cpu:/a\n", {}, 8, id="version-1"),
        pytest.param(None, {}, 8, id="no-linux"),
    ],
)
def test_cores_are_those_that_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str | None, quotas: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    monkeypatch.setattr(engine, "OWN_CONTROL_GROUP", tmp_path / "own")
    monkeypatch.setattr(engine, "CONTROL_GROUPS", tmp_path / "groups")
    if own is not None:
        (tmp_path / "own").write_text(own)
    for group, quota in quotas.items():
        (tmp_path / "groups" / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / group / "cpu.max").write_text(quota + "\n")
    assert engine.available_cores() == cores
