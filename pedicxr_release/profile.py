"""What a release looks like: the pydantic models of ``schemas/<profile>/``, and their loading.

A wrong profile is a `ProfileError` that names file, line, key and reason.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydicom.datadict import dictionary_has_tag, dictionary_keyword, dictionary_VR

from pedicxr_release.finding import Severity, catalogue, fast_yaml_loader
from pedicxr_release.resources import data_folder

CROISSANT_FILE, SUBJECT_FILE = "croissant.json", "subject-info.csv"
"""What packaging makes when the profile asks for it."""

Model = TypeVar("Model", bound=BaseModel)


class ProfileError(ValueError):
    """The profile cannot be used; the message says which file, key and reason."""


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


def _not_all_zeros(version: str) -> str:
    if not any(digit in "123456789" for digit in version):
        raise ValueError("a version may not be all zeros")
    return version


def _tag(value: object) -> int:
    match = re.fullmatch(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)", str(value))
    if not match:
        raise ValueError("write a tag as (gggg,eeee), for example (0010,0040)")
    return int(match[1] + match[2], 16)


Regex = Annotated[str, AfterValidator(_regex)]
Tag = Annotated[int, BeforeValidator(_tag)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9](?:-?[a-z0-9])*$", max_length=30)]
"""PhysioNet's project slug."""
Version = Annotated[str, Field(pattern=r"^(0|[1-9]\d*)(\.(0|[1-9]\d*))+$"), AfterValidator(_not_all_zeros)]
"""PhysioNet's version number: not all zeros, no leading zeros."""
Title = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 '*,?:()\-/]*$", max_length=200)]
"""PhysioNet's project title."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Attribute(_Part):
    """A retained data element (Table 2 of the paper) or an allowed file-meta element, with what its value may be."""

    tag: Tag
    """The data element, as `(gggg,eeee)`."""
    keyword: str
    """Its keyword in the DICOM dictionary."""
    vr: str
    """Its VR in the DICOM dictionary."""
    vm: Annotated[str, Field(pattern=r"^\d+(-(\d+|n))?$")] = "1"
    """How many values it may have."""
    required: bool = False
    """Whether it must be there and hold a value."""
    values: tuple[str | int | float, ...] = ()
    """The only values allowed."""
    from_image_id: tuple[Literal["hex", "uuid"], ...] = ()
    """Forms in which the value may be made from the image id."""
    minimum: float | None = None
    """A number below it is an error."""
    maximum: float | None = None
    """A number above it is an error."""
    plausible_minimum: float | None = None
    """A number below it is a warning."""
    plausible_maximum: float | None = None
    """A number above it is a warning."""

    @model_validator(mode="after")
    def _agrees_with_the_dictionary(self) -> Self:
        if not dictionary_has_tag(self.tag):
            raise ValueError(f"{tag_text(self.tag)} is not in the DICOM dictionary")
        known = dictionary_keyword(self.tag)
        if self.keyword != known:
            raise ValueError(f"{tag_text(self.tag)} has the keyword {known} in the DICOM dictionary, not {self.keyword}")
        if self.vr != dictionary_VR(self.tag):
            raise ValueError(f"{self.keyword} has the VR {dictionary_VR(self.tag)} in the DICOM dictionary, not {self.vr}")
        return self

    @functools.cached_property
    def vrs(self) -> frozenset[str]:
        """The VRs that the element may be written with."""
        return frozenset(self.vr.split(" or "))

    @functools.cached_property
    def multiplicity(self) -> tuple[int, float]:
        """Smallest and largest number of values."""
        low, _, high = self.vm.partition("-")
        return int(low), float("inf") if high == "n" else int(high or low)


class TransferSyntax(_Part):
    """A transfer syntax that image files may use."""

    uid: str
    """Its UID."""
    name: str
    """Its name in DICOM PS3.6."""


class PixelExpectation(_Part):
    """What an image is expected to look like; outside of it a person should look."""

    aspect_minimum: PositiveFloat
    """Least rows / columns."""
    aspect_maximum: PositiveFloat
    """Largest rows / columns."""
    clipped_maximum: Annotated[float, Field(gt=0, le=1)]
    """Largest share of pixels at the smallest or the largest value."""
    distinct_minimum: PositiveInt
    """Least number of distinct values in a sample of the pixels."""


class DicomProfile(_Part):
    """``dicom.yaml``: which data elements may stand in an image file."""

    transfer_syntaxes: tuple[TransferSyntax, ...]
    """Transfer syntaxes that image files may use."""
    file_meta: tuple[Attribute, ...]
    """Elements that the file meta group may hold."""
    attributes: tuple[Attribute, ...]
    """Elements that the data set may hold; any other is an error, at any depth."""
    pixels: PixelExpectation
    """What an image is expected to look like."""

    @model_validator(mode="after")
    def _no_element_twice(self) -> Self:
        tags = [attribute.tag for attribute in self.file_meta + self.attributes]
        twice = sorted({tag_text(tag) for tag in tags if tags.count(tag) > 1})
        if twice:
            raise ValueError(f"element listed twice: {', '.join(twice)}")
        return self

    @functools.cached_property
    def by_tag(self) -> dict[int, Attribute]:
        """Retained elements of the data set, by tag number."""
        return {attribute.tag: attribute for attribute in self.attributes}

    @functools.cached_property
    def meta_by_tag(self) -> dict[int, Attribute]:
        """Allowed file-meta elements, by tag number."""
        return {attribute.tag: attribute for attribute in self.file_meta}

    @functools.cached_property
    def transfer_syntax_uids(self) -> frozenset[str]:
        """UIDs of the allowed transfer syntaxes."""
        return frozenset(syntax.uid for syntax in self.transfer_syntaxes)


class Label(_Part):
    """One label: its number in Table 3, the dataset's spelling, the paper's, and what it is mistaken for."""

    number: PositiveInt
    """Its number in Table 3."""
    name: str
    """The dataset's own spelling."""
    paper: str | None = None
    """The paper's name where it differs."""
    aliases: tuple[str, ...] = ()
    """What it is mistaken for; only used to suggest what was meant."""


