"""From rows of a table's frame to findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pedicxr_release.finding import Location

if TYPE_CHECKING:
    import pandas as pd

    from pedicxr_release.finding import Collector, Fact
    from pedicxr_release.profile import Profile


def readings(frame: pd.DataFrame, *, by_reader: bool) -> pd.Series:
    """Return what each row is a statement on: its image, or its image as read by its reader."""
    images = frame["image_id"].astype(object)
    return images + "\n" + frame["reader"].astype(object) if by_reader else images


def report_rows(
    found: Collector, code: str, rows: pd.DataFrame, profile: Profile, column: str | None = None, **facts: Fact
) -> None:
    """Add a finding for each row of a table's frame. An image id is repeated only if it has the form of one."""
    for line, image_id in zip(rows["line"], rows["image_id"], strict=True):
        found.add(code, Location(row=int(line), column=column), profile.known_id(image_id), **facts)
