"""``SHA256SUMS.txt`` byte for byte as PhysioNet writes it.

One line a file: 64 hexadecimal digits, one space, the path relative to the root. The order is that of
``find . -type f | LC_COLLATE=C sort``. Source: physionet-build, physionet/utility.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMS_FILE = "SHA256SUMS.txt"


def sums_text(digests: Mapping[str, bytes]) -> str:
    """Write the sums of files given by path; the sums file itself is never listed.

    PhysioNet sorts each folder's entries with a slash behind a folder's name, which is the byte order of whole paths.
    """
    paths = sorted((path for path in digests if path != SUMS_FILE), key=lambda path: path.encode())
    return "".join(f"{digests[path].hex()} {path}\n" for path in paths)


def parse_sums(text: str) -> dict[str, str]:
    """Read a sums file: hexadecimal digest by path.

    Raises
    ------
    ValueError
        With the number of the line that has another form.
    """
    digests: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        digest, space, path = line.partition(" ")
        path = path.removeprefix(" ").removeprefix("*")
        if len(digest) != 64 or not space or not path or path in digests:
            raise ValueError(f"line {number} is not a SHA-256, a space and a path of its own")
        digests[path] = digest.lower()
    return digests
