"""One retained attribute's value: bytes → what they say, or why they are refused.

A value is legal by its VR as pydicom checks it, then by the profile's constraint as pydantic checks it. Of a refusal only its
kind is kept, never the value. Most values stand in many files, so what came of one that is accepted, and so published, is
remembered in this process; one that is refused is not.
"""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydicom import config as pydicom_config
from pydicom.valuerep import validate_value

from pedicxr_release.age import age_in_years

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pedicxr_release.finding import Fact
    from pedicxr_release.profile import AgeLimits, Attribute

Value = str | int | float
NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
TEXT_VRS = frozenset({"AS", "CS", "DS", "IS", "LO", "LT", "SH", "ST", "UC", "UI", "UR", "UT", "AE", "PN", "DA", "TM", "DT"})
ONE_VALUE_VRS = frozenset({"LT", "ST", "UR", "UT"})
NUMERIC_VRS = frozenset({*NUMBERS, "DS", "IS"})
MAXIMUM_BYTES = 64 << 10
"""How much of a value is read."""
REMEMBERED, REMEMBERED_BYTES = 2048, 64
"""How many values are remembered of one attribute, and how long they may be."""
REFUSALS = {
    "greater_than_equal": "it is below the smallest value allowed",
    "less_than_equal": "it is above the largest value allowed",
    "literal_error": "it is not one of the values allowed",
    "finite_number": "it is not a finite number",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of a value.

    Attributes
    ----------
    values
        The values, if they may be used; none otherwise.
    troubles
        Codes of the checks that failed, each with the finding's facts.
    """

    values: tuple[Value, ...] = ()
    troubles: tuple[tuple[str, Mapping[str, Fact]], ...] = ()


class ValueReader:
    """Reads the values of one attribute.

    Parameters
    ----------
    attribute
        The attribute, with what the profile allows.
    age
        The profile's limits, which hold for Patient's Age.
    """

    def __init__(self, attribute: Attribute, age: AgeLimits) -> None:
        self._attribute = attribute
        self._age = age if attribute.keyword == "PatientAge" else None
        self._constraint = constraint(attribute)
        self._remembered: dict[tuple[str, bytes, bool], Reading] = {}

    def read(self, vr: str, data: bytes, *, big_endian: bool) -> Reading:
        """Read a value.

        Parameters
        ----------
        vr
            The VR that it is written with, one of the attribute's own.
        data
            Its bytes, with padding; at most one more than `MAXIMUM_BYTES` of them, which is then known to be too long.
        big_endian
            Whether its numbers are.
        """
        asked = vr, data, big_endian
        reading = self._remembered.get(asked)
        if reading is None:
            reading = self._read(vr, data, big_endian=big_endian)
            if reading.values and len(data) <= REMEMBERED_BYTES and len(self._remembered) < REMEMBERED:
                self._remembered[asked] = reading
        return reading

    def _read(self, vr: str, data: bytes, *, big_endian: bool) -> Reading:
        values = decode_numbers(vr, data, big_endian=big_endian) if vr in NUMBERS else self._decode_text(vr, data)
        if isinstance(values, Reading):
            return values
        if values is None:
            return _trouble("DCM306", vr=vr)
        low, high = self._attribute.multiplicity
        if not low <= len(values) <= high:
            return _trouble("DCM304", count=len(values), expected=self._attribute.vm)
        return self._accept(vr, values)

    def _decode_text(self, vr: str, data: bytes) -> tuple[Value, ...] | Reading:
        text = data[:MAXIMUM_BYTES].decode("latin-1")
        stripped = text.rstrip("\0 ")
        if not stripped.strip(" \\"):  # nothing but padding
            return _trouble("DCM302") if self._attribute.required else Reading()
        parts = [stripped] if vr in ONE_VALUE_VRS else [part.strip(" ") for part in stripped.split("\\")]
        if not all(is_legal(vr, part) for part in parts):
            return _trouble("PHI107" if _has_words(text) else "DCM306", vr=vr)
        return tuple(map(_number, parts)) if vr in NUMERIC_VRS else tuple(parts)

    def _accept(self, vr: str, values: tuple[Value, ...]) -> Reading:
        """Hold values that are legal against the profile."""
        try:
            self._constraint.validate_python(values)
        except ValidationError as error:
            kind = error.errors(include_input=False, include_url=False, include_context=False)[-1]["type"]
            refused = _trouble("DCM305", reason=REFUSALS.get(kind, "it has the wrong form"))
            if any(isinstance(value, str) and _has_words(value) for value in values):
                return Reading(troubles=(*refused.troubles, ("PHI107", {"vr": vr})))
            return refused
        if self._age:
            years = age_in_years(str(values[0]))
            if years > self._age.identifying_years:
                return _trouble("PHI105", limit=self._age.identifying_years)
            if years >= self._age.limit_years:
                return _trouble("PHI106", limit=self._age.limit_years)
        low, high = self._attribute.plausible_minimum, self._attribute.plausible_maximum
        numbers = [value for value in values if not isinstance(value, str)]
        if any((low is not None and n < low) or (high is not None and n > high) for n in numbers):
            return Reading(values, (("DCM307", {"expected": _range(low, high)}),))
        return Reading(values)


def constraint(attribute: Attribute) -> TypeAdapter[tuple[Value, ...]]:
    """Build the pydantic type of an attribute's values from the profile: a tuple of constrained values."""
    item: Any
    if attribute.values:
        item = Literal[attribute.values]
    elif attribute.vrs & NUMERIC_VRS:
        item = Annotated[float, Field(ge=attribute.minimum, le=attribute.maximum, allow_inf_nan=False)]
    else:
        item = str
    return TypeAdapter(tuple[item, ...])


def decode_numbers(vr: str, data: bytes, *, big_endian: bool) -> tuple[Value, ...] | None:
    """Decode a binary value; None if its length does not fit the VR."""
    form = struct.Struct((">" if big_endian else "<") + NUMBERS[vr])
    if len(data) % form.size or len(data) > MAXIMUM_BYTES:
        return None
    return tuple(value for (value,) in form.iter_unpack(data))


def is_legal(vr: str, value: str) -> bool:
    """Whether a text is a legal value of its VR by the standard (PS3.5 section 6.2), as pydicom checks it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            validate_value(vr, value, pydicom_config.RAISE)
        if vr == "AS" and value:
            age_in_years(value)
        elif vr == "DS":
            float(value)
        elif vr == "IS":
            int(value)
    except Exception:  # noqa: BLE001 (whatever a validator raises, the value is not legal; the text quotes it)
        return False
    return True


def _trouble(code: str, **facts: Fact) -> Reading:
    return Reading(troubles=((code, facts),))


def _has_words(text: str) -> bool:
    """Whether a text has more letters than a code needs."""
    return sum(map(str.isalpha, text)) > 2


def _number(text: str) -> Value:
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _range(low: float | None, high: float | None) -> str:
    return f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}".strip()
