"""What a fit to several photos of one person gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from ...models.on_mesh import OnMesh


@dataclass(frozen=True)
class PersonFit:
    """A person in K photos.

    Args:
        w_plus: [K, num_ws, w_dim] the person in each photo: what is shared, with the photo's own expression and light.
        cameras: [K, 6] as in :class:`geoinv.CameraPose`.
        on_mesh: Shape and light in each photo, of heads on the head mesh.
        steps: Steps that were done.
        is_interrupted: Whether Ctrl-C ended the steps.
    """

    w_plus: Tensor
    cameras: Tensor
    on_mesh: OnMesh | None = field(default=None, kw_only=True)
    steps: int = field(default=0, kw_only=True)
    is_interrupted: bool = field(default=False, kw_only=True)
