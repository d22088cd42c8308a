"""The evidence that judging is done on: the listing, one record an image, the tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from pedicxr_release.age import age_in_years

if TYPE_CHECKING:
    from pedicxr_release.candidate import Candidate
    from pedicxr_release.examine.record import ImageRecord
    from pedicxr_release.expectations import FrameName, Outcome
    from pedicxr_release.finding import Finding
    from pedicxr_release.profile import Profile
    from pedicxr_release.tables import Table


@dataclass
class Evidence:
    """All that is known of a candidate after its files have been read.

    Attributes
    ----------
    candidate
        What lies in the folder.
    records
        One a file in a split's folder.
    tables
        The declared tables that are there.
    strays
        What undeclared files were found to hold.
    outcomes
        What came of the Great Expectations suites.
    published
        Whether the profile's declared counts are a duty.
    """

    profile: Profile
    candidate: Candidate
    records: list[ImageRecord]
    tables: list[Table] = field(default_factory=list)
    strays: list[Finding] = field(default_factory=list)
    published: bool = False
    outcomes: list[Outcome] = field(default_factory=list)

    @cached_property
    def images(self) -> pd.DataFrame:
        """One row an image whose file name is an image id, indexed by it.

        Columns: path, split, size (bytes), rows, columns, sex, age (AS), size_m, weight_kg, transfer_syntax, photometric,
        bits_stored, smallest, largest, pixel_digest. An id that stands in two splits keeps its first row.
        """
        fields = ["path", "split", "size", "rows", "columns", "sex", "age", "size_m", "weight_kg", "transfer_syntax"]
        fields += ["photometric", "bits_stored", "smallest", "largest", "pixel_digest"]
        named = [record for record in self.records if record.image_id]
        index = pd.Index([record.image_id for record in named], name="image_id", dtype=object)
        frame = pd.DataFrame({name: pd.Series([getattr(r, name) for r in named], index=index) for name in fields}, index=index)
        for name in ("size", "rows", "columns", "size_m", "weight_kg", "bits_stored", "smallest", "largest"):
            frame[name] = pd.to_numeric(frame[name])
        repeated = frame.index.duplicated()
        return frame[~repeated] if repeated.any() else frame

    def of_kind(self, kind: str, split: str | None = None) -> list[Table]:
        """The tables of a kind (``boxes`` or ``labels``), all or those of one split."""
        return [t for t in self.tables if t.profile.kind == kind and split in (None, t.split)]

    def frames(self) -> dict[FrameName, pd.DataFrame]:
        """The frames that expectations are about: images, rows of the boxes tables, rows of the label tables, all splits."""
        images = self.images.drop(columns=["path", "pixel_digest"]).reset_index()
        images["age_years"] = pd.to_numeric(images["age"].map(lambda age: age_in_years(age) if isinstance(age, str) else None))
        frames: dict[FrameName, pd.DataFrame] = {"images": images.drop(columns="age")}
        kinds: tuple[FrameName, FrameName] = ("boxes", "labels")
        for kind in kinds:
            parts = [table.frame.assign(split=table.split) for table in self.of_kind(kind)]
            whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
            if kind == "boxes" and parts:
                placeholders = {table.profile.placeholder for table in self.of_kind(kind)}
                whole["placeholder"] = whole["class_name"].astype(str).isin(placeholders).astype("int8")
            frames[kind] = whole
        return frames
