"""Expectations of Great Expectations suites that are not met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pedicxr_release.finding import Finding, Location

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.evidence import Evidence
    from pedicxr_release.finding import Fact


def judge_expectations(evidence: Evidence) -> Iterator[Finding]:
    """Report each expectation that is not met or could not be evaluated: suite, expectation, column, counts; no values."""
    for outcome in evidence.outcomes:
        about = f"{outcome.frame}.{outcome.column}" if outcome.column else outcome.frame
        facts: dict[str, Fact] = {"suite": outcome.suite, "expectation": outcome.type, "about": about}
        place = Location(column=outcome.column or None)
        if not outcome.evaluated:
            yield Finding("STA104", location=place, facts=facts)
        elif not outcome.met:
            counted = (
                f": {outcome.unexpected} of {outcome.elements} rows do not meet it" if outcome.unexpected is not None else ""
            )
            yield Finding("STA102", location=place, facts={**facts, "counted": counted})