class ClassIds(_Part):
    """How class ids are numbered in the boxes table, if it has them."""

    first: NonNegativeInt = 1
    """The class id of label number 1."""
    placeholder: tuple[int | None, ...] = (None,)
    """What the placeholder row carries; null for an empty cell."""


class Labels(_Part):
    """``labels.yaml``: the local labels, drawn as boxes, and the global labels of the whole image."""

    model_config = ConfigDict(populate_by_name=True)

    local: tuple[Label, ...]
    """Labels that are drawn as boxes."""
    global_: tuple[Label, ...] = Field(alias="global")
    """Labels of the whole image."""
    no_finding: str
    """The global label that excludes every other one."""
    class_ids: ClassIds = ClassIds()
    """How class ids are numbered."""

    @model_validator(mode="after")
    def _numbers_and_names_are_unique(self) -> Self:
        everything = self.local + self.global_
        for what in ("number", "name"):
            values = [str(getattr(label, what)) for label in everything]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{what} given twice: {', '.join(twice)}")
        if self.no_finding not in {label.name for label in self.global_}:
            raise ValueError(f"no_finding names no global label: {self.no_finding}")
        return self

    @property
    def local_class_ids(self) -> dict[str, int]:
        """The class id of each local label, by its name."""
        return {label.name: self.class_id(label) for label in self.local}

    def class_id(self, label: Label) -> int:
        """The class id that stands for a label in the boxes table."""
        return label.number - 1 + self.class_ids.first


