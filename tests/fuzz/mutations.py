"""Damage to the bytes of a file, as disks, networks and attackers do it."""

from __future__ import annotations

import random
from collections.abc import Callable

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """``data`` after one to four random kinds of damage; the first bytes, where headers are, are hit most."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rng.choice(_KINDS)(data, rng)
    return data


def _place(data: bytes, rng: random.Random) -> int:
    """A position; half of the time among the first 512 bytes."""
    end = min(len(data), 512) if rng.random() < 0.5 else len(data)
    return rng.randrange(end) if end else 0


def _flip_bits(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        if changed:
            changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _write_extreme(data: bytes, rng: random.Random) -> bytes:
    """A number of 1, 2, 4 or 8 bytes at the edge of its range."""
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(_EXTREMES) & ((1 << (8 * size)) - 1)
    at = _place(data, rng)
    return data[:at] + value.to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)]


def _remove(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 4, 64, 1024)) :]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.randbytes(rng.choice((1, 4, 64, 1024))) + data[at:]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    at, size = _place(data, rng), rng.choice((4, 64, 1024))
    return data[:at] + data[at : at + size] * rng.choice((2, 16)) + data[at + size :]


def _zero(data: bytes, rng: random.Random) -> bytes:
    at, size = _place(data, rng), rng.choice((4, 64, 4096))
    return data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]


def _move(data: bytes, rng: random.Random) -> bytes:
    """A block copied over another place."""
    source, target, size = _place(data, rng), _place(data, rng), rng.choice((4, 64, 1024))
    block = data[source : source + size]
    return data[:target] + block + data[target + len(block) :]


def _digits(data: bytes, rng: random.Random) -> bytes:
    """A digit replaced by many, as in headers of text."""
    places = [at for at in range(min(len(data), 4096)) if 48 <= data[at] <= 57]
    if not places:
        return data
    at = rng.choice(places)
    return data[:at] + rng.choice((b"-1", b"0", b"99999999999999999999", b"1e999", b"NaN")) + data[at + 1 :]


_KINDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_flip_bits, _flip_bits, _write_extreme, _write_extreme, _cut),
    *(_remove, _insert, _repeat, _zero, _move, _digits),
)
