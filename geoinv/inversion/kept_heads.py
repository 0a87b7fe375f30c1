"""The last heads that were looked at, so that further views and edits of a head do not make it again."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .kept_photos import others_as_tensors

if TYPE_CHECKING:
    from ..heads import Head
    from .saved import Inversion

_COUNT = 2  # a head before and after an edit; each holds its planes, some 6 MB, and of pti a generator of its own


class KeptHeads:
    """Heads by the contents of their inversions: a file that is read twice is one head, a changed tensor another."""

    def __init__(self) -> None:
        self._heads: OrderedDict[bytes, Head] = OrderedDict()
        self._lock = threading.RLock()  # of several threads that ask for one head, one makes it

    def get(self, inversion: Inversion, make: Callable[[Inversion], Head]) -> Head:
        """The head of an inversion, made where it is not kept."""
        key = _key(inversion)
        with self._lock:
            if key not in self._heads:
                self._keep(key, make(inversion))
            self._heads.move_to_end(key)
            return self._heads[key]

    def keep(self, inversion: Inversion, head: Head) -> None:
        """Keep a head that was made already."""
        with self._lock:
            self._keep(_key(inversion), head)

    def _keep(self, key: bytes, head: Head) -> None:
        self._heads[key] = head
        while len(self._heads) > _COUNT:
            self._heads.popitem(last=False)


def _key(inversion: Inversion) -> bytes:
    """Hash of all that decides what a head looks like."""
    hasher = hashlib.blake2b(digest_size=16)
    for name, value in sorted(inversion.edits.items()):
        hasher.update(f"{name}={value!r};".encode())
    tensors: dict[str, Tensor] = {"w_plus": inversion.w_plus, "camera": inversion.camera, **inversion.tuning}
    if (details := inversion.details) is not None:
        tensors |= {"residual": details.residual, "surface": details.surface, "shown": details.color}
    tensors |= {name: value for name, value in others_as_tensors(inversion.others).items() if name != "others.photo"}
    if inversion.on_mesh is not None:
        tensors |= {"shape": inversion.on_mesh.codes.as_vector(), "light": inversion.on_mesh.light}
    if inversion.around is not None:
        tensors["around"] = torch.from_numpy(inversion.around)
    of_photo = {"photo_light": inversion.photo_light, "photo_codes": inversion.photo_codes}
    tensors |= {name: part for name, part in of_photo.items() if part is not None}
    for name, tensor in sorted(tensors.items()):
        hasher.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        hasher.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return hasher.digest()
