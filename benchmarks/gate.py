"""The gate against the machine's limit and against peers, in one run, with the files in the page cache.

    python benchmarks/gate.py [--images 1000] [--small 10000] [--repeats 3] [--write docs/performance.md]

The limit is `mmap` and `hashlib.sha256` in as many processes as there are cores. The other yardsticks are what people use
today: `xargs -P sha256sum`, `cp -r`, `dicomqc scan` and `bagit` from the package registry, each in an environment of its own.
Times are medians; a target of the design is a ratio of two of them.
"""

from __future__ import annotations

import argparse
import hashlib
import mmap
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

CORES = len(os.sched_getaffinity(0))
COMMAND = str(Path(sys.executable).with_name("pedicxr-release"))
DICOMQC, HEADERS = "headers: dicomqc scan", "headers: validate --no-pixels --no-hash"
QUARTER = ", a quarter of the files"
PEERS = Path(__file__).parents[1] / "build" / "peers"


@dataclass
class Case:
    """Something that is timed: its name, what runs, and the bytes that it is about."""

    name: str
    run: Callable[[], object]
    size: int = 0
    removed: Path | None = None
    """What an earlier run left, removed before the clock starts."""
    seconds: float = 0


def make(root: Path, images: int) -> None:
    """Make full-size candidates quickly: the pixels of a few images, each copy with one row of its own."""
    from pedicxr_release.demo.write import write_demo
    from pedicxr_release.profile import load_profile
    from pydicom import dcmread, dcmwrite

    profile = load_profile("pedicxr")
    write_demo(root, profile, images, 1, downscale=16)
    big = write_demo(root.parent / "big", profile, 2, 2, downscale=1)
    source = dcmread(big.image_path("train", 0))
    shutil.rmtree(big.root)
    pixels = np.frombuffer(source.PixelData, "<u2").reshape(source.Rows, source.Columns).copy()
    low, high = int(pixels.min()), int(pixels.max())
    rng = np.random.default_rng(1)
    for path in sorted(root.glob("t*/*")):
        data_set = dcmread(path)
        data_set.Rows, data_set.Columns = pixels.shape
        pixels[5] = rng.integers(low, high + 1, pixels.shape[1])
        data_set.SmallestImagePixelValue, data_set.LargestImagePixelValue = low, high
        data_set.PixelData = pixels.tobytes()
        dcmwrite(path, data_set, enforce_file_format=False)
    for table in root.glob("annotations_*.csv"):
        lines = table.read_text().splitlines()
        cells = [line.split(",") for line in lines[1:]]
        scaled = [[*row[:3], *(f"{float(c) * 12:.3f}" if c else "" for c in row[3:7]), row[7]] for row in cells]
        table.write_text("\n".join([lines[0], *(",".join(row) for row in scaled)]) + "\n")


def peer(name: str) -> Path:
    """The environment of another tool, made if need be."""
    folder = PEERS / name
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", name, "setuptools"], check=True)
    return folder / "bin"


def _hash(path: str) -> str:
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        return hashlib.sha256(mapped).hexdigest()


