"""DICOM age strings (PS3.5 section 6.2, VR AS) in years."""

from __future__ import annotations

YEARS_PER_UNIT = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


def age_in_years(text: str) -> float:
    """Convert an age string such as ``018M`` to years (1.5).

    Parameters
    ----------
    text
        Three digits and one of D, W, M, Y.

    Raises
    ------
    ValueError
        When it is not an age string. The message does not repeat it.
    """
    if len(text) != 4 or not (text[:3].isascii() and text[:3].isdigit()) or text[3] not in YEARS_PER_UNIT:
        raise ValueError("not a DICOM age string: three digits and D, W, M or Y")
    return int(text[:3]) * YEARS_PER_UNIT[text[3]]
