"""The retained attributes: decoded, checked against their VR by pydicom, and against the profile by a pydantic model.

The model is built once from ``dicom.yaml``. Of a validation error only its kind is used, never its input.
"""

from __future__ import annotations

import functools
import struct
import warnings
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydicom import config as pydicom_config
from pydicom.uid import UID
from pydicom.valuerep import validate_value

from pedicxr_release.age import age_in_years
from pedicxr_release.finding import Location
from pedicxr_release.profile import tag_text

if TYPE_CHECKING:
    from pedicxr_release.examine.part10 import Element, Walk
    from pedicxr_release.finding import Collector
    from pedicxr_release.profile import AgeLimits, Attribute, DicomProfile

Value = str | int | float
NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
TEXT_VRS = frozenset({"AS", "CS", "DS", "IS", "LO", "LT", "SH", "ST", "UC", "UI", "UR", "UT", "AE", "PN", "DA", "TM", "DT"})
ONE_VALUE_VRS = frozenset({"LT", "ST", "UR", "UT"})
MAXIMUM_TEXT = 64 << 10
REFUSALS = {
    "greater_than_equal": "it is below the smallest value allowed",
    "less_than_equal": "it is above the largest value allowed",
    "literal_error": "it is not one of the values allowed",
    "finite_number": "it is not a finite number",
}


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
        self._age = age
        self._model = header_model(profile.attributes)
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
        raw: dict[str, tuple[Value, ...]] = {}
        for attribute in self._profile.attributes:
            element = present.get(attribute.tag)
            if element is None:
                if attribute.required and walked.complete:
                    found.add("DCM301", _place(attribute))
                continue
            if element.vr not in attribute.vrs:
                found.add("DCM303", element.location, vr=element.vr, expected=attribute.vr)
                continue
            if element.length == 0:
                if attribute.required:
                    found.add("DCM302", element.location)
                continue
            if attribute.keyword == "PixelData":
                continue
            values = self._decode(walked, element, attribute, found)
            if values is not None:
                raw[attribute.keyword] = values
        accepted = self._accept(raw, present, found)
        self._check_age(accepted, present, found)
        return accepted

    def _decode(self, walked: Walk, element: Element, attribute: Attribute, found: Collector) -> tuple[Value, ...] | None:
        """Decode a value; None, with a finding, if it is not legal for its VR or has the wrong multiplicity."""
        if element.vr in NUMBERS:
            values = decode_numbers(walked, element)
            if values is None:
                found.add("DCM306", element.location, vr=element.vr)
                return None
        else:
            text = _text(walked, element)
            stripped = text.rstrip("\0 ")
            if not stripped.strip(" \\"):  # nothing but padding
                if attribute.required:
                    found.add("DCM302", element.location)
                return None
            parts = [stripped] if element.vr in ONE_VALUE_VRS else [part.strip(" ") for part in stripped.split("\\")]
            if not all(is_legal(element.vr, part) for part in parts):
                wordy = sum(character.isalpha() for character in text) > 2
                found.add("PHI107" if wordy else "DCM306", element.location, vr=element.vr)
                return None
            values = _numbers(parts) if element.vr in ("DS", "IS") else tuple(parts)
        low, high = attribute.multiplicity
        if not low <= len(values) <= high:
            found.add("DCM304", element.location, count=len(values), expected=attribute.vm)
            return None
        return values

    def _accept(
        self, raw: dict[str, tuple[Value, ...]], present: dict[int, Element], found: Collector
    ) -> dict[str, tuple[Value, ...]]:
        """Keep what the profile's constraints accept."""
        refused: dict[str, str] = {}
        try:
            self._model.model_validate(raw)
        except ValidationError as error:
            for problem in error.errors(include_input=False, include_url=False, include_context=False):
                refused[str(problem["loc"][0])] = REFUSALS.get(problem["type"], "it has the wrong form")
        accepted = {}
        for attribute in self._profile.attributes:
            values = raw.get(attribute.keyword)
            if values is None:
                continue
            element = present[attribute.tag]
            if attribute.keyword in refused:
                found.add("DCM305", element.location, reason=refused[attribute.keyword])
                if any(isinstance(value, str) and sum(map(str.isalpha, value)) > 2 for value in values):
                    found.add("PHI107", element.location, vr=element.vr)
                continue
            accepted[attribute.keyword] = values
            low, high = attribute.plausible_minimum, attribute.plausible_maximum
            numbers = [value for value in values if not isinstance(value, str)]
            if any((low is not None and n < low) or (high is not None and n > high) for n in numbers):
                found.add("DCM307", element.location, expected=_range(low, high))
        return accepted

    def _check_age(self, accepted: dict[str, tuple[Value, ...]], present: dict[int, Element], found: Collector) -> None:
        text = accepted.get("PatientAge")
        if not text:
            return
        years = age_in_years(str(text[0]))
        location = present[0x00101010].location
        if years > self._age.identifying_years:
            found.add("PHI105", location, limit=self._age.identifying_years)
        elif years >= self._age.limit_years:
            found.add("PHI106", location, limit=self._age.limit_years)
        else:
            return
        del accepted["PatientAge"]


def header_model(attributes: tuple[Attribute, ...]) -> type[BaseModel]:
    """Build the pydantic model of the retained attributes: a field a keyword, each a tuple of constrained values."""
    fields: dict[str, Any] = {}
    for attribute in attributes:
        item: Any
        if attribute.values:
            item = Literal[attribute.values]
        elif attribute.vrs & {"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD"}:
            item = Annotated[float, Field(ge=attribute.minimum, le=attribute.maximum, allow_inf_nan=False)]
        else:
            item = str
        fields[attribute.keyword] = (tuple[item, ...] | None, None)
    return create_model("Header", __config__=ConfigDict(extra="ignore"), **fields)


def decode_numbers(walked: Walk, element: Element) -> tuple[Value, ...] | None:
    """Decode a binary value; None if its length does not fit the VR."""
    form = struct.Struct((">" if walked.big_endian else "<") + NUMBERS[element.vr])
    if element.length % form.size or element.length > MAXIMUM_TEXT:
        return None
    return tuple(value for (value,) in form.iter_unpack(walked.value(element, MAXIMUM_TEXT)))


def is_legal(vr: str, value: str) -> bool:
    """Whether a text is a legal value of its VR by the standard (PS3.5 section 6.2), as pydicom checks it."""
    try:
        return _check_legal(vr, value)
    except Exception:  # noqa: BLE001 (whatever a validator raises, the value is not legal; the text quotes it)
        return False


@functools.lru_cache(maxsize=8192)
def _check_legal(vr: str, value: str) -> Literal[True]:
    """Raise for a value that is not legal. Most values stand in many files; those that raise are not remembered."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        validate_value(vr, value, pydicom_config.RAISE)
    if vr == "AS" and value:
        age_in_years(value)
    elif vr == "DS":
        float(value)
    elif vr == "IS":
        int(value)
    return True


def _numbers(parts: list[str]) -> tuple[Value, ...]:
    return tuple(int(part) if part.lstrip("+-").isdigit() else float(part) for part in parts)


def _text(walked: Walk, element: Element) -> str:
    return walked.value(element, MAXIMUM_TEXT).decode("latin-1")


def _place(attribute: Attribute) -> Location:
    return Location(tag=tag_text(attribute.tag), keyword=attribute.keyword)


def _range(low: float | None, high: float | None) -> str:
    return f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}".strip()


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
