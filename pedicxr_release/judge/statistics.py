"""Table 3 against the reference, cell by cell, and how many images carry an age and a sex."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pedicxr_release.finding import Finding
from pedicxr_release.stats.table3 import compute_table3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.evidence import Evidence
    from pedicxr_release.finding import Fact
    from pedicxr_release.profile import SplitReference
    from pedicxr_release.stats.table3 import Collection

DECIMALS = {"rows": 0, "columns": 0, "age_years": 2, "male_percent": 2, "female_percent": 2, "gigabytes": 1}
"""To how many decimals the paper prints a cell."""


def judge_statistics(evidence: Evidence) -> Iterator[Finding]:
    """Report each cell that differs from the reference, and the coverage of age and sex."""
    table = compute_table3(evidence)
    for split, collection in table.collection.items():
        if not collection.scans:
            continue
        yield Finding(
            "STA103",
            split,
            facts={"scans": collection.scans, "with_age": collection.with_age, "with_sex": collection.with_sex},
        )
        reference = evidence.profile.release.splits[split].reference
        if reference:
            yield from _collection_cells(split, collection, reference)
    for row in table.labels:
        for split, cell in row.cells.items():
            if cell.difference:
                facts: dict[str, Fact] = {
                    "cell": f"{row.number}. {row.name}",
                    "found": cell.count,
                    "reference": cell.reference or 0,
                }
                yield Finding("STA101", split, facts={**facts, "source": row.source or "the profile"})


def _collection_cells(split: str, collection: Collection, reference: SplitReference) -> Iterator[Finding]:
    for name, decimals in DECIMALS.items():
        found, expected = getattr(collection, name), getattr(reference, name)
        if found is None or round(found, decimals) != round(expected, decimals):
            facts: dict[str, Fact] = {
                "cell": name.replace("_", " "),
                "found": "none" if found is None else f"{found:.{decimals}f}",
            }
            yield Finding("STA101", split, facts={**facts, "reference": f"{expected:.{decimals}f}", "source": "paper"})
