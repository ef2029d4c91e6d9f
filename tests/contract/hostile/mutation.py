"""Damage well-formed files at random: cut, flip, repeat, splice, and write lengths that no file has."""

import random
import struct

LENGTHS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
LONG = (0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 1 << 40, 1 << 62)


def damaged(content: bytes, chance: random.Random, others: tuple[bytes, ...] = ()) -> bytes:
    """Return ``content`` with one to four kinds of damage; ``others`` are files whose pieces may be spliced in."""
    for _ in range(chance.randint(1, 4)):
        content = chance.choice((_cut, _flip, _repeat, _number, _delete, _splice))(content, chance, others)
    return content


def _cut(content: bytes, chance: random.Random, _: tuple[bytes, ...]) -> bytes:
    return content[: _place(content, chance)]


def _flip(content: bytes, chance: random.Random, _: tuple[bytes, ...]) -> bytes:
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8, 32))):
        if found:
            found[_place(found, chance)] = chance.choice((chance.randrange(256), 0, 0xFF, 0x80))
    return bytes(found)


def _repeat(content: bytes, chance: random.Random, _: tuple[bytes, ...]) -> bytes:
    start, end = sorted((_place(content, chance), _place(content, chance)))
    piece = content[start : min(end, start + 200)]
    return content[:end] + piece * chance.choice((1, 2, 100)) + content[end:]


def _number(content: bytes, chance: random.Random, _: tuple[bytes, ...]) -> bytes:
    order = chance.choice("<>")
    number = chance.choice((
        struct.pack(f"{order}I", chance.choice(LENGTHS)),
        struct.pack(f"{order}H", chance.choice(LENGTHS) & 0xFFFF),
        struct.pack(f"{order}Q", chance.choice(LONG)),
    ))  # fmt: skip
    at = _place(content, chance)
    return content[:at] + number + content[at + len(number) :]


def _delete(content: bytes, chance: random.Random, _: tuple[bytes, ...]) -> bytes:
    at = _place(content, chance)
    return content[:at] + content[at + chance.choice((1, 2, 4, 64)) :]


def _splice(content: bytes, chance: random.Random, others: tuple[bytes, ...]) -> bytes:
    other = chance.choice(others or (content,))
    at, start = _place(content, chance), _place(other, chance)
    return content[:at] + other[start : start + chance.choice((4, 32, 300))] + content[at:]


def _place(content: bytes | bytearray, chance: random.Random) -> int:
    """Return a place, near the beginning in half of the cases: headers lie there."""
    most = max(1, len(content))
    return chance.randrange(min(most, 64)) if chance.random() < 0.5 else chance.randrange(most)
