"""The release's statistical promises: Great Expectations suites, run in a worker of their own while files are examined.

Importing Great Expectations takes seconds and much memory, so only the worker does it, and only if a suite applies. Its
analytics and progress bars are off, and of its results only counts are taken.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from pedicxr_release.cache import program_digest
from pedicxr_release.profile import ProfileError
from pedicxr_release.resources import data_folder
from pedicxr_release.source import reason
from pedicxr_release.workers import hold_lifeline, kill_workers, worker_context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pedicxr_release.cache import EvidenceCache
    from pedicxr_release.profile import Profile

FrameName = Literal["images", "boxes", "labels"]


class SuiteError(ProfileError):
    """A suite cannot be used; the message says which file and why."""


class Expectation(BaseModel):
    """One expectation, as Great Expectations writes it."""

    model_config = ConfigDict(extra="forbid")

    type: str
    kwargs: dict[str, Any] = {}
    meta: dict[str, Any] = {}

    @property
    def column(self) -> str:
        """The column that it is about; empty for the whole frame."""
        return str(self.kwargs.get("column", ""))


class SuiteMeta(BaseModel):
    """What a suite applies to: which frame, from how many rows on."""

    model_config = ConfigDict(extra="allow")

    frame: FrameName
    minimum_rows: NonNegativeInt = 0


class Suite(BaseModel):
    """A suite, as Great Expectations writes it; `meta` says which frame it is about."""

    model_config = ConfigDict(extra="ignore")

    name: str
    meta: SuiteMeta
    expectations: list[Expectation] = Field(min_length=1)
    file: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one expectation: counts, and no value.

    Attributes
    ----------
    evaluated
        False if it could not be evaluated, for example because the frame has no such column.
    elements, unexpected
        Rows looked at and rows that do not meet it, where it is about single rows.
    """

    suite: str
    frame: FrameName
    type: str
    column: str
    met: bool
    evaluated: bool = True
    elements: int | None = None
    unexpected: int | None = None


