"""How time and memory grow up to a million images: records made as such through judge, stats and report; then real files.

    python benchmarks/scale.py [--images 250000 500000 1000000] [--files 100000]

Each size runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MIMIC_IMAGES, MIMIC_BYTES = 377_110, 4.7e12
"""MIMIC-CXR 2.1.0 in DICOM, as PhysioNet gives it."""


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


def records(images: int) -> None:
    """Take so many made records through tables, judge, Table 3 and the JSON report; print seconds and peak memory."""
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
    per_image = 1024 * (peak - before) / images
    parts = f"{read - started:.1f} | {judged - read:.1f} | {ended - judged:.1f}"
    print(f"| {images:,} | {parts} | {peak / 1e6:.2f} | {per_image:.0f} | {len(text) / 1e6:.0f} |", flush=True)


def files(images: int) -> None:
    """Take so many small real files through the whole gate, then project."""
    from pedicxr_release.demo.write import write_demo
    from pedicxr_release.profile import load_profile

    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "candidate"
        write_demo(root, load_profile("pedicxr"), images, 1, downscale=32)
        command = [Path(sys.executable).with_name("pedicxr-release"), "validate", root, "-q", "--cache", Path(name) / "cache"]
        for what in ("first", "second, from the cache"):
            started = time.perf_counter()
            subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - started
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
            print(
                f"{images:,} small files, {what} run: {seconds:.0f} s, {1e3 * seconds / images:.2f} ms a file, {peak:.0f} MB"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, nargs="*", default=[250_000, 500_000, 1_000_000])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        records(given.one)
        return
    print("| images | tables, s | judge, s | Table 3 and JSON, s | peak, GB | bytes an image | JSON, MB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for images in given.images:
        subprocess.run([sys.executable, __file__, "--one", str(images)], check=True)
    if given.files:
        files(given.files)
    print(
        f"\nMIMIC-CXR: {MIMIC_IMAGES:,} images, {MIMIC_BYTES / 1e12} TB; divide by the GB/s that benchmarks/gate.py measures."
    )


if __name__ == "__main__":
    main()
