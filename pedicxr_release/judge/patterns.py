"""The one mistake behind many bad rows: one finding says what happened, before the rows that show it.

Each hypothesis undoes a mistake. If many boxes are impossible as they stand and nearly all are possible once the mistake is
undone, the hypothesis is the explanation. Three bad rows are three bad rows.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pedicxr_release.finding import Collector, Location
from pedicxr_release.profile import CORNERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from pedicxr_release.evidence import Evidence
    from pedicxr_release.finding import Fact, Finding
    from pedicxr_release.profile import ColumnRole, Profile
    from pedicxr_release.tables import Table

    Corners = NDArray[np.float64]
    """Boxes × (x_min, y_min, x_max, y_max), in pixels."""
    Bounds = NDArray[np.float64]
    """Boxes × (columns, rows) of their images."""

FEWEST, SHARE, EXPLAINED = 5, 0.05, 0.98
"""A pattern shows in at least five rows and 5 % of them, and explains 98 %."""
ENOUGH_BOXES, REACH = 30, 0.6
"""In so many boxes one at least reaches beyond 60 % of its image; if none does, the coordinates are too small."""
FACTORS = (1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 16, 20, 32, 64, 100)


class Hypothesis(NamedTuple):
    """A mistake: the check that names it, what to say, and what undoes it."""

    code: str
    facts: dict[str, Fact]
    undo: Callable[[Corners, Bounds], Corners]


def judge_patterns(evidence: Evidence) -> Iterator[Finding]:
    """Name the pattern behind many bad rows of a boxes table."""
    for table in evidence.of_kind("boxes"):
        found = Collector(table.file)
        if len(table.frame) >= FEWEST:
            _judge_corners(table, evidence, found)
            _judge_class_ids(table, evidence.profile, found)
        yield from found.findings
    for table in evidence.tables:
        found = Collector(table.file)
        if len(table.frame) >= FEWEST:
            _judge_text_columns(table, evidence.profile, found)
        yield from found.findings


# -- coordinates ---------------------------------------------------------------------------------------------------------


def possible(corners: Corners, bounds: Bounds) -> NDArray[np.bool_]:
    """Which boxes lie within their images with each minimum below its maximum."""
    low, high = corners[:, :2], corners[:, 2:]
    return np.asarray(((low >= 0) & (low < high) & (high <= bounds)).all(axis=1))


def _judge_corners(table: Table, evidence: Evidence, found: Collector) -> None:
    boxes = table.frame[~table.frame["class_name"].isin([table.profile.placeholder])]
    bounds = np.column_stack([boxes["image_id"].map(evidence.images[side]).astype(float) for side in ("columns", "rows")])
    corners = boxes[list(CORNERS)].to_numpy(dtype=float)
    known = np.isfinite(corners).all(axis=1) & np.isfinite(bounds).all(axis=1)
    corners, bounds = corners[known], bounds[known]
    if len(corners) < FEWEST:
        return
    fits = possible(corners, bounds)
    bad = int((~fits).sum())
    if bad < max(FEWEST, SHARE * len(corners)):
        _judge_smallness(corners, bounds, found)
        return
    names = [table.profile.by_role(corner).name for corner in CORNERS]
    best, best_share = None, float(fits.mean())
    for hypothesis in _hypotheses(corners, bounds, names):
        share = float(possible(hypothesis.undo(corners, bounds), bounds).mean())
        if share >= EXPLAINED and share > best_share:
            best, best_share = hypothesis, share
    if best:
        found.add(best.code, count=bad, boxes=len(corners), **best.facts)


def _hypotheses(corners: Corners, bounds: Bounds, names: list[str]) -> Iterator[Hypothesis]:
    """Every mistake that is tried, the simplest first: a later one must explain more."""
    for first, second in combinations(range(4), 2):
        yield Hypothesis("BOX207", {"first": names[first], "second": names[second]}, _exchange(first, second))
    yield Hypothesis("BOX201", {}, lambda c, _: c[:, [1, 0, 3, 2]])
    yield Hypothesis("BOX204", {}, lambda c, _: np.column_stack([c[:, 0], c[:, 1], c[:, 0] + c[:, 2], c[:, 1] + c[:, 3]]))
    yield Hypothesis("BOX207", {"first": "the lower corner", "second": "the upper"}, lambda c, _: c[:, [2, 3, 0, 1]])
    for column in range(4):
        for rows in (-1, 1):
            direction = "down" if rows == -1 else "up"
            yield Hypothesis("BOX206", {"column": names[column], "direction": direction}, _shift(column, rows))
    reach = float((corners[:, 2:] / bounds).max())
    factor = next((factor for factor in FACTORS if factor >= reach), None)
    if factor and reach > 1:
        yield Hypothesis("BOX202", {"factor": f"{factor:g}", "direction": "larger"}, lambda c, _: c / factor)


def _exchange(first: int, second: int) -> Callable[[Corners, Bounds], Corners]:
    order = list(range(4))
    order[first], order[second] = second, first
    return lambda corners, _: corners[:, order]


def _shift(column: int, rows: int) -> Callable[[Corners, Bounds], Corners]:
    def undo(corners: Corners, _: Bounds) -> Corners:
        shifted = corners.copy()
        shifted[:, column] = np.roll(corners[:, column], rows)
        return shifted

    return undo


def _judge_smallness(corners: Corners, bounds: Bounds, found: Collector) -> None:
    """Find coordinates that are all possible and all too small: fractions, or those of a smaller copy of the image."""
    reach = float((corners[:, 2:] / bounds).max())
    if len(corners) < ENOUGH_BOXES or reach > REACH:
        return
    if corners.max() <= 1:
        found.add("BOX203", boxes=len(corners))
        return
    factor = max((factor for factor in FACTORS if reach * factor <= 1), default=1)
    if factor > 1:
        found.add("BOX202", count=len(corners), boxes=len(corners), factor=f"{factor:g}", direction="smaller")


# -- class ids -----------------------------------------------------------------------------------------------------------


def _judge_class_ids(table: Table, profile: Profile, found: Collector) -> None:
    if not table.profile.has_role("class_id") or table.profile.by_role("class_id").name in table.absent:
        return
    column = table.profile.by_role("class_id").name
    expected = table.frame["class_name"].map(profile.labels.local_class_ids).astype(float)
    boxes = table.frame[expected.notna() & table.frame["class_id"].notna()]
    expected = expected[boxes.index]
    difference = boxes["class_id"] - expected
    wrong = int((difference != 0).sum())
    if wrong < max(FEWEST, SHARE * len(boxes)):
        return
    most = float(difference.mode().iloc[0])
    if most and (difference == most).mean() >= EXPLAINED:
        found.add(
            "BOX205",
            Location(column=column),
            count=wrong,
            difference=f"{most:+g}",
            first=f"{profile.labels.class_ids.first + most:g}",
        )
        return
    ids = boxes["class_id"].to_numpy()
    for rows, direction in ((-1, "down"), (1, "up")):
        if (np.roll(ids, rows) == expected.to_numpy()).mean() >= EXPLAINED:
            found.add("BOX206", column=column, direction=direction, count=wrong, boxes=len(boxes))
            return


# -- text columns --------------------------------------------------------------------------------------------------------


def _judge_text_columns(table: Table, profile: Profile, found: Collector) -> None:
    """Find two text columns whose cells are legal in each other's place."""
    labels = {label.name for label in profile.labels.local + profile.labels.global_} | {str(table.profile.placeholder)}
    legal: dict[ColumnRole, Callable[[str], bool]] = {
        "image_id": lambda cell: bool(profile.image_id_regex.match(cell)),
        "reader": lambda cell: bool(profile.reader_regex.match(cell)),
        "class_name": labels.__contains__,
    }
    roles = [role for role in legal if role in table.frame]
    for first, second in combinations(roles, 2):
        crossed = [(first, second), (second, first)]
        if all(_share(table.frame[column], legal[other]) >= EXPLAINED for column, other in crossed) and not any(
            _share(table.frame[column], legal[column]) > SHARE for column in (first, second)
        ):
            names = [table.profile.by_role(role).name for role in (first, second)]
            found.add("BOX207", first=names[0], second=names[1], count=len(table.frame), boxes=len(table.frame))


def _share(cells: pd.Series, accepts: Callable[[str], bool]) -> float:
    accepted = np.fromiter(map(accepts, cells.cat.categories), dtype=bool, count=len(cells.cat.categories))
    return float(accepted[cells.cat.codes.to_numpy()].mean()) if len(cells) else 0.0
