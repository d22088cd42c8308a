"""Metadata that others read: `croissant.json` (MLCommons Croissant 1.0) and `subject-info.csv` (PhysioNet)."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

from pedicxr_release.package.checksums import sums_text
from pedicxr_release.resources import data_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pedicxr_release.profile import Column, Profile
    from pedicxr_release.validation import Report

TYPES = {"string": "sc:Text", "number": "sc:Float", "integer": "sc:Float"}
"""An integer that may be absent is read as a float by Croissant's readers."""


def croissant_text(report: Report, digests: Mapping[str, bytes], sizes: Mapping[str, int]) -> str:
    """Write the Croissant description: the tables as files, the images of each split as a file set, a record set a table.

    Parameters
    ----------
    report
        Gives profile and tables.
    digests, sizes
        Of every file that is described.

    Source: Croissant 1.0, https://docs.mlcommons.org/croissant/docs/croissant-spec.html.
    """
    profile = report.profile
    release = profile.release
    distribution: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for table in report.evidence.tables:
        distribution.append(
            {
                "@type": "cr:FileObject",
                "@id": table.file,
                "name": table.file,
                "contentUrl": table.file,
                "contentSize": f"{sizes[table.file]} B",
                "encodingFormat": "text/csv",
                "sha256": digests[table.file].hex(),
            }
        )
        columns: list[Column | str] = [*table.profile.columns, *table.labels]
        name = table.file.removesuffix(".csv")
        fields = [_field(column, name, table.file) for column in columns]
        records.append(
            {
                "@type": "cr:RecordSet",
                "@id": name,
                "name": name,
                "description": _about(table.profile.kind, table.split),
                "field": fields,
            }
        )
    for split in release.splits:
        distribution.append(
            {
                "@type": "cr:FileObject",
                "@id": f"{split}-folder",
                "name": f"{split}-folder",
                "contentUrl": f"{split}/",
                "description": f"Folder of the images of the split {split}.",
                "encodingFormat": "application/x-directory",
                "sha256": _folder_digest(split, digests),
            }
        )
        distribution.append(
            {
                "@type": "cr:FileSet",
                "@id": f"{split}-images",
                "name": f"{split}-images",
                "containedIn": {"@id": f"{split}-folder"},
                "encodingFormat": "application/dicom",
                "includes": f"{split}/*{release.images.extension}",
            }
        )
    records.append(_splits(profile))
    described: dict[str, Any] = {
        "@context": json.loads((data_folder("reports") / "croissant-context.json").read_text(encoding="utf-8")),
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": release.name,
        "description": release.description,
        "version": release.version,
        "license": release.license.url or release.license.name,
        "url": release.url or "",
        "citeAs": release.citation,
        "creator": [{"@type": "sc:Person", "name": author} for author in release.authors],
        "isLiveDataset": False,
        **{f"rai:{key}": value for key, value in release.responsible_ai.items()},
        "distribution": distribution,
        "recordSet": records,
    }
    if release.date_published:
        described["datePublished"] = release.date_published
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _field(column: Column | str, record_set: str, file: str) -> dict[str, Any]:
    name, kind = (column, "sc:Integer") if isinstance(column, str) else (column.name, TYPES[column.type])
    described = {"@type": "cr:Field", "@id": f"{record_set}/{'_'.join(name.split())}", "name": name, "dataType": kind}
    return {**described, "source": {"fileObject": {"@id": file}, "extract": {"column": name}}}


def _about(kind: str, split: str) -> str:
    return f"{'Bounding boxes' if kind == 'boxes' else 'Image-level labels'} of the split {split}."


def _splits(profile: Profile) -> dict[str, Any]:
    rows = [{"splits/name": split, "splits/images": declared.images} for split, declared in profile.release.splits.items()]
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits and their numbers of images.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": "splits/images", "name": "images", "dataType": "sc:Integer"},
        ],
        "data": rows,
    }


def _folder_digest(split: str, digests: Mapping[str, bytes]) -> str:
    """SHA-256 over the sums of a folder's files."""
    inside = {path: digest for path, digest in digests.items() if path.startswith(f"{split}/")}
    return hashlib.sha256(sums_text(inside).encode()).hexdigest()


def subject_info_text(report: Report) -> str:
    """Write PhysioNet's `subject-info.csv`: image, split, and the subject's age (AS) and sex where the image carries them."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["image_id", "split", "age", "gender"])
    records = sorted((record for record in report.evidence.records if record.image_id), key=lambda record: record.path)
    out.writerows([record.image_id, record.split, record.age or "", record.sex or ""] for record in records)
    return text.getvalue()
