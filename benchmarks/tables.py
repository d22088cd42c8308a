"""How long 1,000,000 annotation rows and 250,000 label rows take, and how much memory.

python benchmarks/tables.py
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np

STARTED = time.perf_counter()


def write(root: Path, images: int, boxes: int) -> list[str]:
    from pedicxr_release.profile import load_profile

    profile = load_profile("pedicxr")
    rng = np.random.default_rng(1)
    ids = [rng.bytes(16).hex() for _ in range(images)]
    labels = [label.name for label in profile.labels.local]
    corners = np.sort(rng.uniform(0, 1300, (boxes, 2, 2)), axis=1)
    with (root / "annotations_train.csv").open("w") as file:
        file.write("image_id,rad_id,class_name,x_min,y_min,x_max,y_max,class_id\n")
        for row in range(boxes):
            (x0, y0), (x1, y1) = corners[row]
            number = row % 36
            who = f"{ids[row % images]},R{row % images % 3 + 1},{labels[number]}"
            file.write(f"{who},{x0:.3f},{y0:.3f},{x1:.3f},{y1:.3f},{number + 1}\n")
    with (root / "image_labels_train.csv").open("w") as file:
        file.write("image_id,rad_ID," + ",".join(label.name for label in profile.labels.global_) + "\n")
        for row, image_id in enumerate(ids):
            file.write(f"{image_id},R{row % 3 + 1},0,1" + ",0" * 13 + "\n")
    return ids


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ids = write(root, 250_000, 1_000_000)
        started = time.perf_counter()
        from pedicxr_release.candidate import Candidate
        from pedicxr_release.evidence import Evidence
        from pedicxr_release.examine.record import ImageRecord
        from pedicxr_release.judge.boxes import judge_boxes
        from pedicxr_release.judge.labels import judge_labels
        from pedicxr_release.judge.patterns import judge_patterns
        from pedicxr_release.profile import load_profile
        from pedicxr_release.source import open_folder
        from pedicxr_release.tables import read_table

        profile = load_profile("pedicxr")
        records = [ImageRecord(f"train/{i}.dicom", "train", i, 1, rows=1643, columns=1349) for i in ids]
        parts = {}
        last = time.perf_counter()
        tables = []
        for file in ("annotations_train.csv", "image_labels_train.csv"):
            tables.append(read_table(open_folder(root), file, profile))
            parts[file], last = time.perf_counter() - last, time.perf_counter()
        evidence = Evidence(profile, Candidate(open_folder(root)), records, tables)
        findings = 0
        for judge in (judge_patterns, judge_boxes, judge_labels):
            findings += sum(1 for _ in judge(evidence))
            parts[judge.__name__], last = time.perf_counter() - last, time.perf_counter()
        whole = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print("| part | s |\n| --- | ---: |")
        for name, seconds in parts.items():
            print(f"| {name} | {seconds:.1f} |")
        print(f"| whole, imports included | {whole:.1f} |")
        print(f"\n{findings} findings; peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
