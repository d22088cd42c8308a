"""What is remembered of one image file: small, and free of anything that identifies."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pedicxr_release.examine.part10 import ByteAccount
    from pedicxr_release.finding import Finding


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image file of a candidate.

    Attributes
    ----------
    path
        Relative to the dataset, with ``/``: what reports show.
    source
        The file to open; its name may be a person's.
    split
        The split whose folder it lies in.
    image_id
        Its name without the extension if that has the form of an image id.
    size
        In bytes, as the listing saw it.
    """

    path: str
    source: str = field(repr=False)
    split: str
    image_id: str | None
    size: int


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """The evidence from one image file.

    Attributes
    ----------
    path, split, image_id
        As in `ImageFile`.
    size
        Bytes read.
    sha256, pixel_digest
        Digest of the file, and of geometry and stored values (`PixelFacts`); None where not computed.
    rows, columns
        Of the image, where the header says so legally.
    sex, age
        CS and AS as they stand, where present, legal and within the profile's limits.
    size_m, weight_kg
        Patient's size and weight, likewise.
    transfer_syntax, photometric, bits_stored
        How the pixels are stored.
    smallest, largest
        Extremes of the stored values.
    published_form
        Whether Media Storage SOP Instance UID is the bare image id, which is no valid UID.
    mtime_ns, ctime_ns, inode
        Of the file that was read, to tell whether it is still the same.
    findings
        What only the bytes can show.
    account
        How many bytes of the file are what; for whoever looks into a single file.
    """

    path: str
    split: str
    image_id: str | None
    size: int
    sha256: bytes | None = None
    pixel_digest: bytes | None = None
    rows: int | None = None
    columns: int | None = None
    sex: str | None = None
    age: str | None = None
    size_m: float | None = None
    weight_kg: float | None = None
    transfer_syntax: str | None = None
    photometric: str | None = None
    bits_stored: int | None = None
    smallest: int | None = None
    largest: int | None = None
    published_form: bool = False
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    findings: tuple[Finding, ...] = ()
    account: ByteAccount | None = None

    def packed(self) -> Packed:
        """What is sent from a worker: all but the account, and what whoever gave it the file knows already."""
        return PACKED(self)

    @classmethod
    def unpacked(cls, file: ImageFile, packed: Packed) -> ImageRecord:
        """Put together again what a worker sent of a file. The texts are the file's own: a million paths stand there once."""
        return cls(file.path, file.split, file.image_id, *packed)


Packed = tuple[Any, ...]
PACKED = operator.attrgetter(*(field.name for field in fields(ImageRecord)[3:-1]))
