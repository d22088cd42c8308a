"""What lies in a release candidate's folder. Lists it once; opens no file and follows no link."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pedicxr_release.examine.record import ImageFile
from pedicxr_release.resources import data_folder
from pedicxr_release.source import reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.profile import Profile
    from pedicxr_release.source import Folder, Kind


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in the folder.

    Attributes
    ----------
    path
        Relative to the dataset with ``/``, as it is. Only for opening the file.
    shown
        The same as reports may show it: names that could be a person's are withheld (see `shown_name`).
    kind, size, mode, mtime_ns, ctime_ns, inode
        From `lstat`.
    xattrs
        Names of its extended attributes.
    """

    path: str
    shown: str
    kind: Kind
    size: int
    mode: int
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    xattrs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """The path of the folder it lies in; empty for the root."""
        return self.path.rpartition("/")[0]


@dataclass(slots=True)
class Candidate:
    """A release candidate: its folder and all names below it, in byte order.

    Attributes
    ----------
    folder
        Where it lies.
    entries
        Everything below it.
    unreadable
        Folders that could not be listed: shown path and reason.
    """

    folder: Folder
    entries: list[Entry] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def images(self, profile: Profile) -> list[ImageFile]:
        """The regular files directly in a split's folder: each is examined as an image, whatever its name."""
        return [
            ImageFile(
                entry.shown,
                self.folder.locate(entry.path),
                entry.parent,
                profile.image_id_of(entry.name),
                entry.size,
            )
            for entry in self.entries
            if entry.kind == "file" and entry.parent in profile.release.splits
        ]


def list_candidate(folder: Folder, profile: Profile) -> Candidate:
    """List a dataset's folder."""
    declared = {*profile.release.splits, *profile.table_folders(), *profile.table_files(), *profile.release.documents}
    candidate = Candidate(folder)
    candidate.entries.extend(_below(candidate, "", "", declared, profile))
    return candidate


def _below(candidate: Candidate, parent: str, parent_shown: str, declared: set[str], profile: Profile) -> Iterator[Entry]:
    try:
        children = candidate.folder.children(parent.rstrip("/"))
    except OSError as error:
        candidate.unreadable.append((parent_shown.rstrip("/"), reason(error)))
        return
    children.sort(key=lambda child: os.fsencode(child.name), reverse=True)
    for position in range(1, len(children) + 1):
        child = children.pop()  # of a million, half are gone when the other half has become entries
        name = child.name
        path = parent + name
        known = path in declared or profile.image_id_of(name) is not None
        shown = parent_shown + (name if known else shown_name(name, position))
        yield Entry(path, path if shown == path else shown, *child[1:])  # a million paths stand there once
        if child.kind == "folder":
            yield from _below(candidate, path + "/", shown + "/", declared, profile)


@functools.cache
def plain_words() -> frozenset[str]:
    """Words that a file name may be made of and still be shown: none of them names a person."""
    text = (data_folder("checks") / "identity" / "plain-words.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def shown_name(name: str, position: int) -> str:
    """Write a file name as a report may show it.

    A name made of plain words, short numbers and hexadecimal digests is shown. Any other could be a person's name, a
    record number or a date, as exports from a hospital's archive often are; it is replaced by its place in the folder,
    counted from 1 in byte order (as ``LC_ALL=C ls -A`` lists it), and its length.
    """
    parts = [part for part in re.split(r"[^0-9A-Za-z]+", name) if part]
    if name.isascii() and name.isprintable() and len(name) <= 100 and all(_is_plain(part) for part in parts):
        return name
    stem, dot, suffix = name.rpartition(".")
    extension = dot + suffix if stem and suffix.lower() in plain_words() else ""
    return f"(name withheld, entry {position}, {len(name)} characters){extension}"


def _is_plain(part: str) -> bool:
    word = re.sub(r"\d{1,4}\Z", "", part.lower())
    return word in plain_words() or not word or re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", part) is not None
