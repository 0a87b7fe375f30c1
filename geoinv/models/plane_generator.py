"""What generators of planes have in common: codes from z, planes from codes, cameras, and samples along rays."""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..camera import Camera, CameraPose
from ..ops.render_rays import RaySampling
from .backbone import SynthesisNetwork
from .config import GeneratorConfig
from .mapping import MappingNetwork
from .precision import fast_precision


class PlaneGenerator(nn.Module):
    """Mapping and backbone, built from a configuration alone; what reads the planes is up to the kind of generator."""

    plane_count: ClassVar[int]
    """Planes of a head."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = nn.ModuleDict(
            {"mapping": MappingNetwork(config.mapping), "synthesis": SynthesisNetwork(config.backbone)}
        )

    @property
    def w_avg(self) -> Tensor:
        """[w_dim] mean of w."""
        return self.backbone["mapping"].w_avg  # type: ignore[return-value]

    def mapping(
        self,
        z: Tensor,
        label: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """z [B, z_dim] (and label [B, 25] where conditioned) -> w_plus [B, num_ws, w_dim].

        ``truncation_psi`` pulls the first ``truncation_cutoff`` codes (all if None) toward the mean:
        w_avg + psi * (w - w_avg).
        """
        w = self.backbone["mapping"](z, label)
        w_plus: Tensor = w[:, None].expand(-1, self.config.num_ws, -1)
        if truncation_psi == 1.0:
            return w_plus
        pulled = self.w_avg + truncation_psi * (w_plus[:, :truncation_cutoff] - self.w_avg)
        return torch.cat([pulled, w_plus[:, pulled.shape[1] :]], dim=1)

    def planes(self, w_plus: Tensor) -> Tensor:
        """w_plus [B, num_ws, w_dim] -> float32 planes [B, P, C, R, R], P being ``plane_count``."""
        with fast_precision(w_plus.device):
            painted = self.backbone["synthesis"](w_plus)
        side = painted.shape[-1]
        planes: Tensor = painted.float().reshape(painted.shape[0], self.plane_count, -1, side, side)
        return planes

    def camera(self, pose: CameraPose) -> Camera:
        """The cameras that stand at poses on this generator's orbit, with its lens."""
        return pose.camera(self.config.orbit)

    @property
    def sampling(self) -> RaySampling:
        """Sampling of rays."""
        render = self.config.render
        fields = asdict(render) | {"far": render.sampled_to, "third_plane": self.config.third_plane}
        return RaySampling(**fields)
