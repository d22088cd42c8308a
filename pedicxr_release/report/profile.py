"""A profile in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table as Grid

from pedicxr_release.profile import tag_text

if TYPE_CHECKING:
    from rich.console import Console

    from pedicxr_release.profile import Attribute, Profile


def print_profile(profile: Profile, console: Console) -> None:
    """Print what a profile expects: splits, tables, retained attributes, labels."""
    release = profile.release
    console.print(f"[bold]{release.name} {release.version}[/bold]  {release.title}")
    console.print(f"package {release.folder_name}, licence {release.license.name}, digest {profile.digest[:12]}\n")
    splits = Grid("split", "images", "readers an image", "tables", title="Splits", title_justify="left")
    for name, split in release.splits.items():
        splits.add_row(name, f"{split.images:,}", str(split.readers_per_image), ", ".join(split.tables.values()))
    console.print(splits)
    attributes = Grid("tag", "keyword", "VR", "VM", "required", "constraint", title="Data elements", title_justify="left")
    for attribute in profile.dicom.file_meta + profile.dicom.attributes:
        required = "yes" if attribute.required else ""
        attributes.add_row(
            tag_text(attribute.tag), attribute.keyword, attribute.vr, attribute.vm, required, _constraint(attribute)
        )
    console.print(attributes)
    console.print(f"[bold]{len(profile.labels.local)} local labels[/bold]: " + ", ".join(x.name for x in profile.labels.local))
    console.print(
        f"[bold]{len(profile.labels.global_)} global labels[/bold]: " + ", ".join(x.name for x in profile.labels.global_)
    )


def _constraint(attribute: Attribute) -> str:
    parts = []
    if attribute.values:
        parts.append("one of " + ", ".join(map(str, attribute.values)))
    if attribute.from_image_id:
        parts.append("made from the image id")
    if attribute.minimum is not None or attribute.maximum is not None:
        low = "" if attribute.minimum is None else f"{attribute.minimum:g}"
        high = "" if attribute.maximum is None else f"{attribute.maximum:g}"
        parts.append(f"{low} to {high}".strip())
    return "; ".join(parts)
