"""Make hostile images of each common kind: dimensions that lie, lengths that no file has, cuts and damage."""

import io
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.contract.hostile.bounded import Case
from tests.contract.hostile.mutation import LENGTHS, damaged

KINDS = {
    "png": {}, "jpeg": {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"}, "bmp": {},
    "gif": {}, "tiff": {"compression": "tiff_lzw"}, "webp": {}, "ppm": {}, "jpeg2000": {}, "tga": {}, "ico": {}, "dds": {},
    "pcx": {}, "sgi": {},
}  # fmt: skip
SIDES = (0, 1, 7, 255, 0x7FFF, 0xFFFF, 30_000, 0x7FFFFFFF, 0xFFFFFFFF)


def cases(count: int, seed: int, canary: Path) -> Iterator[Case]:
    """Yield a whole image first, then crafted ones, then damaged ones."""
    whole = {kind: _image(kind) for kind in KINDS}
    crafted = [Case("whole", whole["png"]), *_crafted(whole)]
    yield from crafted[:count]
    chance = random.Random(seed)
    for number in range(count - min(count, len(crafted))):
        kind = chance.choice(list(whole))
        yield Case(f"{kind} {number}", damaged(whole[kind], chance, tuple(whole.values())))


def _image(kind: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    target = io.BytesIO()
    image = Image.fromarray(pixels)
    image.save(target, kind, **KINDS[kind])  # type: ignore[arg-type]
    return target.getvalue()


def _crafted(whole: dict[str, bytes]) -> Iterator[Case]:
    for width in SIDES:
        for height in (1, 0xFFFF, 0xFFFFFFFF):
            yield from _sized(width & 0xFFFFFFFF, height, whole)
    yield from _chunks()
    yield from _tiff_loops()
    for kind, content in whole.items():
        for share in (0.1, 0.5, 0.9):
            yield Case(f"{kind} cut at {share}", content[: int(len(content) * share)])


def _sized(width: int, height: int, whole: dict[str, bytes]) -> Iterator[Case]:
    """Yield one image of each kind that says it is this large."""
    name = f"{width} x {height}"
    yield Case(f"png {name}", _png(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), _data(1000)))
    yield Case(
        f"png {name} interlaced",
        _png(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 1)), _data(9)),
    )
    yield Case(f"bmp {name}", whole["bmp"][:18] + struct.pack("<II", width, height) + whole["bmp"][26:])
    yield Case(
        f"gif {name}", whole["gif"][:6] + struct.pack("<HH", width & 0xFFFF, height & 0xFFFF) + whole["gif"][10:]
    )
    at = whole["jpeg"].find(b"\xff\xc0") + 5
    yield Case(
        f"jpeg {name}",
        whole["jpeg"][:at] + struct.pack(">HH", height & 0xFFFF, width & 0xFFFF) + whole["jpeg"][at + 4 :],
    )
    yield Case(f"ppm {name}", b"P6 %d %d 255\n" % (width, height))
    yield Case(f"pgm {name}", b"P5 %d %d 65535\n" % (width, height))
    yield Case(
        f"pam {name}", b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" % (width, height)
    )
    yield Case(f"pfm {name}", b"PF\n%d %d\n-1\n" % (width, height))
    yield Case(f"hdr {name}", b"#?RADIANCE\n\n-Y %d +X %d\n" % (height, width))
    yield Case(
        f"tiff {name}",
        _tiff(
            [
                (256, 4, 1, width),
                (257, 4, 1, height),
                (258, 3, 1, 8),
                (262, 3, 1, 1),
                (273, 4, 1, 8),
                (278, 4, 1, height),
                (279, 4, 1, 100),
            ]
        ),
    )
    yield Case(
        f"webp {name}",
        b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0"
        + struct.pack("<I", width)[:3]
        + struct.pack("<I", height)[:3]
        + b"VP8L\0\0\0\0",
    )
    yield Case(f"sun {name}", struct.pack(">8I", 0x59A66A95, width, height, 24, 1000, 1, 0, 0) + bytes(100))
    yield Case(
        f"exr {name}",
        b"\x76\x2f\x31\x01\x02\0\0\0dataWindow\0box2i\0\x10\0\0\0" + struct.pack("<4I", 0, 0, width, height) + b"\0",
    )


def _chunks() -> Iterator[Case]:
    """Yield PNG files with lengths that lie, bombs of compressed text and colour profiles, and many chunks."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0))
    bomb = zlib.compress(bytes(50 << 20), 9)
    for kind in (b"IDAT", b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"PLTE", b"acTL", b"fdAT", b"IEND"):
        for length in LENGTHS:
            yield Case(
                f"png {kind!r} of {length}",
                b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", length) + kind + bytes(50),
            )
    yield Case("png of many chunks", _png(header, _chunk(b"tEXt", b"a\0b") * 50_000))
    yield Case("png with a text bomb", _png(header, _chunk(b"zTXt", b"a\0\0" + bomb), _data(64 * 48 * 3 + 48)))
    yield Case("png with many text bombs", _png(header, _chunk(b"zTXt", b"a\0\0" + bomb) * 10, _data(64 * 48 * 3 + 48)))
    yield Case("png with a profile bomb", _png(header, _chunk(b"iCCP", b"a\0\0" + bomb), _data(64 * 48 * 3 + 48)))
    yield Case("png with a pixel bomb", _png(header, _chunk(b"IDAT", bomb)))
    yield Case(
        "png of 10000 x 10000 zeros",
        _png(
            _chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 10_000, 1, 0, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(bytes(1251 * 10_000), 9)),
        ),
    )
    for length in (0, 1, 2, 0xFFFF):
        for marker in (0xE1, 0xC0, 0xC4, 0xDB, 0xDA, 0xFE, 0xDD):
            yield Case(
                f"jpeg {marker:x} of {length}",
                b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", length) + bytes(200) + b"\xff\xd9",
            )
    scan = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + bytes(10)
    progressive = (
        b"\xff\xd8\xff\xc2\0\x0b\x08\x20\0\x20\0\x01\x01\x11\0\xff\xc4\0\x14\0\x01" + bytes(15) + b"\0" + scan * 5000
    )
    yield Case("jpeg of 5000 scans of 8192 x 8192", progressive + b"\xff\xd9")


def _tiff_loops() -> Iterator[Case]:
    yield Case("tiff whose directory follows itself", _tiff([(256, 4, 1, 64), (257, 4, 1, 48)], next_at=8))
    for count in LENGTHS:
        for kind in (1, 2, 4, 5, 12, 16):
            yield Case(
                f"tiff with {count} of type {kind}",
                _tiff([(256, 4, 1, 64), (257, 4, 1, 48), (273, kind, count, 8), (279, kind, count, 8)]),
            )
    yield Case(
        "tiff of 65535 entries", b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 256, 4, 1, 64) * 65_535 + bytes(4)
    )
    yield Case(
        "tiff of tiles of 1 x 1",
        _tiff(
            [
                (256, 4, 1, 60_000),
                (257, 4, 1, 2000),
                (258, 3, 1, 8),
                (322, 3, 1, 1),
                (323, 3, 1, 1),
                (324, 4, 1, 8),
                (325, 4, 1, 1),
            ]
        ),
    )


def _tiff(entries: list[tuple[int, int, int, int]], next_at: int = 0) -> bytes:
    found = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + found + struct.pack("<I", next_at) + bytes(200)


def _png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def _data(size: int) -> bytes:
    return _chunk(b"IDAT", zlib.compress(bytes(size)))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
