"""The README that PhysioNet's reviewers ask for, from ``reports/README.md.j2``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pedicxr_release.report.table3 import table3_markdown
from pedicxr_release.report.templates import environment
from pedicxr_release.report.text import human_size

if TYPE_CHECKING:
    from pedicxr_release.validation import Report

MEANINGS = {
    "image_id": "identifier of the image: the name of its file without the extension",
    "reader": "pseudonym of the radiologist",
    "class_name": "name of the local label",
    "class_id": "number of the local label",
    "x_min": "left side of the box",
    "y_min": "upper side of the box",
    "x_max": "right side of the box",
    "y_max": "lower side of the box",
    "other": "see the paper",
}


def readme_text(report: Report) -> str:
    """Write the README of a package: title, description, contents, columns, labels, characteristics, licence, citation."""
    profile, evidence = report.profile, report.evidence
    contents = []
    for split in profile.release.splits:
        records = [record for record in evidence.records if record.split == split]
        size = human_size(sum(record.size for record in records))
        contents.append({"path": f"{split}/", "what": f"images of the split {split}", "files": len(records), "size": size})
    for table in evidence.tables:
        kind = "bounding boxes" if table.profile.kind == "boxes" else "image-level labels"
        contents.append(
            {
                "path": table.file,
                "what": f"{kind} of the split {table.split}",
                "files": 1,
                "size": human_size(table.size),
            }
        )
    files: dict[str, list[str]] = {name: [] for name in profile.tables}
    for file, (_, name) in profile.table_files().items():
        files[name].append(file)
    return (
        environment()
        .get_template("README.md.j2")
        .render(
            release=profile.release,
            contents=contents,
            tables=profile.tables,
            files=files,
            labels=profile.labels,
            meanings=MEANINGS,
            table3=table3_markdown(report.table3),
        )
    )
