"""How time and memory grow up to a million images: records made as such through judge, stats and report; then real files.

    python benchmarks/scale.py [--images 250000 500000 1000000] [--files 100000] [--write docs/performance.md]

Each size runs in a process of its own, so that its peak memory is its own. From what is measured follows what MIMIC-CXR would
cost on one machine like this, and on twenty with a Dask cluster.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from gate import COMMAND, CORES, make
from memory import peak_memory
from page import put

MIMIC_IMAGES, MIMIC_BYTES = 377_110, 4.7e12
"""MIMIC-CXR 2.1.0 in DICOM, as PhysioNet gives it."""
MACHINES = 20
LARGE = 100, 600
"""Full-size images in the two runs whose difference says how long a byte takes."""


class Judged(NamedTuple):
    """What so many records cost: seconds, and bytes."""

    images: int
    read: float
    judge: float
    report: float
    peak: int
    each: float
    text: int


def write_tables(root: Path, ids: list[str]) -> None:
    """Every image with a placeholder row or a box, and a row of labels."""
    from pedicxr_release.profile import load_profile

    labels = ",".join(label.name for label in load_profile("pedicxr").labels.global_)
    with (root / "annotations_train.csv").open("w") as boxes, (root / "image_labels_train.csv").open("w") as rows:
        boxes.write("image_id,rad_id,class_name,x_min,y_min,x_max,y_max,class_id\n")
        rows.write(f"image_id,rad_ID,{labels}\n")
        for number, image_id in enumerate(ids):
            reader = f"R{number % 3 + 1}"
            found = number % 3 == 0
            boxes.write(f"{image_id},{reader}," + ("Cardiomegaly,10,10,90,90,6\n" if found else "No finding,,,,,37\n"))
            rows.write(f"{image_id},{reader}," + ("0,1" + ",0" * 13 if found else "1" + ",0" * 14) + "\n")


def records(images: int) -> Judged:
    """Take so many made records through tables, judge, Table 3 and the JSON report."""
    from pedicxr_release.candidate import Candidate, Entry
    from pedicxr_release.evidence import Evidence
    from pedicxr_release.examine.record import ImageRecord
    from pedicxr_release.profile import load_profile
    from pedicxr_release.report.document import to_json
    from pedicxr_release.source import open_folder
    from pedicxr_release.tables import read_table
    from pedicxr_release.validation import JUDGES, GateOptions, Report, weigh

    profile = load_profile("pedicxr")
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        ids = [rng.bytes(16).hex() for _ in range(images)]
        write_tables(root, ids)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        paths = [f"train/{image_id}.dicom" for image_id in ids]
        entries = [Entry(path, path, "file", 4_400_000, 0o644) for path in paths]
        made = [
            ImageRecord(
                path, "train", image_id, 4_400_000, rng.bytes(32), rng.bytes(16), 1640, 1345, "M", "003Y",
                transfer_syntax="1.2.840.10008.1.2.1", photometric="MONOCHROME2", bits_stored=12, smallest=0, largest=4095,
                published_form=True,
            )
            for path, image_id in zip(paths, ids, strict=True)
        ]  # fmt: skip
        folder = open_folder(root)
        tables = [read_table(folder, file, profile) for file in ("annotations_train.csv", "image_labels_train.csv")]
        read = time.perf_counter()
        evidence = Evidence(profile, Candidate(folder, entries), made, tables)
        found = [finding for judge in JUDGES for finding in judge(evidence)]
        report = Report(evidence, weigh(found, evidence), GateOptions())
        judged = time.perf_counter()
        assert report.table3.collection["train"].scans == images
        text = to_json(report, with_evidence=True)
        ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Judged(
        images, read - started, judged - read, ended - judged, 1024 * peak, 1024 * (peak - before) / images, len(text)
    )


class Examined(NamedTuple):
    """What so many small files cost from end to end: seconds of both runs, and bytes of the largest process."""

    images: int
    first: float
    second: float
    peak: int


def files(images: int, folder: Path) -> Examined:
    """Take so many small real files through the whole gate, twice."""
    from pedicxr_release.demo.write import write_demo
    from pedicxr_release.profile import load_profile, profile_folder

    own = folder / "profile"
    shutil.copytree(profile_folder("pedicxr"), own)
    attributes = (own / "dicom.yaml").read_text(encoding="utf-8")
    (own / "dicom.yaml").write_text(attributes.replace("plausible_minimum: 200", "plausible_minimum: 20"), encoding="utf-8")
    root = folder / "small"
    write_demo(root, load_profile(str(own)), images, 1, downscale=16)
    command = [COMMAND, "validate", root, "--profile", own, "-q", "--cache", folder / "cache"]
    seconds = [timed(command) for _ in range(2)]
    return Examined(images, *seconds, peak_memory(*command[:-2], "--no-cache"))


def timed(command: list[str | Path]) -> float:
    """Seconds that a command takes."""
    started = time.perf_counter()
    subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def bytes_a_second(folder: Path) -> float:
    """How fast the gate goes over further full-size images, expectations and start-up left aside."""
    took, sizes = [], []
    for images in LARGE:
        root = folder / f"large{images}"
        make(root, images)
        sizes.append(sum(path.stat().st_size for path in root.glob("t*/*")))
        command = [COMMAND, "validate", root, "-q", "--no-cache", "--no-expectations"]
        took.append(min(timed(command) for _ in range(3)))
    return (sizes[1] - sizes[0]) / (took[1] - took[0])


def report(judged: list[Judged], examined: Examined, rate: float) -> str:
    """Write what was measured, and what follows from it."""
    lines = [
        "| images | tables, s | judge, s | Table 3 and JSON, s | largest process, GB | bytes an image | JSON, MB |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in judged:
        numbers = f"{one.read:.1f} | {one.judge:.1f} | {one.report:.1f} | {one.peak / 1e9:.2f} | {one.each:.0f}"
        lines.append(f"| {one.images:,} | {numbers} | {one.text / 1e6:.0f} |")
    each, gigabytes = f"{1e3 * examined.first / examined.images:.2f} ms", f"{rate / 1e9:.2f} GB/s"
    again = f"again, from the cache, {examined.second:.0f} s; largest process {examined.peak / 1e6:.0f} MB."
    mimic = f"{MIMIC_IMAGES:,} images in {MIMIC_BYTES / 1e12} TB"
    lines += [
        "",
        f"{examined.images:,} small files through the whole gate: {examined.first:.0f} s, {each} a file; {again}",
        "",
        f"MIMIC-CXR, {mimic}, from {each} an image and {gigabytes} on {CORES} cores:",
        "",
        "| on | hours | GB/s that storage must give to each |",
        "| --- | ---: | ---: |",
    ]
    last = judged[-1]
    alone = (last.read + last.judge + last.report) / last.images  # seconds an image that are not shared
    shared = MIMIC_IMAGES * (examined.first / examined.images - alone) + MIMIC_BYTES / rate
    for machines, name in ((1, "one machine of 2 cores"), (MACHINES, f"{MACHINES} such machines, `--scheduler`")):
        seconds = shared / machines + MIMIC_IMAGES * alone
        lines.append(f"| {name} | {seconds / 3600:.2f} | {MIMIC_BYTES / machines / seconds / 1e9:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, nargs="*", default=[250_000, 500_000, 1_000_000])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--write", type=Path, help="put the tables into this page too")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(records(given.one)))
        return
    judged = []
    for images in given.images:
        ran = subprocess.run([sys.executable, __file__, "--one", str(images)], check=True, stdout=subprocess.PIPE)
        judged.append(Judged(*json.loads(ran.stdout)))
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        text = report(judged, files(given.files, Path(name)), bytes_a_second(Path(name)))
    print(text)
    if given.write:
        put(given.write, "scale", text)


if __name__ == "__main__":
    main()