def _limit(files: list[str]) -> None:
    with ProcessPoolExecutor(CORES) as pool:
        list(pool.map(_hash, files, chunksize=max(1, len(files) // (4 * CORES))))


def call(*arguments: str | Path, codes: tuple[int, ...] = (0,)) -> Callable[[], object]:
    def run() -> None:
        result = subprocess.run([*map(str, arguments)], capture_output=True, check=False)
        assert result.returncode in codes, result.stderr.decode()[-300:] + result.stdout.decode()[-300:]

    return run


def measure(cases: list[Case], repeats: int) -> dict[str, float]:
    """Time all cases in turn, so that a slow minute of the machine is shared by all of them."""
    times: dict[str, list[float]] = {case.name: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            if case.removed:
                shutil.rmtree(case.removed, ignore_errors=True)
            started = time.perf_counter()
            case.run()
            times[case.name].append(time.perf_counter() - started)
    for case in cases:
        case.seconds = statistics.median(times[case.name])
    return {case.name: case.seconds for case in cases}


def large(folder: Path, images: int) -> list[Case]:
    root, out, quarter = folder / "large", folder / "out", folder / "quarter"
    make(root, images)
    make(quarter, images // 4)
    files = [str(path) for path in sorted(root.glob("t*/*"))]
    size = sum(Path(file).stat().st_size for file in files)
    listed = folder / "files"
    listed.write_text("\n".join(files))
    _limit(files)
    ours = (COMMAND, "validate", root, "-q")
    cache, bag, other = folder / "cache", folder / "bag", folder / "other"
    shutil.copytree(root, other)  # a second name for a file changes its status, and the cache would read it again

    def bagged() -> None:
        shutil.copytree(other, bag, copy_function=os.link)
        call(peer("bagit") / "python", "-m", "bagit", "--processes", str(CORES), "--sha256", "--quiet", bag)()

    validate_bag = call(peer("bagit") / "python", "-m", "bagit", "--validate", "--processes", str(CORES), "--quiet", bag)
    sums = f"xargs -P{CORES} -n 16 sha256sum < {listed} > /dev/null"
    return [
        Case("limit: mmap + hashlib", lambda: _limit(files), size),
        Case(f"xargs -P{CORES} sha256sum", call("bash", "-c", sums), size),
        Case("cp -r", call("cp", "-r", root, out), size, out),
        Case("bagit: make", bagged, size, bag),
        Case("bagit: validate", validate_bag, size),
        Case("validate", call(*ours, "--no-cache"), size),
        Case(f"validate{QUARTER}", call(COMMAND, "validate", quarter, "-q", "--no-cache")),
        Case("validate --no-expectations", call(*ours, "--no-cache", "--no-expectations"), size),
        Case("validate --no-pixels", call(*ours, "--no-cache", "--no-pixels"), size),
        Case("validate, unchanged", call(*ours, "--cache", cache), size),
        Case("package --mode copy", call(COMMAND, "package", root, out, "-q"), size, out),
        Case("verify", call(COMMAND, "verify", out / "vindr-pcxr-1.0.0", "-q"), size),
        Case("package --mode hardlink", call(COMMAND, "package", other, out, "-q", "--mode", "hardlink"), size, out),
        Case(
            f"package --mode hardlink{QUARTER}",
            call(COMMAND, "package", quarter, out, "-q", "--mode", "hardlink"),
            removed=out,
        ),
    ]


def small(folder: Path, images: int) -> list[Case]:
    from pedicxr_release.demo.write import write_demo
    from pedicxr_release.profile import load_profile

    profile = load_profile("pedicxr")
    cases = []
    for name, share in (("", 1), (QUARTER, 4)):
        root = folder / f"small{share}"
        write_demo(root, profile, images // share, 1, downscale=16)
        headers = (COMMAND, "validate", root, "-q", "--no-cache", "--no-expectations", "--no-pixels", "--no-hash")
        dicomqc = call(peer("dicomqc") / "dicomqc", "scan", root, "--quiet", codes=(0, 1, 2))
        cases += [Case(f"{DICOMQC}{name}", dicomqc), Case(f"{HEADERS}{name}", call(*headers))]
    return [*cases, Case("--help", call(COMMAND, "--help"))]


def targets(took: dict[str, float]) -> list[tuple[str, str, float, bool]]:
    """What the design asks for, as ratios of this run: what, target, measured, met."""
    limit, sha, cp = took["limit: mmap + hashlib"], took[f"xargs -P{CORES} sha256sum"], took["cp -r"]
    rows = [
        ("validate / limit's speed", "≥ 0.7", limit / took["validate"], limit / took["validate"] >= 0.7),
        ("validate, times faster than sha256sum", "≥ 6", sha / took["validate"], sha / took["validate"] >= 6),
        ("package copy / cp -r", "≤ 1.2", took["package --mode copy"] / cp, took["package --mode copy"] <= 1.2 * cp),
    ]
    hard = took["package --mode hardlink"] / took["validate"]
    rows.append(("package hardlink / validate", "≤ 1.1", hard, hard <= 1.1))
    peers = took[DICOMQC] / took[HEADERS]
    rows.append(("headers, times faster than dicomqc scan", "≥ 4", peers, peers >= 4))
    rows.append(("second validate, seconds", "< 3", took["validate, unchanged"], took["validate, unchanged"] < 3))
    rows.append(("--help, seconds", "< 0.3", took["--help"], took["--help"] < 0.3))

    def further(case: str) -> float:
        """Seconds that three quarters of the images add to a quarter of them: what is not a fixed cost."""
        return took[case] - took[case + QUARTER]

    each = 0.75 * limit / further("validate")
    rows.append(("each further image: validate / limit's speed", "≥ 0.7", each, each >= 0.7))
    each = further("package --mode hardlink") / further("validate")
    rows.append(("each further image: package hardlink / validate", "≤ 1.1", each, each <= 1.1))
    each = further(DICOMQC) / further(HEADERS)
    rows.append(("each further header: times faster than dicomqc scan", "≥ 4", each, each >= 4))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", type=Path, help="put the tables into this page too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        cases = large(folder, given.images) + small(folder, given.small)
        took = measure(cases, given.repeats)
    text = table(cases, took, given.images, given.small, given.repeats)
    print(text)
    if given.write:
        put(given.write, text)


def put(page: Path, text: str) -> None:
    """Put the tables between the marks of a page."""
    before, start, rest = page.read_text(encoding="utf-8").partition("<!-- gate -->\n")
    _, end, after = rest.partition("<!-- /gate -->")
    page.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def table(cases: list[Case], took: dict[str, float], images: int, few: int, repeats: int) -> str:
    limit = took["limit: mmap + hashlib"]
    gigabytes = cases[0].size / 1e9
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    made = f"{images:,} images of {1e3 * gigabytes / images:.1f} MB ({gigabytes:.1f} GB) and {few:,} small ones"
    lines = [
        f"{made}, {CORES} cores, files in the page cache, medians of {repeats} rounds. Largest process: {peak:.0f} MB.\n",
        "| what | s | GB/s | share of the limit |",
        "| --- | ---: | ---: | ---: |",
    ]
    for case in cases:
        rate = (f"{gigabytes / case.seconds:.2f}", f"{limit / case.seconds:.2f}") if case.size else ("", "")
        lines.append(f"| {case.name} | {case.seconds:.2f} | {rate[0]} | {rate[1]} |")
    lines += ["", "| target | asked | measured | met |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {what} | {asked} | {found:.2f} | {'yes' if met else 'no'} |" for what, asked, found, met in targets(took)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
