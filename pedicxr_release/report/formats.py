"""Every format that a report can be written in as text. The terminal's own is `report.text`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pedicxr_release.report.document import to_json
from pedicxr_release.report.github import to_github
from pedicxr_release.report.html import to_html
from pedicxr_release.report.junit import to_junit
from pedicxr_release.report.markdown import to_markdown
from pedicxr_release.report.sarif import to_sarif

if TYPE_CHECKING:
    from collections.abc import Callable

    from pedicxr_release.validation import Report

WRITERS: dict[str, Callable[[Report], str]] = {
    "json": to_json,
    "junit": to_junit,
    "sarif": to_sarif,
    "github": to_github,
    "markdown": to_markdown,
    "html": to_html,
}
"""How a report is written to text, by format. A new format is a line here and its name in the command's list."""
