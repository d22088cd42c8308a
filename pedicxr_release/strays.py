"""Files that are neither image nor table, and whether they hold the crosswalk from image ids to the hospital's identifiers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pedicxr_release.finding import Collector, Location
from pedicxr_release.identity import IdentityText
from pedicxr_release.source import reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.candidate import Candidate
    from pedicxr_release.finding import Finding
    from pedicxr_release.profile import Profile

SCANNED_BYTES = 1 << 20
"""How much of an undeclared file is read; it is refused whatever it says. A document is read whole."""


def scan_strays(candidate: Candidate, profile: Profile) -> Iterator[Finding]:
    """Report each file, undeclared or a document, in which an image id stands beside text that looks like identity."""
    tables, documents = profile.table_files(), profile.release.documents
    text = IdentityText(profile.identity)
    image_id = re.compile(rf"(?<![0-9A-Za-z])(?:{profile.release.images.id_pattern})(?![0-9A-Za-z])", re.ASCII)
    for entry in candidate.entries:
        image = entry.parent in profile.release.splits and entry.name.endswith(profile.release.images.extension)
        if entry.kind != "file" or entry.path in tables or image:
            continue
        found = Collector(entry.shown)
        try:
            with candidate.folder.open(entry.path) as file:
                content = file.read() if entry.path in documents else file.read(SCANNED_BYTES)
        except OSError as error:
            found.add("LAY113", reason=reason(error))
        else:
            if content[128:132] == b"DICM":
                continue  # an image under another name: examined as one where it lies in a split
            _scan(content.decode("utf-8", "replace"), image_id, text, found)
        yield from found.findings


def _scan(content: str, image_id: re.Pattern[str], text: IdentityText, found: Collector) -> None:
    for number, line in enumerate(content.splitlines(), start=1):
        if image_id.search(line):
            traces = text.traces(image_id.sub(" ", line[:4096]))
            if traces:
                found.add("PHI112", Location(row=number), kind=traces[0].kind)
                return