def load_suites(profile: Profile) -> list[Suite]:
    """Load the suites that the profile names; without any, the built-in ones.

    Raises
    ------
    SuiteError
        When a file is missing, no JSON, or no suite.
    """
    named = profile.release.expectations
    files = (
        [Path(profile.folder, name) for name in named]
        if named is not None
        else sorted((data_folder("checks") / "expectations").glob("*.json"))
    )
    suites = []
    for file in files:
        try:
            suites.append(Suite.model_validate({**json.loads(file.read_text(encoding="utf-8")), "file": str(file)}))
        except OSError as error:
            raise SuiteError(f"{file}: the suite cannot be read: {reason(error)}") from None
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
            raise SuiteError(f"{file}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
        except (ValueError, TypeError) as error:
            raise SuiteError(f"{file}: not JSON: {error}") from None
    return suites


class ExpectationRunner:
    """Runs suites in a worker process, which ends with the ``with`` block; at once if that ends early.

    Parameters
    ----------
    suites
        What is expected.
    data_docs
        Folder into which Great Expectations writes its own Data Docs, without values.
    cache
        Outcomes of earlier runs, for the same suites over the same frames.
    """

    def __init__(self, suites: list[Suite], data_docs: Path | None = None, cache: EvidenceCache | None = None) -> None:
        self._suites = suites
        self._data_docs = data_docs
        self._cache = cache
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            if error is not None:
                kill_workers()

    def start(self, largest: int) -> None:
        """Start the worker and have it import Great Expectations, if any suite applies to so many rows."""
        if any(suite.meta.minimum_rows <= largest for suite in self._suites):
            self._pool = ProcessPoolExecutor(1, worker_context(), initializer=hold_lifeline)
            self._pool.submit(_prepare)

    def evaluate(self, frames: Mapping[FrameName, pd.DataFrame]) -> Callable[[], list[Outcome]]:
        """Begin to evaluate every suite that applies.

        Returns
        -------
        callable
            Waits for what came of them. Raises `SuiteError` when Great Expectations refuses a suite.
        """
        applicable = [suite for suite in self._suites if 0 < len(frames[suite.meta.frame]) >= suite.meta.minimum_rows]
        if not applicable:
            return list
        needed = {name: _mentioned(frames[name], applicable, name) for name in {suite.meta.frame for suite in applicable}}
        cache = None if self._data_docs else self._cache
        key = _depends(applicable, needed) if cache else b""
        if cache and (known := cache.find([key])):
            return lambda: [Outcome(**row) for row in json.loads(known[key])]
        if self._pool is None:
            self.start(max(map(len, frames.values())))
        assert self._pool is not None
        future = self._pool.submit(_evaluate, applicable, needed, self._data_docs)

        def outcomes() -> list[Outcome]:
            found, refused = future.result()
            if refused:
                raise SuiteError(refused)
            if cache:
                cache.keep({key: json.dumps([asdict(outcome) for outcome in found])})
            return found

        return outcomes


def _mentioned(frame: pd.DataFrame, suites: Sequence[Suite], name: FrameName) -> pd.DataFrame:
    """The columns of a frame whose names stand anywhere in its suites; all, if a suite is about the columns as such."""
    expected = [one for suite in suites if suite.meta.frame == name for one in suite.expectations]
    if any("table_column" in one.type for one in expected):
        return frame
    text = json.dumps([one.kwargs for one in expected], ensure_ascii=False)
    written = {column: json.dumps(column, ensure_ascii=False)[1:-1] for column in frame.columns}
    return frame[[column for column in frame.columns if written[column] in text] or frame.columns[:1]]


def _depends(suites: Sequence[Suite], frames: Mapping[FrameName, pd.DataFrame]) -> bytes:
    """Digest over what outcomes depend on: this program, the suites, and every cell of the frames."""
    digest = hashlib.blake2b(program_digest().encode(), digest_size=16)
    for suite in suites:
        digest.update(suite.model_dump_json().encode())
    for name, frame in sorted(frames.items()):
        digest.update(f"{name} {list(frame.columns)}".encode())
        digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.digest()


# -- in the worker -------------------------------------------------------------------------------------------------------


def _prepare() -> None:
    import logging
    import warnings

    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    warnings.simplefilter("ignore")
    logging.disable()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    import great_expectations  # noqa: F401 (imported early, while files are examined)


def _evaluate(
    suites: list[Suite], frames: Mapping[FrameName, pd.DataFrame], data_docs: Path | None
) -> tuple[list[Outcome], str]:
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    source = context.data_sources.add_pandas("candidate")
    batches = {name: source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole") for name in frames}
    outcomes: list[Outcome] = []
    definitions = []
    for suite in suites:
        made = gx.ExpectationSuite(name=suite.name)
        for number, expectation in enumerate(suite.expectations, start=1):
            try:
                configuration = ExpectationConfiguration(
                    type=expectation.type, kwargs=expectation.kwargs, meta=expectation.meta
                )
                made.add_expectation(configuration.to_domain_obj())
            except Exception as error:  # noqa: BLE001 (Great Expectations raises many kinds; all mean that the suite is wrong)
                why = "; ".join(str(error).split("\n")[1:3]) or str(error)
                return [], f"{suite.file}: expectation {number} ({expectation.type}): {why}"
        batch = batches[suite.meta.frame]
        result = batch.get_batch({"dataframe": frames[suite.meta.frame]}).validate(
            made, result_format={"result_format": "BASIC", "partial_unexpected_count": 0}
        )
        for expectation, one in zip(suite.expectations, result.results, strict=True):
            outcomes.append(_outcome(suite, expectation, one))
        if data_docs:
            context.suites.add(made)
            definition = gx.ValidationDefinition(name=suite.name, data=batch, suite=made)
            definitions.append((context.validation_definitions.add(definition), frames[suite.meta.frame]))
    if data_docs:
        _write_data_docs(context, definitions, data_docs)
    return outcomes, ""


def _outcome(suite: Suite, expectation: Expectation, one: Any) -> Outcome:  # noqa: ANN401 (a result of Great Expectations)
    counts = {key: one.result.get(key) for key in ("element_count", "unexpected_count")}
    return Outcome(
        suite=suite.name,
        frame=suite.meta.frame,
        type=expectation.type,
        column=expectation.column,
        met=bool(one.success),
        evaluated=not one.exception_info.get("raised_exception", True),
        elements=None if counts["element_count"] is None else int(counts["element_count"]),
        unexpected=None if counts["unexpected_count"] is None else int(counts["unexpected_count"]),
    )


def _write_data_docs(context: Any, definitions: list[tuple[Any, pd.DataFrame]], folder: Path) -> None:  # noqa: ANN401
    import great_expectations as gx
    from great_expectations.checkpoint.actions import UpdateDataDocsAction

    site = {
        "class_name": "SiteBuilder",
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.resolve())},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    context.add_data_docs_site(site_name="release", site_config=site)
    for definition, frame in definitions:
        checkpoint = gx.Checkpoint(
            name=definition.name,
            validation_definitions=[definition],
            actions=[UpdateDataDocsAction(name="docs", site_names=["release"])],
            result_format="BOOLEAN_ONLY",
        )
        context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame})
