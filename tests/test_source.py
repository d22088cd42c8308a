"""A dataset behind a URL is judged as its folder is, byte for byte; what cannot be read is said, and no credential ever."""

from __future__ import annotations

import copy
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import fsspec
import pytest
from click.testing import CliRunner
from pedicxr_release.candidate import list_candidate
from pedicxr_release.cli import main
from pedicxr_release.demo.faults import FAULTS, plant
from pedicxr_release.demo.write import write_demo
from pedicxr_release.examine import remote
from pedicxr_release.examine.image import ExamineOptions, Examiner
from pedicxr_release.examine.record import ImageFile
from pedicxr_release.source import LocalFolder, RemoteFiles, RemoteFolder, SourceError, open_folder

from tests.candidates import real_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pedicxr_release.demo.write import Demo
    from pedicxr_release.profile import Profile

HEADERS = ExamineOptions(pixels=False, hash=False)
COMMAND = Path(sys.executable).with_name("pedicxr-release")


def faulty(demo: Demo) -> Path:
    """A candidate with faults in headers, pixels, tables and names."""
    for fault in ("crosswalk", "patient-name", "does-not-decode", "box-outside", "foreign-id", "stray-file", "empty-image"):
        plant(fault, demo)
    return demo.root


def report(where: Path | str, *options: str, **environment: str) -> tuple[int, dict]:
    """Run validate as a user does; return its exit code and its report, but for where the dataset lies."""
    command = [str(COMMAND), "validate", str(where), "--format", "json", "--with-evidence", *options]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert ran.returncode in (0, 1), ran.stderr
    content = json.loads(ran.stdout)
    content["dataset"].pop("root")
    return ran.returncode, content


# -- S3 -------------------------------------------------------------------------------------------------------------


