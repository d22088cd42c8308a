"""Splits and leaks: an image, or its pixels, under one id and in one split only."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pedicxr_release.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.evidence import Evidence
    from pedicxr_release.examine.record import ImageRecord
    from pedicxr_release.finding import Fact

EXPECTED_ELSEWHERE = 4
"""How many images of a reader chance must be expected to have put into other splits before their absence is remarked on."""


def judge_splits(evidence: Evidence) -> Iterator[Finding]:
    """Judge ids and pixels across the whole candidate."""
    by_id: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    by_pixels: defaultdict[bytes, list[ImageRecord]] = defaultdict(list)
    for record in evidence.records:
        if record.image_id:
            by_id[record.image_id].append(record)
        if record.pixel_digest:
            by_pixels[record.pixel_digest].append(record)
    for records in by_id.values():
        for record in records[1:]:
            yield Finding("SPL101", record.path, facts={"other": records[0].path}, image_id=record.image_id)
    for records in by_pixels.values():
        first = records[0]
        for record in records[1:]:
            if record.image_id and record.image_id == first.image_id:
                continue
            code = "SPL103" if record.split == first.split else "SPL102"
            yield Finding(code, record.path, facts={"other": first.path}, image_id=record.image_id)
    yield from _one_sided_readers(evidence)
    forms = [record for record in evidence.records if record.published_form]
    if forms:
        yield Finding("DCM308", facts={"count": len(forms)})


def _one_sided_readers(evidence: Evidence) -> Iterator[Finding]:
    """Readers with images in one split only, where chance would have given them some in another."""
    tables = [table for table in evidence.of_kind("labels") if not table.frame.empty and not table.profile.consensus]
    rows = {table.split: len(table.frame) for table in tables}
    counts = {table.split: table.frame["reader"].astype(str).value_counts() for table in tables}
    for table in tables:
        others = sum(rows.values()) - rows[table.split]
        for reader, count in sorted(counts[table.split].items()):
            elsewhere = any(reader in counts[split] for split in rows if split != table.split)
            expected = count * others / rows[table.split]
            if not elsewhere and expected >= EXPECTED_ELSEWHERE and evidence.profile.reader_regex.match(str(reader)):
                facts: dict[str, Fact] = {"reader": str(reader), "split": table.split, "count": int(count)}
                yield Finding("SPL104", table.file, facts=facts)
