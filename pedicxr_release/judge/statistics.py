"""Table 3 against the reference, cell by cell, and how many images carry an age and a sex."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pedicxr_release.finding import Finding
from pedicxr_release.stats.table3 import compute_table3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.evidence import Evidence
    from pedicxr_release.finding import Fact
    from pedicxr_release.stats.table3 import ComparedCell


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
        for compared in collection.compared():
            if compared.name != "scans" and not compared.equal:
                yield Finding("STA101", split, facts=_facts(compared))
    for row in table.labels:
        for split, cell in row.cells.items():
            if cell.difference:
                facts: dict[str, Fact] = {
                    "cell": f"{row.number}. {row.name}",
                    "found": cell.count,
                    "reference": cell.reference or 0,
                }
                yield Finding("STA101", split, facts={**facts, "source": row.source or "the profile"})


def _facts(cell: ComparedCell) -> dict[str, Fact]:
    found = "none" if cell.found is None else f"{cell.found:.{cell.decimals}f}"
    reference = f"{cell.reference:.{cell.decimals}f}"
    return {"cell": cell.name.replace("_", " "), "found": found, "reference": reference, "source": "paper"}