class Bucket(NamedTuple):
    """A bucket of a server on this machine."""

    system: fsspec.AbstractFileSystem
    environment: dict[str, str]

    def put(self, folder: Path, name: str) -> str:
        self.system.put(str(folder), f"bucket/{name}", recursive=True)
        return f"s3://bucket/{name}"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    environment = {
        "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    system = fsspec.filesystem("s3", endpoint_url=endpoint, key="AKIAEXAMPLE", secret="wJalrXUtnFEMI")
    system.mkdir("bucket")
    yield Bucket(system, environment)
    server.stop()


@pytest.mark.parametrize("options", [[], ["--no-pixels"], ["--no-pixels", "--no-hash"]], ids=["whole", "hash", "headers"])
def test_a_bucket_is_judged_as_its_folder_is(bucket: Bucket, demo: Demo, options: list[str]) -> None:
    root = faulty(demo)
    here = report(root, *options)
    there = report(bucket.put(root, f"faulty-{len(options)}"), *options, **bucket.environment)
    assert here[0] == 1
    assert there == here


def test_a_changed_object_is_seen_though_nothing_tells_its_time(bucket: Bucket, demo: Demo, tmp_path: Path) -> None:
    options = ["--cache", str(tmp_path / "cache")]
    url = bucket.put(demo.root, "changing")
    assert report(url, *options, **bucket.environment)[0] == 0
    victim = demo.image_path("train", 2)
    victim.write_bytes(victim.read_bytes().replace(b"ISO_IR", b"OSI_IR") if b"ISO_IR" in victim.read_bytes() else b"\0" * 500)
    bucket.system.put(str(victim), f"bucket/changing/train/{victim.name}")
    assert report(url, *options, **bucket.environment)[0] == 1


def test_a_package_made_from_a_bucket_is_the_one_made_from_its_folder(
    bucket: Bucket, clean_demo: Demo, tmp_path: Path
) -> None:
    made = []
    for number, where in enumerate((str(clean_demo.root), bucket.put(clean_demo.root, "clean"))):
        command = [str(COMMAND), "package", where, str(tmp_path / str(number)), "-q"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | bucket.environment)
        assert ran.returncode == 0, ran.stderr
        folder = next(path for path in (tmp_path / str(number)).iterdir() if not path.name.endswith(".evidence"))
        made.append((folder / "SHA256SUMS.txt").read_bytes())
        assert CliRunner().invoke(main, ["verify", str(folder)]).exit_code == 0
    assert made[0] == made[1]


def test_neither_links_nor_kept_evidence_are_for_a_url(bucket: Bucket, clean_demo: Demo, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    CliRunner().invoke(main, ["validate", str(clean_demo.root), "--no-cache", "--save-evidence", str(kept)])
    url = bucket.put(clean_demo.root, "linked")
    for command, code, words in (
        (["package", url, str(tmp_path / "out"), "--mode", "hardlink"], 2, "--mode copy"),
        (["stats", url, "--evidence", str(kept)], 0, "files behind a URL have no times"),  # so it reads them anew, and says so
    ):
        ran = subprocess.run(
            [str(COMMAND), *command], capture_output=True, text=True, check=False, env=os.environ | bucket.environment
        )
        assert ran.returncode == code, ran.stderr
        assert words in ran.stderr
    assert not (tmp_path / "out").exists()


# -- other schemes --------------------------------------------------------------------------------------------------


def test_a_zip_is_judged_as_its_folder_is(demo: Demo, tmp_path: Path) -> None:
    root = faulty(demo)
    archive = shutil.make_archive(str(tmp_path / "candidate"), "zip", root)
    assert report(f"zip://::{archive}") == report(root)


def test_a_web_server_is_judged_as_its_folder_is(demo: Demo) -> None:
    """This one does not know ranges: it answers a request for the start of a file with all of it."""
    root = faulty(demo)
    with _served(root) as url:
        for options in ([], ["--no-pixels", "--no-hash"]):
            assert report(url, *options) == report(root, *options)


class _served:  # noqa: N801 (used as a context manager)
    def __init__(self, root: Path) -> None:
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_file_url_is_a_folder(clean_demo: Demo) -> None:
    assert open_folder(f"file://{clean_demo.root}") == LocalFolder(clean_demo.root)


# -- ranges ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each range that was fetched."""
    lengths: list[int] = []
    real = RemoteFiles.read

    def read(self: RemoteFiles, ranges: Sequence[tuple[str, int, int]]) -> list[bytes | OSError]:
        contents = real(self, ranges)
        lengths.extend(len(content) for content in contents if isinstance(content, bytes))
        return contents

    monkeypatch.setattr(RemoteFiles, "read", read)
    return lengths


def both_ways(files: Sequence[ImageFile], profile: Profile) -> Iterator[tuple[object, object]]:
    """What headers say, read in ranges and in place."""
    in_ranges = Examiner(profile, ExamineOptions(pixels=False, hash=False, url="file:///"))
    in_place = Examiner(profile, HEADERS)
    for file, content in in_ranges.contents(files):
        record = in_place(file)
        yield in_ranges(file, content), type(record)(*_without_times(record))


def _without_times(record: object) -> Iterator[object]:
    from dataclasses import fields

    for field in fields(record):  # type: ignore[arg-type]
        yield field.default if field.name in ("mtime_ns", "ctime_ns", "inode") else getattr(record, field.name)


@pytest.mark.parametrize("first", [32, 1000, remote.FIRST_READ])
def test_ranges_of_real_files_say_what_the_files_say(
    profile: Profile, fetched: list[int], monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    monkeypatch.setattr(remote, "FIRST_READ", first)
    files = [ImageFile(p.name, str(p), "train", None, p.stat().st_size) for p in real_files() if p.stat().st_size]
    for ranged, whole in both_ways(files, profile):
        assert ranged == whole
    assert sum(fetched) < 0.9 * sum(file.size for file in files)


def test_ranges_of_every_planted_fault_say_what_the_files_say(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "FIRST_READ", 256)
    clean = write_demo(tmp_path / "clean", profile, 24, 1, downscale=12)
    planted = []
    for fault in FAULTS.values():
        root = tmp_path / fault.name
        shutil.copytree(clean.root, root, symlinks=True)
        path = root / plant(fault.name, type(clean)(root, profile, copy.deepcopy(clean.images)))
        if path.is_file() and path.suffix == ".dicom" and not path.is_symlink():
            image_id = profile.image_id_of(path.name)
            planted.append(ImageFile(f"train/{path.name}", str(path), "train", image_id, path.stat().st_size))
    assert len(planted) > 40
    for ranged, whole in both_ways(planted, profile):
        assert ranged == whole


def test_headers_of_large_images_cost_their_headers(profile: Profile, tmp_path: Path, fetched: list[int]) -> None:
    demo = write_demo(tmp_path / "large", profile, 4, 1, downscale=1)
    files = list_candidate(open_folder(demo.root), profile).images(profile)
    for ranged, whole in both_ways(files, profile):
        assert ranged == whole
    assert sum(fetched) <= len(files) * remote.FIRST_READ < 0.1 * sum(file.size for file in files)


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "headers"])
def test_what_happens_to_an_object_after_it_was_listed(profile: Profile, clean_demo: Demo, whole: bool) -> None:
    system = fsspec.filesystem("memory")
    system.rm("/", recursive=True) if system.find("/") else None
    sources = sorted((clean_demo.root / "train").iterdir())[:4]
    for source in sources:
        system.pipe(f"/candidate/train/{source.name}", source.read_bytes())
    images = list_candidate(RemoteFolder("memory://candidate"), profile).images(profile)
    system.rm(images[0].source)
    system.pipe(images[1].source, system.cat(images[1].source) + b"more")
    system.pipe(images[2].source, system.cat(images[2].source)[:100])
    examine = Examiner(profile, ExamineOptions(pixels=whole, hash=whole, url="memory://candidate"))
    reasons = [
        [finding.facts["reason"] for finding in examine(file, content).findings if finding.code == "LAY113"]
        for file, content in examine.contents(images)
    ]
    grown = ["it has changed since the dataset was listed"] if whole else []
    assert reasons == [["no such file or directory"], grown, ["it has changed since the dataset was listed"], []]


def test_a_file_too_large_for_memory_is_not_read(profile: Profile, clean_demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "LARGEST", 1 << 20)
    file = ImageFile("train/x", str(clean_demo.image_path("train", 0)), "train", None, (1 << 20) + 1)
    examine = Examiner(profile, ExamineOptions(url="file:///"))
    [(_, content)] = examine.contents([file])
    [finding] = examine(file, content).findings
    assert (finding.code, finding.facts["reason"]) == ("LAY113", "it is larger than 1 MiB; copy the dataset to this machine")


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense://x", "nonsense:// is no scheme that fsspec knows"),
        ("zip://::/nowhere/candidate.zip", "zip:// cannot be opened: no such file or directory"),
        ("memory://nothing", "memory://nothing: there is nothing there"),
        ("http://127.0.0.1:9/candidate", "http://127.0.0.1:9/candidate: cannot be listed: connection refused"),
        ("http://me:hunter2@127.0.0.1:9/c?token=hunter3", "http://127.0.0.1:9/c: cannot be listed: connection refused"),
    ],
)
def test_a_url_that_leads_nowhere(url: str, says: str) -> None:
    result = CliRunner().invoke(main, ["validate", url])
    assert result.exit_code == 2
    assert result.stderr == f"pedicxr-release: {says}\n"


