"""Files and layout: what may lie in a candidate's folder, under which name."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from pedicxr_release.finding import Collector, Finding
from pedicxr_release.identity import IdentityText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.candidate import Candidate, Entry
    from pedicxr_release.evidence import Evidence
    from pedicxr_release.profile import Profile

PLATFORM_NAME = re.compile(r"\w+([\w\-.]*\w+)?", re.ASCII)
"""What PhysioNet accepts as a name (physionet-build, project/validators.py)."""
DEVICE_NAME = re.compile(r"(?:con|nul|aux|prn|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
PLAIN_XATTRS = frozenset({"user.xdg.origin.url", "user.xdg.referrer.url", "user.com.apple.metadata", "user.DOSATTRIB"})
LONGEST_NAME, LONGEST_PATH, LARGEST_FILE = 100, 256, 10 << 30

KINDS: tuple[tuple[str, str], ...] = (
    (
        r"(\._.*|\.DS_Store|Thumbs\.db|desktop\.ini|.*~|.*\.sw[op]|\.Trash.*|.*\.(bak|tmp|orig))",
        "a leftover of an editor or a system",
    ),
    (r"\..*", "a hidden file"),
    (r".*\.(zip|tar|t?gz|bz2|xz|7z|rar|zst|iso)", "an archive"),
    (r".*\.(ipynb|py|sh|r|m)", "a notebook or a program"),
    (
        r".*\.(csv|tsv|xlsx?|ods|json|parquet|sqlite|db|pkl|npz?)",
        "a table or other data that the profile does not name",
    ),
)
CROSSWALK = re.compile(
    r".*(encoded_?ids?|cross_?walk|id_?map(ping)?|mapping|uid_?map|link(ing)?_?(file|table|key)|(re)?ident|master_?(key|list)).*",
    re.IGNORECASE,
)


def judge_layout(evidence: Evidence) -> Iterator[Finding]:
    """Judge every name in the folder, and what is missing from it."""
    profile, candidate = evidence.profile, evidence.candidate
    for entry in candidate.entries:
        in_split = entry.parent in profile.release.splits
        found = Collector(entry.shown, profile.image_id_of(entry.name) if in_split else None)
        _judge_entry(entry, profile, found)
        yield from found.findings
    for shown, reason in candidate.unreadable:
        yield Finding("LAY113", shown, facts={"reason": reason})
    yield from _names_that_identify(candidate, profile)
    yield from _same_but_for_case(candidate)
    yield from _missing(candidate, profile)
    yield from _counts(evidence)


def _names_that_identify(candidate: Candidate, profile: Profile) -> Iterator[Finding]:
    """Search the names that are withheld from reports for text that looks like identity."""
    text = IdentityText(profile.identity)
    for entry in candidate.entries:
        if entry.shown.rpartition("/")[2] != entry.name:
            stem = entry.name.rpartition(".")[0] or entry.name
            for trace in text.traces(stem) or text.traces(stem.replace("_", " ")):
                yield Finding("PHI109", entry.shown, facts={"kind": trace.kind, "length": trace.length})


def _judge_entry(entry: Entry, profile: Profile, found: Collector) -> None:
    if entry.kind not in ("file", "folder"):
        found.add("LAY104", kind=entry.kind)
        return
    in_split = entry.parent in profile.release.splits
    if entry.kind == "folder":
        if entry.path not in profile.release.splits and entry.path not in profile.table_folders():
            found.add("LAY102")
    elif in_split:
        named_as_image = entry.name.endswith(profile.release.images.extension)
        if not found.image_id:
            code = "LAY107" if named_as_image or entry.name.lower().endswith((".dcm", ".dicom")) else "LAY101"
            found.add(code, kind=kind_of(entry.name))
    elif entry.path not in {*profile.table_files(), *profile.release.documents}:
        code = "LAY103" if CROSSWALK.fullmatch(entry.name) else "LAY101"
        found.add(code, kind=kind_of(entry.name))
    if entry.kind == "file":
        if entry.size == 0 and not in_split and entry.path not in profile.table_files():
            found.add("LAY105")
        if entry.size > LARGEST_FILE:
            found.add("LAY111", gib=entry.size >> 30)
    if reason := name_refused(entry.path):
        found.add("LAY106", reason=reason)
    if what := _would_travel(entry):
        found.add("LAY112", what=what)


def kind_of(name: str) -> str:
    """Say what sort of file a name belongs to."""
    return next((kind for pattern, kind in KINDS if re.fullmatch(pattern, name, re.IGNORECASE)), "a file")


def name_refused(path: str) -> str | None:
    """Why PhysioNet refuses a path's name; None if it accepts it."""
    name = path.rpartition("/")[2]
    if len(name) > LONGEST_NAME:
        return f"it is longer than {LONGEST_NAME} characters"
    if len(path) > LONGEST_PATH:
        return f"its path is longer than {LONGEST_PATH} characters"
    if DEVICE_NAME.fullmatch(name):
        return "it is the name of a device on Windows"
    if not PLATFORM_NAME.fullmatch(name):
        return "a name is made of letters, digits, '-', '_' and '.', and begins and ends with a letter, a digit or '_'"
    if ".." in name:
        return "it has two dots in a row"
    return None


def _would_travel(entry: Entry) -> str:
    """What else than its bytes a copy of the file would carry."""
    parts = []
    if entry.mode & 0o7000 and entry.kind == "file":
        parts.append("a set-user, set-group or sticky bit")
    if entry.mode & 0o111 and entry.kind == "file":
        parts.append("an executable bit")
    parts += [
        f"the extended attribute {name}" for name in entry.xattrs if name.partition(".")[0] == "user" and name in PLAIN_XATTRS
    ]
    others = sum(name.partition(".")[0] == "user" and name not in PLAIN_XATTRS for name in entry.xattrs)
    if others:
        parts.append(f"{others} extended attributes")
    return ", ".join(parts)


def _same_but_for_case(candidate: Candidate) -> Iterator[Finding]:
    once: set[int] = set()
    twice: set[int] = set()
    for entry in candidate.entries:
        folded = hash(entry.path.casefold())  # a number, not a path, for each of a million
        (twice if folded in once else once).add(folded)
    alike: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in candidate.entries:
        if twice and hash(entry.path.casefold()) in twice:
            alike[entry.path.casefold()].append(entry)
    for entries in alike.values():
        if len(entries) > 1:
            for entry in entries:
                yield Finding("LAY108", entry.shown)


def _missing(candidate: Candidate, profile: Profile) -> Iterator[Finding]:
    there = {entry.path: entry.kind for entry in candidate.entries}
    for split in profile.release.splits:
        if there.get(split) != "folder":
            yield Finding("LAY109", split, facts={"kind": "folder"})
    for file in profile.table_files():
        if file not in there:
            yield Finding("LAY109", file, facts={"kind": "table"})


def _counts(evidence: Evidence) -> Iterator[Finding]:
    if not evidence.records:
        yield Finding("LAY114")
    for split, declared in evidence.profile.release.splits.items():
        found = sum(1 for record in evidence.records if record.split == split)
        if found != declared.images:
            yield Finding("LAY110", split, facts={"found": found, "declared": declared.images})
