"""Who is in a synthetic split: labels, ages, sexes and image sizes that follow the profile's reference.

At the declared number of images every count, share and median equals the reference exactly; below it they follow as
closely as whole images allow.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pedicxr_release.profile import Label, Profile, Split

READERS = 3
"""How many readers share the images, at the least."""
DEFAULT_SIZE = (1640, 1345)


@dataclass(slots=True)
class PlannedImage:
    """One image to be made: its id, who reads it, what is seen in it, and who it shows."""

    image_id: str
    readers: tuple[str, ...]
    rows: int
    columns: int
    age: str | None = None
    sex: str | None = None
    global_: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)


def plan_split(name: str, count: int, profile: Profile, rng: np.random.Generator, downscale: float) -> list[PlannedImage]:
    """Plan the images of one split.

    Parameters
    ----------
    name, count
        The split and its number of images.
    profile
        Gives labels and reference.
    rng
        Decides who gets what.
    downscale
        Divides the image size.
    """
    split, age = profile.release.splits[name], profile.release.age
    rows, columns = _sizes(count, split, rng, downscale)
    ages, sexes = _ages(count, split, min(age.limit_years, age.identifying_years), rng), _sexes(count, split, rng)
    images = [
        PlannedImage(_image_id(rng), _readers(index, split), rows[index], columns[index], ages[index], sexes[index])
        for index in range(count)
    ]
    _deal_labels(images, name, profile, rng)
    return images


def _readers(index: int, split: Split) -> tuple[str, ...]:
    """Readers take turns; where an image has several, it has neighbours in the row."""
    many = max(READERS, split.readers_per_image)
    return tuple(sorted(f"R{1 + (index + step) % many}" for step in range(split.readers_per_image)))


def _image_id(rng: np.random.Generator) -> str:
    return hashlib.md5(rng.bytes(32), usedforsecurity=False).hexdigest()


def _around(median: float, count: int, spread: float, rng: np.random.Generator) -> list[float]:
    """Make `count` numbers, half of them below and half above a median that stands in the middle."""
    half = (count - 1) // 2
    distances = np.abs(rng.normal(0, spread, half)) + 1
    middle = [median] * (count - 2 * half)
    return [*(median - distances), *middle, *(median + np.abs(rng.normal(0, spread, half)) + 1)][:count]


def _sizes(count: int, split: Split, rng: np.random.Generator, downscale: float) -> tuple[list[int], list[int]]:
    height, width = (split.reference.rows, split.reference.columns) if split.reference else DEFAULT_SIZE
    order = rng.permutation(count)  # tall images are wide ones
    rows, columns = (
        np.asarray(_around(round(median / downscale), count, 0.08 * median / downscale, rng)) for median in (height, width)
    )
    return [max(16, round(v)) for v in np.sort(rows)[order]], [max(16, round(v)) for v in np.sort(columns)[order]]


def _ages(count: int, split: Split, limit: float, rng: np.random.Generator) -> list[str | None]:
    """Age strings whose median is the reference's; one in fifty images carries none."""
    with_age = count - count // 50
    median = split.reference.age_years if split.reference else limit / 5
    months, days = round(median * 12), round(median * 365.25)
    middle = f"{days:03d}D" if days < 1000 else f"{months // 12:03d}Y"
    half = (with_age - 1) // 2
    younger = [_age_string(month) for month in rng.integers(0, max(1, months - 1), half)]
    spread = max(24, median * 6)
    older = [
        _age_string(month)
        for month in np.minimum(months + 1 + rng.exponential(spread, half).astype(int), round(limit * 12) - 1)
    ]
    ages: list[str | None] = [*younger, *[middle] * (with_age - 2 * half), *older, *[None] * (count - with_age)]
    return [ages[index] for index in rng.permutation(count)]


def _age_string(months: int) -> str:
    if not months:
        return "012D"
    return f"{months:03d}M" if months < 24 else f"{months // 12:03d}Y"


def _sexes(count: int, split: Split, rng: np.random.Generator) -> list[str | None]:
    """Sexes whose shares are the reference's to two decimals, over as many images as that is possible for."""
    male = split.reference.male_percent / 100 if split.reference else 0.55
    female = split.reference.female_percent / 100 if split.reference else 0.45

    def error(total: int) -> float:
        boys = round(male * total)
        return abs(round(100 * boys / total, 2) - 100 * male) + abs(round(100 * (total - boys) / total, 2) - 100 * female)

    candidates = range(count - count // 50, max(0, count - count // 10 - 2), -1)
    with_sex = min(candidates, key=lambda total: (round(error(total), 6), -total)) if count else 0
    boys = round(male * with_sex)
    sexes: list[str | None] = [*["M"] * boys, *["F"] * (with_sex - boys), *[None] * (count - with_sex)]
    return [sexes[index] for index in rng.permutation(count)]


def _deal_labels(images: list[PlannedImage], split: str, profile: Profile, rng: np.random.Generator) -> None:
    """Give out the labels: each image with a global label, the one for no finding alone and without a local one."""
    labels, declared = profile.labels, profile.release.splits[split].images
    reference = {row.number: row.counts[split] for row in profile.reference}
    shares = {
        label.name: reference.get(label.number, declared // 20) / max(declared, 1) for label in labels.local + labels.global_
    }
    counts = {name: round(share * len(images)) for name, share in shares.items()}
    diseases = [label for label in labels.global_ if label.name != labels.no_finding]
    positives = [label.name for label in diseases for _ in range(counts[label.name])]
    if len(images) > 1:  # however few the images: one with a finding, and one without
        counts[labels.no_finding] = min(max(1, counts[labels.no_finding]), len(images) - 1)
        positives = positives or [max(diseases, key=lambda label: shares[label.name]).name]
    abnormal_count = min(len(images) - min(counts[labels.no_finding], len(images)), len(positives))
    order = rng.permutation(len(images))
    abnormal = [images[index] for index in order[:abnormal_count]]
    for index in order[abnormal_count:]:
        images[index].global_ = [labels.no_finding]
    _deal_global(abnormal, positives, rng)
    _deal_local(abnormal, labels.local, counts, rng)
    if abnormal and not any(image.local for image in abnormal):
        abnormal[0].local.append(max(labels.local, key=lambda label: shares[label.name]).name)


def _deal_global(abnormal: list[PlannedImage], positives: list[str], rng: np.random.Generator) -> None:
    dealt = [positives[index] for index in rng.permutation(len(positives))]
    for image, name in zip(abnormal, dealt, strict=False):
        image.global_.append(name)
    start = 0
    for name in dealt[len(abnormal) :]:
        for step in range(len(abnormal)):
            image = abnormal[(start + step) % len(abnormal)]
            if name not in image.global_:
                image.global_.append(name)
                start += step + 1
                break


def _deal_local(
    abnormal: list[PlannedImage], local: tuple[Label, ...], counts: dict[str, int], rng: np.random.Generator
) -> None:
    for label in local:
        chosen: Iterable[int] = (
            rng.choice(len(abnormal), min(counts[label.name], len(abnormal)), replace=False) if abnormal else []
        )
        for index in chosen:
            abnormal[index].local.append(label.name)
