"""The header against the profile: which of its elements must be there, with which VR, and what each value says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.uid import UID

from pedicxr_release.examine.value import MAXIMUM_BYTES, ValueReader
from pedicxr_release.finding import Location
from pedicxr_release.profile import tag_text

if TYPE_CHECKING:
    from pedicxr_release.examine.part10 import Element, Walk
    from pedicxr_release.examine.value import Value
    from pedicxr_release.finding import Collector
    from pedicxr_release.profile import AgeLimits, Attribute, DicomProfile


class HeaderReader:
    """Reads the retained attributes of one profile.

    Parameters
    ----------
    profile
        The profile's ``dicom.yaml``.
    age
        The profile's limits of age.
    """

    def __init__(self, profile: DicomProfile, age: AgeLimits) -> None:
        self._profile = profile
        self._values = [(attribute, ValueReader(attribute, age)) for attribute in profile.attributes]
        self._meta_values = {a.keyword: frozenset(map(str, a.values)) for a in profile.file_meta if a.values}

    # -- the file meta group -----------------------------------------------------------------------------------------

    def check_meta(self, walked: Walk, image_id: str | None, found: Collector) -> bool:
        """Check the file-meta elements; return whether the SOP Instance UID is the image id and not a valid UID."""
        present = {element.tag: element for element in walked.meta}
        published_form = False
        for attribute in self._profile.file_meta:
            element = present.get(attribute.tag)
            if element is None or element.length == 0:
                if attribute.required:
                    found.add("DCM207", _place(attribute))
                continue
            if element.vr not in attribute.vrs:
                found.add("DCM303", element.location, vr=element.vr, expected=attribute.vr)
            if attribute.vr != "UI":
                continue
            uid = _text(walked, element).rstrip("\0 ")
            if attribute.from_image_id:
                form = _form_of_image_id(uid, image_id)
                published_form |= form == "hex"
                if form not in attribute.from_image_id:
                    found.add("PHI103", element.location, vr="UI", length=element.length)
            elif attribute.values and uid not in self._meta_values[attribute.keyword]:
                found.add("DCM209", element.location)
        self._check_transfer_syntax(walked, present.get(0x00020010), found)
        return published_form

    def _check_transfer_syntax(self, walked: Walk, element: Element | None, found: Collector) -> None:
        if element is None or walked.transfer_syntax in self._profile.transfer_syntax_uids:
            return
        uid = UID(walked.transfer_syntax)
        known = uid.name if uid.is_transfer_syntax else "no transfer syntax of the standard"
        found.add("DCM112", element.location, known=known)

    # -- the data set ------------------------------------------------------------------------------------------------

    def read(self, walked: Walk, found: Collector) -> dict[str, tuple[Value, ...]]:
        """Return the values of the retained attributes that passed every check, by keyword."""
        present = {element.tag: element for element in reversed(walked.elements) if not element.way}
        accepted: dict[str, tuple[Value, ...]] = {}
        for attribute, reader in self._values:
            element = present.get(attribute.tag)
            if element is None:
                if attribute.required and walked.complete:
                    found.add("DCM301", _place(attribute))
            elif element.vr not in attribute.vrs:
                found.add("DCM303", element.location, vr=element.vr, expected=attribute.vr)
            elif element.length == 0:
                if attribute.required:
                    found.add("DCM302", element.location)
            elif attribute.keyword != "PixelData":
                data = walked.value(element, MAXIMUM_BYTES + 1)
                reading = reader.read(element.vr, data, big_endian=walked.big_endian)
                for code, facts in reading.troubles:
                    found.add(code, element.location, **facts)
                if reading.values:
                    accepted[attribute.keyword] = reading.values
        return accepted


def _text(walked: Walk, element: Element) -> str:
    return walked.value(element, MAXIMUM_BYTES).decode("latin-1")


def _place(attribute: Attribute) -> Location:
    return Location(tag=tag_text(attribute.tag), keyword=attribute.keyword)


def _form_of_image_id(uid: str, image_id: str | None) -> str:
    """How a UID was made from the image id: its hex digits themselves, or 2.25 and its number (PS3.5 section B.2)."""
    if not image_id:
        return "none"
    if uid == image_id:
        return "hex"
    try:
        return "uuid" if uid == f"2.25.{int(image_id, 16)}" else "none"
    except ValueError:
        return "none"
