"""geoinv turns one face photo into an editable 3D head: views, edits and a coloured mesh.

```python
import geoinv

session = geoinv.load()  # the shipped weights, loaded once
inversion = session.invert("me.jpg")
inversion.save("me.geoinv")
views = session.render(inversion, yaw_deg=[-30, 0, 30])  # views.color: [3, 3, 256, 256]
smiling = session.edit(inversion, {"smile": 1.0})
session.mesh(smiling).export("me.ply")
```

Importing geoinv loads neither torch nor weights; names are resolved when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .align import AlignedFace
    from .camera import Camera, CameraPose
    from .errors import (
        CheckpointError,
        GeoinvError,
        MissingDependencyError,
        NativeBuildError,
        PhotoError,
        ShapeError,
        UsageError,
    )
    from .heads import Head
    from .images import read_image, write_image
    from .inversion import Inversion
    from .models.render_output import RenderOutput
    from .session import Session, load

_HOME = {
    "AlignedFace": "align",
    "Camera": "camera",
    "CameraPose": "camera",
    "CheckpointError": "errors",
    "GeoinvError": "errors",
    "Head": "heads",
    "Inversion": "inversion",
    "MissingDependencyError": "errors",
    "NativeBuildError": "errors",
    "PhotoError": "errors",
    "RenderOutput": "models.render_output",
    "Session": "session",
    "ShapeError": "errors",
    "UsageError": "errors",
    "load": "session",
    "read_image": "images",
    "write_image": "images",
}

__all__ = [
    "AlignedFace",
    "Camera",
    "CameraPose",
    "CheckpointError",
    "GeoinvError",
    "Head",
    "Inversion",
    "MissingDependencyError",
    "NativeBuildError",
    "PhotoError",
    "RenderOutput",
    "Session",
    "ShapeError",
    "UsageError",
    "__version__",
    "load",
    "read_image",
    "write_image",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'geoinv' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
