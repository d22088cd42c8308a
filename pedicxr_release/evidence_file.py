"""Evidence kept in a file, so that statistics need not read the images again.

One JSON object a line: first what the evidence belongs to, then one image record a line, without its findings. It holds the
retained values that Table 3 is made of (sex, age, size), which are published anyway, and nothing else of a header.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from pedicxr_release import __version__
from pedicxr_release.examine.record import ImageRecord
from pedicxr_release.source import reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pedicxr_release.evidence import Evidence
    from pedicxr_release.examine.record import ImageFile
    from pedicxr_release.profile import Profile

LEFT_OUT = frozenset({"findings", "account", "sha256", "pixel_digest", "mtime_ns", "ctime_ns", "inode"})


class EvidenceMisfitError(ValueError):
    """The file is no evidence, or of another profile, version or state of the dataset."""


class Belongs(BaseModel):
    """What a file of evidence belongs to."""

    model_config = ConfigDict(extra="forbid")

    evidence: int = 1
    tool_version: str
    profile_digest: str


def _row_model() -> type[BaseModel]:
    hints: dict[str, Any] = get_type_hints(ImageRecord, localns={"ByteAccount": object, "Finding": object})
    kept = {f.name: (hints[f.name], ...) for f in fields(ImageRecord) if f.name not in LEFT_OUT}
    return create_model("Row", __config__=ConfigDict(extra="forbid"), mtime_ns=(int, ...), **kept)  # type: ignore[call-overload, no-any-return]


def evidence_text(evidence: Evidence) -> str:
    """Write evidence as JSON lines."""
    times = {entry.shown: entry.mtime_ns for entry in evidence.candidate.entries}
    head = Belongs(tool_version=__version__, profile_digest=evidence.profile.digest)
    lines = [head.model_dump_json()]
    names = [f.name for f in fields(ImageRecord) if f.name not in LEFT_OUT]
    for record in evidence.records:
        row = {name: getattr(record, name) for name in names}
        lines.append(json.dumps({**row, "mtime_ns": times[record.path]}))
    return "\n".join(lines) + "\n"


def read_evidence(path: Path, profile: Profile, files: Sequence[ImageFile], times: dict[str, int]) -> list[ImageRecord]:
    """Read evidence back, if it fits the files as they are now.

    Parameters
    ----------
    path
        The file of evidence.
    profile
        Must have the digest that it was made with.
    files, times
        The images that are there now, and the time of each one's last change by path.

    Raises
    ------
    EvidenceMisfitError
        When it does not fit; the message says why.
    """
    try:
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        belongs = Belongs.model_validate_json(head)
        model = _row_model()
        read = [model.model_validate_json(row) for row in rows]
    except OSError as error:
        raise EvidenceMisfitError(reason(error)) from None
    except (ValueError, ValidationError):
        raise EvidenceMisfitError("it is no file of evidence") from None
    if belongs.tool_version != __version__ or belongs.profile_digest != profile.digest:
        raise EvidenceMisfitError("it was made by another version or with another profile")
    now = [(file.path, file.size, times[file.path]) for file in files]
    if now != [(row.path, row.size, row.mtime_ns) for row in read]:  # type: ignore[attr-defined]
        raise EvidenceMisfitError("the images have changed since")
    return [ImageRecord(**row.model_dump(exclude={"mtime_ns"})) for row in read]