ColumnRole = Literal["image_id", "reader", "class_name", "class_id", "x_min", "y_min", "x_max", "y_max", "other"]
CONSENSUS = "consensus"
"""Stands for the reader in the frame of a table that holds what several agreed on."""
CORNERS: tuple[ColumnRole, ...] = ("x_min", "y_min", "x_max", "y_max")
"""The roles that make a box: its upper left and its lower right corner."""


class Column(_Part):
    """A column of a table."""

    name: str
    """What stands in the header."""
    role: ColumnRole = "other"
    """What the column means to the checks."""
    type: Literal["string", "number", "integer"]
    """What its cells hold."""
    unit: str | None = None
    """Unit of its numbers, for the README."""
    nullable: bool = False
    """Whether a cell may be empty."""
    aliases: tuple[str, ...] = ()
    """Other names that code in the wild knows it by."""

    @property
    def key(self) -> str:
        """What the column is called in frames: its role, or its name if it has none."""
        return self.name if self.role == "other" else self.role


class LabelColumns(_Part):
    """Whether a label table has a column for each global and each local label."""

    model_config = ConfigDict(populate_by_name=True)

    global_: Literal["required", "optional"] = Field("required", alias="global")
    """Whether the global labels must have columns."""
    local: Literal["required", "optional", "absent"] = "absent"
    """Whether the local labels have columns too."""
    spelled: dict[str, str] = {}
    """How this table spells a label that it spells in its own way, by the label's name."""


class TableProfile(_Part):
    """``tables/<name>.yaml``: the columns of one kind of table."""

    kind: Literal["boxes", "labels"]
    """A row a box, or a row an image."""
    columns: tuple[Column, ...]
    """Its columns in order, but for those of labels."""
    consensus: bool = False
    """Whether the rows are what the readers agreed on, so that there is no column that names one."""
    placeholder: str | None = None
    """Class name of the row that stands for an image without a box."""
    labels: LabelColumns | None = None
    """Which labels have columns, for a table of kind labels."""

    @model_validator(mode="after")
    def _has_the_columns_its_kind_needs(self) -> Self:
        needed = {"image_id"} if self.consensus else {"image_id", "reader"}
        if self.kind == "boxes":
            needed |= {"class_name", *CORNERS}
        roles = [column.role for column in self.columns if column.role != "other"]
        missing = sorted(needed - set(roles))
        if missing:
            raise ValueError(f"a table of kind {self.kind} needs a column with the role {', '.join(missing)}")
        if self.consensus and "reader" in roles:
            raise ValueError("a table of consensus has no column with the role reader")
        if len(set(roles)) != len(roles):
            raise ValueError("two columns have the same role")
        if self.kind == "labels" and self.labels is None:
            raise ValueError("a table of kind labels needs the key labels")
        return self

    def by_role(self, role: ColumnRole) -> Column:
        """The column that plays a role."""
        return next(column for column in self.columns if column.role == role)

    def has_role(self, role: ColumnRole) -> bool:
        """Whether any column plays a role."""
        return any(column.role == role for column in self.columns)


class IdentityWords(_Part):
    """``identity.yaml``: words by which text that identifies a person is known in the dataset's language."""

    family_names: tuple[str, ...] = ()
    """Family names."""
    middle_names: tuple[str, ...] = ()
    """Middle names that mark what stands around them as a name."""
    address_words: tuple[str, ...] = ()
    """Words that make an address."""
    record_words: tuple[str, ...] = ()
    """Words that introduce a record number."""


class SplitReference(_Part):
    """First rows of Table 3 for one split: medians, shares in percent, decimal gigabytes of image files."""

    rows: PositiveFloat
    """Median of rows."""
    columns: PositiveFloat
    """Median of columns."""
    age_years: PositiveFloat
    """Median age."""
    male_percent: float
    """Of the images that carry a sex."""
    female_percent: float
    """Of the images that carry a sex."""
    gigabytes: float
    """Of image files, decimal."""


