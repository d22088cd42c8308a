"""Bounding boxes: each within its image, with the class that its id says, drawn once."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pedicxr_release.finding import TABLE_LIMIT, Collector, Location
from pedicxr_release.judge.rows import readings, report_rows
from pedicxr_release.profile import CORNERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from pedicxr_release.evidence import Evidence
    from pedicxr_release.finding import Finding
    from pedicxr_release.profile import Profile
    from pedicxr_release.tables import Table

SMALLEST_SIDE, LARGEST_SHARE, ALIKE = 2.0, 0.98, 0.95


def judge_boxes(evidence: Evidence) -> Iterator[Finding]:
    """Judge every row of every boxes table."""
    for table in evidence.of_kind("boxes"):
        if table.frame.empty:
            continue
        found = Collector(table.file, limit=TABLE_LIMIT)
        _judge_table(table, evidence, found)
        yield from found.findings


def _judge_table(table: Table, evidence: Evidence, found: Collector) -> None:
    profile, frame = evidence.profile, table.frame
    placeholder = frame["class_name"].isin([table.profile.placeholder])
    report_rows(found, "BOX113", frame[placeholder & frame[list(CORNERS)].notna().any(axis=1)], profile)
    boxes = frame[~placeholder]
    refused = {(finding.location.row, finding.location.column) for finding in table.findings}
    for corner in CORNERS:
        column = table.profile.by_role(corner).name
        if column not in table.absent:
            rows = boxes[boxes[corner].isna()]
            unsaid = np.array([(line, column) not in refused for line in rows["line"]], dtype=bool)
            report_rows(found, "BOX101", rows[unsaid], profile, column)
    whole = boxes[np.isfinite(boxes[list(CORNERS)].to_numpy(dtype=float)).all(axis=1)]
    _judge_geometry(whole, table, evidence, found)
    _judge_repeats(whole, profile, found)
    _judge_class_ids(frame, placeholder, table, profile, found)
    read = readings(frame, by_reader=profile.read_independently(table.split))
    beside = placeholder & read.isin(read[~placeholder].unique())
    report_rows(found, "BOX114", frame[beside], profile)


def _judge_geometry(boxes: pd.DataFrame, table: Table, evidence: Evidence, found: Collector) -> None:
    profile, images = evidence.profile, evidence.images
    columns, rows = (boxes["image_id"].map(images[side]).astype(float) for side in ("columns", "rows"))
    for corner in CORNERS:
        column = table.profile.by_role(corner).name
        bound, side = (columns, "columns") if corner.startswith("x") else (rows, "rows")
        report_rows(found, "BOX104", boxes[boxes[corner] < 0], profile, column, side=side, where="below 0")
        beyond = f"beyond the image's {side}"
        report_rows(found, "BOX104", boxes[boxes[corner] > bound], profile, column, side=side, where=beyond)
    for low, high in (CORNERS[0::2], CORNERS[1::2]):
        first, second = (table.profile.by_role(role).name for role in (low, high))
        unordered = boxes[boxes[low] >= boxes[high]]
        report_rows(found, "BOX105", unordered, profile, first, columns=f"{first} and {second}")
    width, height = boxes["x_max"] - boxes["x_min"], boxes["y_max"] - boxes["y_min"]
    ordered = (width > 0) & (height > 0)
    report_rows(found, "BOX106", boxes[ordered & ((width < SMALLEST_SIDE) | (height < SMALLEST_SIDE))], profile)
    share = width * height / (columns * rows)
    report_rows(found, "BOX107", boxes[ordered & (share > LARGEST_SHARE) & (share <= 1)], profile)


def _judge_repeats(boxes: pd.DataFrame, profile: Profile, found: Collector) -> None:
    """Report a box drawn twice, and boxes of one class and reader that cover nearly the same."""
    key = ["image_id", "reader", "class_name"]
    repeated = boxes.duplicated([*key, *CORNERS], keep="first")
    report_rows(found, "BOX108", boxes[repeated], profile)
    unique = boxes[~repeated]
    several = unique[unique.duplicated(key, keep=False)]
    for _, group in several.groupby(key, observed=True, sort=False):
        corners, lines = group[list(CORNERS)].to_numpy(), group["line"].to_numpy()
        image_id = profile.known_id(group["image_id"].iloc[0])
        for first, second in combinations(range(min(len(group), 200)), 2):
            if _overlap(corners[first], corners[second]) > ALIKE:
                found.add("BOX109", Location(row=int(lines[second])), image_id, line=int(lines[first]))


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (x_min, y_min, x_max, y_max)."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return float(width * height / union)


def _judge_class_ids(frame: pd.DataFrame, placeholder: pd.Series, table: Table, profile: Profile, found: Collector) -> None:
    if not table.profile.has_role("class_id") or table.profile.by_role("class_id").name in table.absent:
        return
    column = table.profile.by_role("class_id").name
    expected = frame["class_name"].map(profile.labels.local_class_ids).astype(float)
    report_rows(found, "BOX111", frame[~placeholder & expected.notna() & (frame["class_id"] != expected)], profile, column)
    allowed = profile.labels.class_ids.placeholder
    numbers = [number for number in allowed if number is not None]
    right = frame["class_id"].isin(numbers) | (frame["class_id"].isna() if None in allowed else False)
    report_rows(found, "BOX111", frame[placeholder & ~right], profile, column)
