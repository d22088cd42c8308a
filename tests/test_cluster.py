"""A Dask cluster says what this machine says, byte for byte, and what becomes of its workers stops no run."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from distributed import LocalCluster
from pedicxr_release import cluster as cluster_module
from pedicxr_release import engine
from pedicxr_release.candidate import list_candidate
from pedicxr_release.cli import main
from pedicxr_release.cluster import ExaminerPlugin, cluster_crew
from pedicxr_release.demo.faults import plant
from pedicxr_release.examine.image import ExamineOptions
from pedicxr_release.source import open_folder
from pedicxr_release.workers import ClusterError

from tests.test_engine import MARKER, HostileExaminer, hostile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pedicxr_release.demo.write import Demo
    from pedicxr_release.examine.record import ImageFile, ImageRecord
    from pedicxr_release.profile import Profile

__all__ = ["hostile"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers, each a process with a nanny that starts it again when it dies."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as made:
        yield made


def images(demo: Demo) -> list[ImageFile]:
    return list_candidate(open_folder(demo.root), demo.profile).images(demo.profile)


def in_one_batch_each(files: Sequence[ImageFile], *, by_size: bool) -> Iterator[list[ImageFile]]:
    assert by_size
    yield from ([file] for file in files)


@pytest.mark.parametrize("options", [[], ["--no-pixels", "--no-hash"]], ids=["whole", "headers"])
def test_a_cluster_reports_what_this_machine_reports(cluster: LocalCluster, demo: Demo, options: list[str]) -> None:
    for fault in ("patient-name", "does-not-decode", "empty-image", "box-outside"):
        plant(fault, demo)
    command = ["validate", str(demo.root), "--format", "json", "--with-evidence", "--no-cache", *options]
    here = CliRunner().invoke(main, command)
    there = CliRunner().invoke(main, [*command, "--scheduler", cluster.scheduler_address])
    assert (here.exit_code, there.exit_code) == (1, 1), there.output
    assert there.stdout_bytes == here.stdout_bytes


def test_stats_counts_on_a_cluster_too(cluster: LocalCluster, clean_demo: Demo) -> None:
    command = ["stats", str(clean_demo.root), "--format", "json"]
    there = CliRunner().invoke(main, [*command, "--scheduler", cluster.scheduler_address])
    assert there.stdout_bytes == CliRunner().invoke(main, command).stdout_bytes
    assert there.exit_code == 0


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(
    cluster: LocalCluster, clean_demo: Demo, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = images(clean_demo)
    monkeypatch.setattr(engine, "_batches", in_one_batch_each)
    arrived: list[ImageRecord] = []
    killed: list[int] = []

    def kill_one(batch: list[ImageRecord]) -> None:
        arrived.extend(batch)
        if len(arrived) == 5:
            killed.append(cluster.workers[0].process.pid)
            os.kill(killed[0], signal.SIGKILL)

    records = engine.examine_all(
        files, profile, ExamineOptions(), scheduler=cluster.scheduler_address, arrived=kill_one
    )  # fmt: skip
    assert len(killed) == 1
    assert records == engine.examine_all(files, profile, ExamineOptions(), workers=2)
    assert len(arrived) == len(files), "a batch was reported twice"


class HostilePlugin(ExaminerPlugin):
    """Has a cluster's workers do what a file says."""

    def examine(self, files: list[ImageFile]) -> list[ImageRecord]:
        self._examiner = self._examiner or HostileExaminer(*self._makes)
        return super().examine(files)


@pytest.mark.parametrize(("what", "code"), [(b"die", "RUN101"), (b"hang", "RUN102"), (b"raise", "RUN105")])
@pytest.mark.usefixtures("hostile")
def test_a_hostile_file_is_the_same_finding_on_a_cluster(
    cluster: LocalCluster, demo: Demo, profile: Profile, monkeypatch: pytest.MonkeyPatch, what: bytes, code: str
) -> None:
    victim = demo.image_path("train", 3)
    victim.write_bytes(MARKER + what)
    monkeypatch.setattr(cluster_module, "ExaminerPlugin", HostilePlugin)
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    records = engine.examine_all(images(demo), profile, ExamineOptions(), scheduler=cluster.scheduler_address)
    assert records == engine.examine_all(images(demo), profile, ExamineOptions(), workers=2)
    found = [(record.path, finding.code) for record in records for finding in record.findings]
    assert (victim.relative_to(demo.root).as_posix(), code) in found
    assert sum(record.sha256 is not None for record in records) == len(records) - 1


# -- what is refused ------------------------------------------------------------------------------------------------


def test_nobody_answers(clean_demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 1)
    result = CliRunner().invoke(main, ["validate", str(clean_demo.root), "--no-cache", "--scheduler", "tcp://127.0.0.1:9"])
    assert result.exit_code == 3
    assert result.stderr == "pedicxr-release: tcp://127.0.0.1:9: no Dask scheduler answers there; no verdict was drawn\n"


def test_an_address_is_none(clean_demo: Demo) -> None:
    result = CliRunner().invoke(main, ["stats", str(clean_demo.root), "--scheduler", "nonsense://x"])
    assert result.exit_code == 3
    assert "nonsense://x: no Dask scheduler answers there" in result.stderr


def test_dask_is_not_installed(clean_demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pedicxr_release.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = CliRunner().invoke(main, ["validate", str(clean_demo.root), "--no-cache", "--scheduler", "tcp://127.0.0.1:9"])
    assert result.exit_code == 3
    assert "pip install 'pedicxr-release[dask]'" in result.stderr


def crew(cluster: LocalCluster, profile: Profile, sample: str) -> None:
    with cluster_crew(cluster.scheduler_address, profile, ExamineOptions(), sample):
        pass


def test_a_worker_that_does_not_see_the_dataset_is_refused(cluster: LocalCluster, profile: Profile) -> None:
    with pytest.raises(ClusterError, match=r"worker \d does not see the dataset under the path that it has here"):
        crew(cluster, profile, "/nowhere/train/0.dicom")


def test_a_worker_with_another_version_is_refused(
    cluster: LocalCluster, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = cluster_module.reader_versions()
    monkeypatch.setattr(cluster_module, "reader_versions", lambda: versions | {"pydicom": "0.9"})
    with pytest.raises(ClusterError, match=rf"worker \d has pydicom {versions['pydicom']}, and this machine 0\.9"):
        crew(cluster, profile, "/")


def test_a_cluster_without_a_worker_is_refused(profile: Profile) -> None:
    with LocalCluster(n_workers=0, dashboard_address=":0") as empty, pytest.raises(ClusterError, match="has no worker"):
        crew(empty, profile, "/")


def test_a_scheduler_that_is_lost_in_the_middle_ends_the_run(
    clean_demo: Demo, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_batches", in_one_batch_each)
    monkeypatch.setattr(engine, "LOOKED_AFTER", 0.5)
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as lost:

        def stop(_: Any) -> None:
            lost.close()

        with pytest.raises(ClusterError, match="the scheduler is gone"):
            engine.examine_all(
                images(clean_demo), profile, ExamineOptions(), scheduler=lost.scheduler_address, arrived=stop
            )  # fmt: skip