class Split(_Part):
    """One split: its declared number of images and its tables, by the name of the table's profile."""

    images: NonNegativeInt
    """Declared number of images."""
    years: str | None = None
    """When they were made, as Table 3 says it."""
    readers_per_image: PositiveInt = 1
    """How many readers look at each image."""
    vote: Literal["any", "majority"] = "any"
    """How many of an image's readers must have seen a label for Table 3 to count it."""
    reference: SplitReference | None = None
    """First rows of Table 3."""
    tables: dict[str, str]
    """File of each table, by the name of its profile in `tables/`."""


class ImageFiles(_Part):
    """How image files are named."""

    extension: Annotated[str, Field(pattern=r"^\.[a-z0-9]+$")]
    """What image files end in."""
    id_pattern: Regex
    """Regular expression of an image id, which is the rest of the name."""


class AgeLimits(_Part):
    """Ages in years: at or above `limit_years` nobody belongs into the dataset; above `identifying_years` nobody may."""

    limit_years: PositiveFloat
    """At or above it nobody belongs into the dataset."""
    identifying_years: PositiveFloat = 89
    """Above it an age identifies (HIPAA Safe Harbor: 89)."""


class FigureChoice(_Part):
    """What Figures 3 and 4 show: which split (the first one if not said), and from how many images on a label."""

    split: str | None = None
    """Which split Figures 3 and 4 show; the first one if not said."""
    rare_below: PositiveInt = 10
    """A label with fewer images is left out."""


class License(_Part):
    """Under which terms the release is published; `file` is the profile's own text of it."""

    name: str
    """Its name."""
    url: str | None = None
    """Where its text is."""
    file: str | None = None
    """The profile's own text of it."""


