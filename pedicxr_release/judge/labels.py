"""Image-level labels, and their agreement with the boxes and with the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pedicxr_release.finding import TABLE_LIMIT, Collector, Finding, Location
from pedicxr_release.judge.rows import readings, report_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.evidence import Evidence
    from pedicxr_release.profile import Profile
    from pedicxr_release.tables import Table


def judge_labels(evidence: Evidence) -> Iterator[Finding]:
    """Judge every label table, and images against tables in each split."""
    for table in evidence.of_kind("labels"):
        if table.frame.empty:
            continue
        found = Collector(table.file, limit=TABLE_LIMIT)
        _judge_rules(table, evidence.profile, found)
        _judge_against_boxes(table, evidence, found)
        yield from found.findings
    for split in evidence.profile.release.splits:
        yield from _judge_images(split, evidence)


def _judge_rules(table: Table, profile: Profile, found: Collector) -> None:
    """Rules within one row: the labelling tool was to prevent these (paper, Technical Validation)."""
    frame, labels = table.frame, profile.labels
    read = readings(frame, by_reader=profile.read_independently(table.split))
    report_rows(found, "LAB103", frame[read.duplicated()], profile, table.profile.by_role("image_id").name)
    global_ = [label.name for label in labels.global_ if label.name in table.labels]
    local = [label.name for label in labels.local if label.name in table.labels]
    if labels.no_finding not in global_:
        return
    none = frame[labels.no_finding] == 1
    others = [name for name in global_ if name != labels.no_finding] + local
    report_rows(found, "LAB109", frame[none & (frame[others] == 1).any(axis=1)], profile, labels.no_finding)
    report_rows(found, "LAB108", frame[(frame[global_] == 0).all(axis=1)], profile)


def _judge_against_boxes(table: Table, evidence: Evidence, found: Collector) -> None:
    profile, frame = evidence.profile, table.frame
    boxes_tables = [t for t in evidence.of_kind("boxes", table.split) if not t.frame.empty]
    if not boxes_tables:
        return
    rows = pd.concat([t.frame[["image_id", "class_name", "reader"]].astype(object) for t in boxes_tables])
    local_names = {label.name for label in profile.labels.local}
    boxes = rows[rows["class_name"].isin(local_names)]
    by_reader = profile.read_independently(table.split)
    boxes = boxes.assign(reading=readings(boxes, by_reader=by_reader))
    read = readings(frame, by_reader=by_reader)
    if profile.labels.no_finding in table.labels:
        positive = frame[profile.labels.no_finding] == 1
        with_boxes = read.isin(boxes["reading"].unique())
        report_rows(found, "LAB110", frame[positive & with_boxes], profile, profile.labels.no_finding)
    drawn = boxes.groupby("class_name")["reading"] if len(boxes) else None
    for name in sorted(local_names & set(table.labels)):
        has_box = read.isin(drawn.get_group(name).unique() if drawn is not None and name in drawn.groups else [])
        report_rows(found, "LAB111", frame[(frame[name] == 1) & ~has_box], profile, name, said="1", boxes="no box")
        report_rows(found, "LAB111", frame[(frame[name] == 0) & has_box], profile, name, said="0", boxes="a box")
    if not any(t.profile.consensus for t in [table, *boxes_tables]):
        _judge_readers(table, rows[["image_id", "reader"]].drop_duplicates(), evidence, found)


def _judge_readers(table: Table, in_boxes: pd.DataFrame, evidence: Evidence, found: Collector) -> None:
    """An image's readers are the same in both tables, and as many as the profile says."""
    profile, frame = evidence.profile, table.frame
    column = table.profile.by_role("reader").name
    in_labels = frame[["image_id", "reader"]].astype(object).drop_duplicates()
    compared = in_labels.merge(in_boxes, how="outer", indicator=True)
    unlike = compared.loc[compared["_merge"] != "both", "image_id"]
    in_both = unlike[unlike.isin(in_labels["image_id"]) & unlike.isin(in_boxes["image_id"])]
    report_rows(found, "LAB112", frame[frame["image_id"].isin(in_both.unique())], profile, column)
    allowed = profile.release.splits[table.split].readers_per_image
    counts = pd.concat([pairs["image_id"].value_counts() for pairs in (in_labels, in_boxes)])
    most = counts[counts > allowed].groupby(level=0).max()
    crowded = frame[frame["image_id"].isin(most.index) & ~frame.duplicated("image_id")]
    for line, image_id in zip(crowded["line"], crowded["image_id"], strict=True):
        place, known = Location(row=int(line), column=column), profile.known_id(image_id)
        found.add("LAB113", place, known, count=int(most[image_id]), allowed=allowed)
    seen = in_labels["image_id"].value_counts()
    lonely = frame[frame["image_id"].isin(seen[seen < allowed].index) & ~frame.duplicated("image_id")]
    for line, image_id in zip(lonely["line"], lonely["image_id"], strict=True):
        place, known = Location(row=int(line), column=column), profile.known_id(image_id)
        found.add("LAB114", place, known, count=int(seen[image_id]), wanted=allowed)


def _judge_images(split: str, evidence: Evidence) -> Iterator[Finding]:
    """Every image has labels and an annotation row; every row has its image."""
    profile = evidence.profile
    records = {record.image_id: record.path for record in evidence.records if record.split == split and record.image_id}
    for kind, lacking, stray in (("labels", "LAB104", "LAB105"), ("boxes", "LAB107", "LAB106")):
        for table in evidence.of_kind(kind, split):
            listed = set(table.frame["image_id"].unique())
            if table.readable:
                for image_id, path in records.items():
                    if image_id not in listed:
                        yield Finding(lacking, path, facts={"table": table.file}, image_id=image_id)
            found = Collector(table.file, limit=TABLE_LIMIT)
            absent = table.frame[~table.frame["image_id"].isin(list(records))]
            first = absent[~absent.duplicated("image_id")] if kind == "boxes" else absent
            report_rows(found, stray, first, profile, table.profile.by_role("image_id").name)
            yield from found.findings