def test_a_package_that_a_scheme_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(SourceError, match=r"gs:// needs another package: pip install 'pedicxr-release\[remote\]'"):
        open_folder("gs://bucket/candidate")


def test_a_bucket_that_may_not_be_listed_is_an_error_without_the_key(bucket: Bucket) -> None:
    environment = os.environ | bucket.environment | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    ran = subprocess.run(
        [str(COMMAND), "validate", "s3://bucket/x"], capture_output=True, text=True, check=False, env=environment
    )
    assert ran.returncode == 2
    assert ran.stderr == "pedicxr-release: s3://bucket/x: cannot be listed: EndpointConnectionError\n"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://key:secret@bucket/candidate", "s3://bucket/candidate"),
        ("https://host/candidate?X-Amz-Signature=abc", "https://host/candidate"),
        ("ftp://user@host:21/candidate", "ftp://host:21/candidate"),
        ("zip://::https://user:pass@host/c.zip?token=abc", "zip://::https://host/c.zip"),
    ],
)
def test_what_opens_a_url_for_others_is_not_shown(url: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing(RemoteFiles):
        def __init__(self, _: str) -> None:
            self.located = {}

        def sizes(self) -> dict[str, int]:
            return {"train/x": 1}

    monkeypatch.setattr("pedicxr_release.source.RemoteFiles", Nothing)
    assert RemoteFolder(url).shown == shown
