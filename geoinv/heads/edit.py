"""A change of heads, for what has to follow it: a photo's details."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ..models.on_mesh import OnMesh


@dataclass(frozen=True)
class Edit:
    """A change of a head.

    Args:
        before: [B, num_ws, w_dim] its code in the photo.
        after: [B, num_ws, w_dim] the code that is shown.
        on_mesh: Shape and light before, of heads on the head mesh.
    """

    before: Tensor
    after: Tensor
    on_mesh: OnMesh | None = None

    def expand(self, views: int) -> Edit:
        """One edit for several views of one head; its shape stays single."""
        return replace(self, before=self.before.expand(views, -1, -1), after=self.after.expand(views, -1, -1))
