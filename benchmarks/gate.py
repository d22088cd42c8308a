"""The gate against the machine's limit, in one run: medians and ratios, with the files in the page cache.

    python benchmarks/gate.py [--images 300]

The limit is `mmap` and `hashlib.sha256` in as many processes as there are cores. The other yardsticks are what people use
today: `xargs -P sha256sum`, and `cp -r`.
"""

from __future__ import annotations

import argparse
import hashlib
import mmap
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 3
CORES = len(os.sched_getaffinity(0))
COMMAND = str(Path(sys.executable).with_name("pedicxr-release"))


def make(root: Path, images: int) -> None:
    """Make full-size candidates quickly: the pixels of a few images, each copy with one row of its own."""
    from pedicxr_release.demo.write import write_demo
    from pedicxr_release.profile import load_profile
    from pydicom import dcmread, dcmwrite

    profile = load_profile("pedicxr")
    demo = write_demo(root, profile, images, 1, downscale=16)
    big = write_demo(root.parent / "big", profile, 2, 2, downscale=1)
    source = dcmread(big.image_path("train", 0))
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
    del demo


def _hash(path: str) -> str:
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        return hashlib.sha256(mapped).hexdigest()


def _limit(files: list[str]) -> None:
    with ProcessPoolExecutor(CORES) as pool:
        list(pool.map(_hash, files, chunksize=max(1, len(files) // (4 * CORES))))


def seconds(function: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def run(*arguments: str | Path, codes: tuple[int, ...] = (0,)) -> Callable[[], object]:
    def call() -> None:
        result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, check=False)
        assert result.returncode in codes, result.stderr.decode()[-300:]

    return call


def fresh(folder: Path, function: Callable[[], object]) -> Callable[[], object]:
    def call() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        function()

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=300)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        root, out = Path(folder) / "candidate", Path(folder) / "out"
        make(root, images)
        files = [str(path) for path in sorted(root.glob("t*/*"))]
        size = sum(Path(file).stat().st_size for file in files)
        listed = Path(folder) / "files"
        listed.write_text("\n".join(files))
        quick = ["--no-expectations", "-q"]
        cases: dict[str, Callable[[], object]] = {
            "limit: mmap + hashlib": lambda: _limit(files),
            f"xargs -P{CORES} sha256sum": lambda: subprocess.run(
                f"xargs -P{CORES} -n 16 sha256sum < {listed}", shell=True, check=True, stdout=subprocess.DEVNULL
            ),
            "validate": run("validate", root, "-q"),
            "validate --no-expectations": run("validate", root, *quick),
            "validate --no-pixels": run("validate", root, "--no-pixels", *quick),
            "validate --no-pixels --no-hash": run("validate", root, "--no-pixels", "--no-hash", *quick),
            "package --mode copy": fresh(out, run("package", root, out, "-q")),
            "package --mode hardlink": fresh(out, run("package", root, out, "-q", "--mode", "hardlink")),
            "verify": run("verify", out / "vindr-pcxr-1.0.0", "-q"),
            "--help": run("--help"),
        }
        cases["cp -r"] = fresh(out, lambda: subprocess.run(["cp", "-r", root, out], check=True))
        _limit(files)
        took = {name: seconds(case) for name, case in cases.items()}
        limit = took["limit: mmap + hashlib"]
        print(f"{images} images of {size / images / 1e6:.1f} MB, {CORES} cores, medians of {REPEATS} runs\n")
        print("| what | s | GB/s | share of the limit |\n| --- | ---: | ---: | ---: |")
        for name, one in took.items():
            rate = "" if name == "--help" else f"{size / one / 1e9:.2f}"
            print(f"| {name} | {one:.2f} | {rate} | {'' if name == '--help' else f'{limit / one:.2f}'} |")


if __name__ == "__main__":
    main()
