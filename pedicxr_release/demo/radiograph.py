"""A chest-like image: a bright thorax on a dark field, two dark lungs, a heart, ribs and noise. 12 bits, MONOCHROME2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


BLOCK = 64
"""Side of the blocks that a tiled image is made of, in pixels."""


def tiled_rle(rows: int, columns: int, rng: np.random.Generator) -> tuple[bytes, int, int]:
    """Draw a coarse image of constant blocks, encoded as one RLE frame of about 150 kB.

    Returns
    -------
    tuple of bytes, int, int
        The frame (PS3.5 annex G), smallest and largest value.
    """
    coarse = radiograph(-(-rows // BLOCK), -(-columns // BLOCK), rng)
    blocks = coarse + rng.integers(0, 64, coarse.shape, dtype=np.uint16)
    np.minimum(blocks, 4095, out=blocks)
    widths = [min(BLOCK, columns - start) for start in range(0, columns, BLOCK)]
    segments = []
    for plane in (blocks >> 8, blocks & 0xFF):
        segment = bytearray()
        for number, line in enumerate(plane.astype(np.uint8)):
            row = b"".join(
                bytes((257 - width, value)) if width > 1 else bytes((0, value))
                for width, value in zip(widths, line.tolist(), strict=True)
            )
            segment += row * min(BLOCK, rows - number * BLOCK)
        segments.append(bytes(segment) + b"\0" * (len(segment) % 2))
    header = np.zeros(16, dtype="<u4")
    header[:3] = 2, 64, 64 + len(segments[0])
    return header.tobytes() + b"".join(segments), int(blocks.min()), int(blocks.max())


def radiograph(rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Draw one image of the given size; values from 0 to 4095."""
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    shift, turn = rng.normal(0, 0.03, 2)

    def ellipse(cx: float, cy: float, width: float, height: float, softness: float) -> NDArray[np.float32]:
        distance = ((x - cx - shift) / width) ** 2 + ((y - cy - turn) / height) ** 2
        return np.asarray(1 / (1 + np.exp(np.clip((distance - 1) / softness, -30, 30))), dtype=np.float32)

    body = ellipse(0, 0.25, 0.88 * rng.uniform(0.95, 1.05), 1.25, 0.08)
    lungs = ellipse(-0.40, 0.0, 0.30, 0.62, 0.10) + ellipse(0.40, 0.0, 0.28, 0.60, 0.10)
    heart = ellipse(0.12, 0.30, 0.30 * rng.uniform(0.9, 1.2), 0.32, 0.15)
    spine = np.exp(-((x - shift) ** 2) / 0.006)
    ribs = np.sin(18 * (y + 0.35 * np.abs(x)) + rng.uniform(0, 6.28)) * np.exp(-((np.abs(x) - 0.42) ** 2) / 0.05)
    image = 0.08 + 0.62 * body - 0.38 * lungs * (1 - 0.8 * heart) + 0.15 * spine * body + 0.05 * ribs * body
    # Noise from a tile, repeated at a random place: full-size noise would be most of the work.
    tile = rng.normal(0, 0.012, (256, 256)).astype(np.float32)
    noise = np.tile(tile, (rows // 256 + 2, columns // 256 + 2))
    top, left = rng.integers(0, 256, 2)
    image = image + noise[top : top + rows, left : left + columns]
    return np.asarray(np.clip(image * 4095, 0, 4095), dtype=np.uint16)
