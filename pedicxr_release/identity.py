"""Text that looks like a person's identity: which kind, where, how long. Never what it says.

Precision matters as much as recall: a gate that cries wolf is switched off. Each form is one that a clean release does
not contain, and the words of a language come from the profile's ``identity.yaml``.
"""

from __future__ import annotations

import csv
import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pedicxr_release.resources import data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pedicxr_release.profile import IdentityWords

_LETTER = r"[^\W\d_]"
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"

# Every repetition is bounded, or begins where none like it stands before it: the search is linear in any text.
FORMS: tuple[tuple[str, str], ...] = (
    ("person name with carets", rf"(?<!{_LETTER}){_LETTER}{{2,64}}(?:\^{{1,4}}{_LETTER}{{1,64}})+"),
    ("e-mail address", r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+"),
    ("web address", r"\b(?:https?|ftp)://\S+|\bwww\.\w{1,64}\.\w+\S*"),
    ("UID", r"(?<![\d.])(?:[0-2](?:\.(?:0|[1-9]\d*)){5,}|2\.25\.\d{20,39})(?![\d.]*\w)"),
    ("IP address", rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w.])"),
    ("date", rf"(?<![\w.]){_YEAR}([-/.]?){_MONTH}\1{_DAY}(?:[T ]?\d\d:?\d\d(?::?\d\d)?)?(?![\w.])"),
    ("date", rf"(?<![\w.])(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|1[0-2])[-/.]{_YEAR}(?![\w.])"),
    ("telephone number", r"(?<![\w.])(?:\+\d{1,3}[ .-]?|0)[1-9]\d{0,3}(?:[ .-]?\d{2,4}){2,4}(?![\w.])"),
    ("social security number", r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
    ("record number", r"(?<![\w.])[A-Z]{1,4}[-_ ]?\d{6,}(?![\w.])"),
    ("name in capitals", r"(?<![\w^-])[A-Z]{2,}(?:[ ,]+[A-Z]{2,})+(?![\w^-])"),
)


class Trace(NamedTuple):
    """One piece of text that looks like identity: its kind, start and length in characters."""

    kind: str
    start: int
    length: int


class IdentityText:
    """Finds identity in text, with the words of one profile.

    Parameters
    ----------
    words
        The profile's ``identity.yaml``.
    """

    def __init__(self, words: IdentityWords) -> None:
        forms = [(kind, re.compile(pattern)) for kind, pattern in FORMS]
        family, middle = _spellings(words.family_names), _spellings(words.middle_names)
        if family:
            # A given name follows the family name. A short family name without diacritics is also a word or a code, so
            # it counts only with two names behind it or with a middle name that marks it.
            sure = [name for name in family if len(name) > 3 or not name.isascii()]
            given = rf"(?:[ _-]+{_LETTER}{{1,7}})"
            marked = "|".join(middle) or r"(?!)"
            patterns = [
                rf"(?<!{_LETTER})(?:{'|'.join(sure)}){given}{{1,4}}(?!{_LETTER})",
                rf"(?<!{_LETTER})(?:{'|'.join(family)})[ _-]+(?:{marked}){given}{{1,3}}(?!{_LETTER})",
            ]
            forms += [("personal name", re.compile(pattern, re.IGNORECASE)) for pattern in patterns]
        if words.record_words:
            pattern = rf"(?<!\w)(?:{'|'.join(_spellings(words.record_words))})[ .:#=_-]{{0,4}}\w{{0,8}}\d{{3,}}"
            forms.append(("record number", re.compile(pattern, re.IGNORECASE)))
        if words.address_words:
            place = "|".join(_spellings(words.address_words))
            pattern = rf"(?<!\w)\d{{1,6}}[\w/]{{0,8}},? (?:{_LETTER}{{1,16}} ){{0,3}}(?:{place})(?!\w)"
            forms.append(("address", re.compile(pattern, re.IGNORECASE)))
        self._forms = forms

    def traces(self, text: str) -> list[Trace]:
        """Return the pieces of a text that look like identity, one for each stretch of it, first form first."""
        text = unicodedata.normalize("NFC", text)
        found: list[Trace] = []
        for kind, pattern in self._forms:
            for match in pattern.finditer(text):
                start, end = match.span()
                if all(end <= t.start or start >= t.start + t.length for t in found):
                    found.append(Trace(kind, start, end - start))
        return found

    def traces_in_bytes(self, data: bytes) -> list[Trace]:
        """The same for bytes of no known encoding: runs of UTF-8 or Latin text, also when each byte is followed by NUL."""
        found: list[Trace] = []
        for offset, text in _runs(data):
            found += [Trace(kind, offset + start, length) for kind, start, length in self.traces(text)]
        if not found and data.count(0) * 3 > len(data):
            found += [Trace(kind, 0, length) for kind, _, length in self.traces_in_bytes(data.replace(b"\0", b""))]
        return found


_RUN = re.compile(rb"[\x20-\x7e\x80-\xff]{4,}")


def _runs(data: bytes) -> Iterator[tuple[int, str]]:
    for match in _RUN.finditer(data):
        run = match.group()
        try:
            yield match.start(), run.decode("utf-8")
        except UnicodeDecodeError:
            yield match.start(), run.decode("latin-1")


def _spellings(words: Sequence[str]) -> list[str]:
    """Each word as written and without its diacritics, escaped, longest first."""
    both = {spelling for word in words for spelling in (unicodedata.normalize("NFC", word), without_diacritics(word))}
    return sorted((re.escape(word) for word in both), key=lambda word: (-len(word), word))


def without_diacritics(text: str) -> str:
    """Write a text in plain letters: ``Nguyễn`` as ``Nguyen``, ``Đỗ`` as ``Do``."""
    plain = unicodedata.normalize("NFD", text.replace("Đ", "D").replace("đ", "d"))
    return "".join(character for character in plain if not unicodedata.combining(character))


@dataclass(frozen=True, slots=True)
class IdentifyingAttribute:
    """One row of DICOM PS3.15 Table E.1-1, with the HIPAA category that we read it as."""

    keyword: str
    hipaa: str


@functools.cache
def identifying_attributes() -> Mapping[int, IdentifyingAttribute]:
    """Attributes that PS3.15 Table E.1-1 names as identifying, by tag number; repeating groups are left out.

    Source: ``checks/identity/ps3.15-table-e.1-1.csv``, edition 2026c.
    """
    with (data_folder("checks") / "identity" / "ps3.15-table-e.1-1.csv").open(newline="", encoding="utf-8") as file:
        return {
            int(row["tag"][1:5] + row["tag"][6:10], 16): IdentifyingAttribute(row["keyword"], row["hipaa"])
            for row in csv.DictReader(file)
            if "x" not in row["tag"]
        }