class Release(_Part):
    """``release.yaml``: what is released, under which name, and which files it has."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """The profile's name."""
    slug: Slug
    """PhysioNet's project slug, which names the packaged folder."""
    version: Version
    """Version of the release."""
    title: Title
    """Title of the project."""
    description: str
    """What the dataset is, for README and Croissant."""
    authors: tuple[str, ...] = ()
    """Authors in order."""
    citation: str = ""
    """How to cite it."""
    url: str | None = None
    """Its page."""
    license: License
    """Under which terms it is published."""
    images: ImageFiles
    """How image files are named."""
    reader_pattern: Regex
    """Regular expression of a reader's pseudonym."""
    age: AgeLimits
    """Ages that may stand in a header."""
    splits: dict[Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")], Split]
    """Splits by the name of their folder."""
    optional_files: tuple[str, ...] = ()
    """Files that may stand at the root beside the tables."""
    reference: str | None = None
    """File of Table 3 in the profile."""
    enforce_reference: bool = False
    """Whether declared counts and Table 3 are a duty, as with `--published`."""
    figures: FigureChoice = FigureChoice()
    """What Figures 3 and 4 show."""
    subject_info: bool = False
    """Whether `package` writes PhysioNet's subject-info.csv."""
    croissant: bool = False
    """Whether `package` writes Croissant metadata."""
    date_published: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    """ISO date for Croissant."""
    responsible_ai: dict[str, str] = {}
    """Statements for Croissant RAI, by key."""
    severity: dict[str, Severity] = {}
    """Severities other than the declared ones, by code of the check."""
    never_except: tuple[str, ...] = ("PHI", "LAY103", "DCM202", "DCM206")
    """Checks, by code or the start of it, from which no exception can be recorded."""
    expectations: tuple[str, ...] | None = None
    """Great Expectations suites in the profile; the built-in ones if not said."""

    @model_validator(mode="after")
    def _severities_name_checks(self) -> Self:
        unknown = sorted(set(self.severity) - set(catalogue()))
        if unknown:
            raise ValueError(f"severity names no declared check: {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _figures_are_of_a_split(self) -> Self:
        if self.figures.split is not None and self.figures.split not in self.splits:
            raise ValueError(f"figures.split names no split: {self.figures.split}")
        return self

    @property
    def figure_split(self) -> str:
        """The split that Figures 3 and 4 show."""
        return self.figures.split or next(iter(self.splits))

    @property
    def documents(self) -> tuple[str, ...]:
        """Files that may stand at the root beside the tables: the optional ones, and those that packaging makes."""
        made = [(CROISSANT_FILE, self.croissant), (SUBJECT_FILE, self.subject_info)]
        return (*self.optional_files, *(name for name, wanted in made if wanted))

    @property
    def folder_name(self) -> str:
        """Name of the packaged folder: ``<slug>-<version>``."""
        return f"{self.slug}-{self.version}"


class ReferenceLabel(_Part):
    """One label row of Table 3: images with the label, by split, and where the numbers are from."""

    number: PositiveInt
    label: str
    counts: dict[str, NonNegativeInt]
    source: str


class Profile(_Part):
    """Everything that is known of a release before its files are read.

    Attributes
    ----------
    folder
        Where it was loaded from.
    digest
        SHA-256 over the names and bytes of the profile's files.
    license_text
        The licence file that the profile carries, where it does.
    """

    release: Release
    dicom: DicomProfile
    labels: Labels
    tables: dict[str, TableProfile]
    identity: IdentityWords = IdentityWords()
    reference: tuple[ReferenceLabel, ...] = ()
    folder: str
    digest: str
    license_text: bytes | None = None

    @functools.cached_property
    def image_id_regex(self) -> re.Pattern[str]:
        """Matches a whole image id."""
        return re.compile(rf"(?:{self.release.images.id_pattern})\Z", re.ASCII)

    @functools.cached_property
    def reader_regex(self) -> re.Pattern[str]:
        """Matches a whole reader's pseudonym."""
        return re.compile(rf"(?:{self.release.reader_pattern})\Z", re.ASCII)

    def known_id(self, text: object) -> str | None:
        """The text if it has the form of an image id, so that it may be repeated; None for anything else."""
        return str(text) if self.image_id_regex.match(str(text)) else None

    def image_id_of(self, file_name: str) -> str | None:
        """The image id that a file is named by: an id and the profile's extension; None if it is not."""
        stem = file_name.removesuffix(self.release.images.extension)
        return self.known_id(stem) if stem != file_name else None

    def read_independently(self, split: str) -> bool:
        """Whether each image of a split is read by several readers, each for himself."""
        declared = self.release.splits[split]
        return declared.readers_per_image > 1 and not any(self.tables[table].consensus for table in declared.tables)

    def table_folders(self) -> set[str]:
        """Return the folders that tables lie in, but for the root."""
        return {file.rpartition("/")[0] for file in self.table_files()} - {""}

    def table_files(self) -> dict[str, tuple[str, str]]:
        """File name of every table, with its split and the name of its table profile."""
        return {
            file: (split, table) for split, declared in self.release.splits.items() for table, file in declared.tables.items()
        }


def tag_text(tag: int) -> str:
    """Write a tag as the standard does: ``(0010,0040)``."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def profile_names() -> list[str]:
    """Names of the built-in profiles."""
    return sorted(folder.name for folder in data_folder("schemas").iterdir() if (folder / "release.yaml").is_file())


def profile_folder(name: str) -> Path:
    """Find a profile by the name of a built-in one or by a folder.

    Raises
    ------
    ProfileError
        When there is neither.
    """
    for folder in (data_folder("schemas") / name, Path(name)):
        if (folder / "release.yaml").is_file():
            return folder
    raise ProfileError(
        f"no profile {name}: it is neither a built-in profile ({', '.join(profile_names())}) nor a folder with a release.yaml"
    )


def load_profile(name: str) -> Profile:
    """Load a profile by the name of a built-in one or by its folder.

    Raises
    ------
    ProfileError
        With file, line, key and reason, when a file is missing or wrong.
    """
    folder = profile_folder(name)
    release = _load(folder, "release.yaml", Release)
    tables = {}
    for split, declared in release.splits.items():
        for table in declared.tables:
            if not (folder / "tables" / f"{table}.yaml").is_file():
                reason = f"there is no tables/{table}.yaml"
                raise ProfileError(f"{folder / 'release.yaml'}: splits.{split}.tables.{table}: {reason}")
            tables[table] = _load(folder, f"tables/{table}.yaml", TableProfile)
    labels = _load(folder, "labels.yaml", Labels)
    license_file = release.license.file
    if license_file and not (folder / license_file).is_file():
        raise ProfileError(f"{folder / 'release.yaml'}: license.file: there is no {license_file} in the profile")
    return Profile(
        release=release,
        dicom=_load(folder, "dicom.yaml", DicomProfile),
        labels=labels,
        tables=tables,
        identity=_load(folder, "identity.yaml", IdentityWords) if (folder / "identity.yaml").exists() else IdentityWords(),
        reference=_load_reference(folder, release, labels),
        folder=str(folder),
        digest=_digest(folder),
        license_text=(folder / license_file).read_bytes() if license_file else None,
    )


def _load(folder: Path, name: str, model: type[Model]) -> Model:
    file = folder / name
    try:
        text = file.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=fast_yaml_loader())  # noqa: S506 (a safe loader)
    except FileNotFoundError:
        raise ProfileError(f"{file}: the profile has no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{file}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ProfileError(f"{file}:{line} not YAML: {getattr(error, 'problem', error)}") from None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_url=False, include_context=False):
            key = ".".join(str(part) for part in problem["loc"])
            line_number = _line_of(text, problem["loc"])
            lines.append(f"{file}: line {line_number}: {key or 'the file'}: {problem['msg']}")
        raise ProfileError("\n".join(lines)) from None


def _line_of(text: str, keys: tuple[int | str, ...]) -> int:
    """Line of the deepest key of a path that stands in the YAML text."""
    node = yaml.compose(text)
    line = 1
    for key in keys:
        child = None
        if isinstance(node, yaml.MappingNode):
            child = next(((k, v) for k, v in node.value if k.value == str(key)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            child = (node.value[key], node.value[key])
        if child is None:
            break
        line = child[0].start_mark.line + 1
        node = child[1]
    return line


def _load_reference(folder: Path, release: Release, labels: Labels) -> tuple[ReferenceLabel, ...]:
    if not release.reference:
        return ()
    file = folder / release.reference
    try:
        rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    except OSError:
        raise ProfileError(f"{folder / 'release.yaml'}: reference: there is no {release.reference} in the profile") from None
    names = {label.number: label for label in labels.local + labels.global_}
    result = []
    for line, row in enumerate(rows, start=2):
        try:
            reference = ReferenceLabel(
                number=int(row["number"]),
                label=row["label"],
                counts={split: int(row[split]) for split in release.splits},
                source=row["source"],
            )
        except KeyError as error:
            raise ProfileError(f"{file}: line 1: the column {error.args[0]} is missing") from None
        except (ValueError, TypeError):
            raise ProfileError(f"{file}: line {line}: number and counts must be whole numbers") from None
        label = names.get(reference.number)
        if label is None or reference.label not in (label.name, label.paper):
            raise ProfileError(f"{file}: line {line}: labels.yaml has no label {reference.number} of this name")
        result.append(reference)
    return tuple(result)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def profile_json_schema() -> dict[str, Any]:
    """JSON Schemas of the profile's files, by file name."""
    models: dict[str, type[BaseModel]] = {
        "release.yaml": Release,
        "dicom.yaml": DicomProfile,
        "labels.yaml": Labels,
        "identity.yaml": IdentityWords,
        "tables/*.yaml": TableProfile,
    }
    return {name: model.model_json_schema() for name, model in models.items()}
