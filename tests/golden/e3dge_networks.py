"""Our networks with the golden weights of the official E3DGE, and what they make of the golden inputs, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geoinv.camera import Camera, CameraPose
from geoinv.checkpoints.e3dge_layout import detail_config, encoder_config, generator_config, ours
from geoinv.checkpoints.foreign_tensors import check_fit
from geoinv.models.stylesdf import local_branch
from geoinv.models.stylesdf.config import FFHQ_ORBIT
from geoinv.models.stylesdf.encoder import StyleSdfEncoder
from geoinv.models.stylesdf.generator import StyleSdfGenerator, joined
from geoinv.models.stylesdf.local_branch import StyleSdfLocalBranch
from geoinv.models.stylesdf.volume_renderer import VolumeView

FOLDER = Path(__file__).parent
TOLERANCE = 2e-4  # the official code differs by up to 6e-5 from itself in double precision

Tensors = dict[str, Tensor]
Differences = dict[str, float]


@cache
def golden() -> Tensors:
    """What the official code computed, ``part/name``; some of it every n-th pixel, see README.md."""
    outputs = np.load(FOLDER / "e3dge_small_outputs.npz")
    tensors = {name: torch.from_numpy(outputs[name]) for name in outputs.files}
    return {name: value.float() if value.dtype == torch.float16 else value for name, value in tensors.items()}


@cache
def official_weights() -> dict[str, Tensors]:
    """The golden weights by entry and official name, with the heads of E0 that were left out for size as copies."""
    stored = np.load(FOLDER / "e3dge_small_weights.npz")
    values = np.stack([stored["low"], stored["high"]], axis=1).reshape(-1).view(np.float16)
    entries: dict[str, Tensors] = {}
    start = 0
    for name, text in zip(stored["names"].tolist(), stored["shapes"].tolist(), strict=True):
        shape = [int(size) for size in text.split()]
        count = int(np.prod(shape))
        entry, _, key = name.partition(".")
        tensor = torch.from_numpy(values[start : start + count].astype(np.float32)).reshape(shape)
        entries.setdefault(entry, {})[key] = tensor
        start += count
    encoder = entries["encoder"]
    for key in [key for key in encoder if key.startswith("styles_pigan.0.")]:
        for head in range(1, 8):
            encoder[key.replace("styles_pigan.0.", f"styles_pigan.{head}.")] = encoder[key]
    return entries


def filled(network: nn.Module, tensors: Tensors) -> nn.Module:
    """A network with tensors by our names, for use."""
    check_fit(tensors, {name: tuple(value.shape) for name, value in network.state_dict().items()}, "the network")
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


@dataclass
class Networks:
    """The three networks of a model."""

    generator: StyleSdfGenerator
    encoder: StyleSdfEncoder
    branch: StyleSdfLocalBranch
    only_2d: StyleSdfLocalBranch


def networks() -> Networks:
    """Networks of their own, which a test may break."""
    entries = official_weights()
    config = generator_config(entries["g_ema"], "golden")
    means = {"renderer_mean": golden()["mapping/w_mean"][0], "decoder_mean": golden()["mapping/decoder_w_mean"][0]}
    generator = filled(StyleSdfGenerator(config), ours("g_ema", entries["g_ema"]) | means)
    of_encoder = encoder_config(entries["encoder"], entries["d"], config)
    encoder = filled(StyleSdfEncoder(of_encoder), ours("encoder", entries["encoder"]) | ours("d", entries["d"]))
    branches = []
    for is_hybrid in (True, False):
        of_branch = detail_config(entries["netLocal"], entries["grid_align"], config, is_hybrid=is_hybrid)
        names = ["netLocal", "grid_align", *(["Fuse_sft_block"] if is_hybrid else [])]
        tensors: Tensors = {}
        for name in names:
            tensors |= ours(name, entries[name])
        branches.append(filled(StyleSdfLocalBranch(of_branch), tensors))
    return Networks(generator, encoder, *branches)  # type: ignore[arg-type]


def camera_at(azim_elev: Tensor) -> Camera:
    """The camera at azimuth and elevation [1, 2] in radians."""
    return CameraPose.from_vector(F.pad(azim_elev.float(), (0, 4))).camera(FFHQ_ORBIT)


def every(tensor: Tensor, step: int) -> Tensor:
    """Every n-th row and column of maps."""
    return tensor[..., ::step, ::step]


class Parts:
    """Each part by itself, on inputs that the parts before it gave: a mistake in one part shows in that part.

    Args:
        right: Networks without a mistake, which make the inputs.
    """

    def __init__(self, right: Networks) -> None:
        g = golden()
        self.photo = (g["encoder/photo"][None].float() / 255.0 - 0.5) / 0.5
        offsets = g["encoder/w_plus"] - right.generator.renderer_mean
        decoder = (g["encoder/decoder_w"] - right.generator.decoder_mean).expand(-1, 6, -1)
        self.w_plus = joined(offsets, decoder)
        self.source = camera_at(g["encoder/pose_azim_elev"])
        self.query = camera_at(g["hybrid/azim_elev"])
        self.source_view = right.generator.look(self.w_plus, self.source)
        self.query_view = right.generator.look(self.w_plus, self.query)
        self.residual = local_branch.residual_of(self.photo, self.source_view.thumb)
        self.features = right.branch.source_features(self.residual, self.source_view, is_edited=False)
        z = g["mapping/z"]
        self.random_w_plus = right.generator.mapping(z[:1], truncation_psi=0.7)
        self.random_camera = camera_at(g["generator/azim_elev"])
        self.random_view = right.generator.look(self.random_w_plus, self.random_camera)

    def mapping(self, nets: Networks) -> Differences:
        generator, g = nets.generator, golden()
        z = g["mapping/z"]
        w = generator.renderer_mapping(z)
        renderer_mean, decoder_mean = generator.means(z)
        truncated = generator.codes(generator.mapping(z[:8], truncation_psi=0.55))[0][:, 0]
        twice = generator.codes(generator.mapping(z[:1], truncation_psi=0.7))[1][:, :1]
        return differences(
            {
                "mapping/w": w[:8],
                "mapping/w_mean": renderer_mean[None],
                "mapping/decoder_w": generator.decoder.mapping(w[:8]),
                "mapping/decoder_w_mean": decoder_mean[None],
                "mapping/w_truncated_0_55": truncated,
                "generator/decoder_latent": twice,
            }
        )

    def camera(self, nets: Networks) -> Differences:
        g, renderer = golden(), nets.generator.renderer
        camera = camera_at(g["generator/azim_elev"])
        points, _, directions = renderer.samples(camera, 64, 24)
        points = points.reshape(1, 64, 64, 24, 3)[:, ::18, ::18, ::4]
        axes = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        query, source = camera_at(g["hybrid/azim_elev"]), camera_at(g["encoder/pose_azim_elev"])
        xy, depth = source.project(g["hybrid/index_points"])
        return differences(
            {
                "generator/camera.focal": torch.full((1, 1, 1), 64.0 * camera.focal),
                "generator/camera.poses": torch.cat(
                    [camera.cam2world[:, :3, :3] @ axes, camera.cam2world[:, :3, 3:]], dim=2
                ),
                "generator/points": points,
                "generator/view_directions": directions.reshape(1, 64, 64, 3)[:, ::9, ::9],
                "hybrid/source_xy": 2.0 * xy - 1.0,
                "hybrid/source_z": depth[..., None],
                "hybrid/index_points": renderer.samples(query, 64, 24)[0].reshape(1, -1, 3)[:, g["hybrid/index"]],
            }
        )

    def field(self, nets: Networks) -> Differences:
        sdf, logits, features = nets.generator.query(
            self.random_w_plus, golden()["generator/query_points"][None], direction=(0.0, 0.0, 0.0)
        )
        return differences(
            {
                "generator/query_sdf": sdf[0],
                "generator/query_rgb_logits": logits[0],
                "generator/query_features": features[0, ::4],
            }
        )

    def view(self, nets: Networks) -> Differences:
        view = nets.generator.look(self.random_w_plus, self.random_camera)
        return differences(
            {
                "generator/thumb": every(view.thumb, 2),
                "generator/features": every(view.features[:, ::2], 8),
                "generator/depth": every(view.depth[:, 0], 2),
                "generator/xyz": every(view.surface, 4),
                "generator/sdf": view.sdf[0, ::8, ::8, ::2],
                "generator/weights": view.weights[0, ::8, ::8],
            }
        )

    def picture(self, nets: Networks) -> Differences:
        picture = nets.generator.picture(self.random_view, self.random_w_plus)
        return differences({"generator/image": every(picture, 8)})

    def rows(self, nets: Networks) -> Differences:
        """Each row of a code in its own layer."""
        generator, g = nets.generator, golden()
        renderer = g["generator/w_plus"] - generator.renderer_mean
        w_plus = joined(renderer, g["generator/decoder_w_plus"][:, :6] - generator.decoder_mean)
        view = generator.look(w_plus, self.random_camera)
        picture = generator.picture(view, w_plus)
        return differences(
            {"generator/w_plus_thumb": every(view.thumb, 4), "generator/w_plus_image": every(picture, 8)}
        )

    def encoder(self, nets: Networks) -> Differences:
        g, code = golden(), nets.encoder.code
        taps = code.taps(self.photo)
        renderer, decoder = code(self.photo)
        estimate = nets.encoder(self.photo)
        codes, decoder_codes = nets.generator.codes(estimate.w_plus)
        heads = [0, 8]  # the heads whose weights are kept here
        return {
            **differences(
                {
                    "encoder/c128": every(taps[0], 32),
                    "encoder/c64": every(taps[1], 16),
                    "encoder/c16": every(taps[3], 4),
                    "encoder/p32": every(code.pyramid(taps)[0][:, ::2], 8),
                    "encoder/offsets_decoder": decoder[:, None],
                    "encoder/decoder_w": decoder_codes[:, :1],
                    "encoder/pose_azim_elev": estimate.camera.as_vector()[:, :2],
                }
            ),
            "offsets": worst(renderer[:, heads], g["encoder/offsets_renderer"][:, heads]),
            "w_plus": worst(codes[:, heads], g["encoder/w_plus"][:, heads]),
        }

    def pose(self, nets: Networks) -> Differences:
        pictures = torch.cat([self.photo, self.photo.flip(-1), 0.5 * self.photo, -self.photo])
        small = F.adaptive_avg_pool2d(pictures, 64)
        told = nets.encoder.pose(small)
        return differences(
            {
                "encoder/thumb_64": every(small[:1], 4),
                "encoder/pose_gan_logit": told[:1, :1],
                "encoder/pose_azim_elev": told[:1, 1:],
                "encoder/gan_logit_of_mirrored_halved_negated": told[1:, :1],
                "encoder/pose_of_mirrored_halved_negated": told[1:, 1:],
            }
        )

    def reconstruction(self, nets: Networks) -> Differences:
        view = nets.generator.look(self.w_plus, self.source)
        return differences(
            {
                "encoder/e0_thumb": view.thumb,
                "encoder/e0_depth": view.depth[:, 0],
                "encoder/e0_image": every(nets.generator.picture(view, self.w_plus), 8),
                "local/residual": every(local_branch.residual_of(self.photo, view.thumb), 16),
            }
        )

    def local(self, nets: Networks) -> Differences:
        local = nets.branch.local
        depth = F.interpolate(self.source_view.depth, size=256)
        features = nets.branch.source_features(self.residual, self.source_view, is_edited=False)
        assert features is not None
        return differences(
            {
                "local/residual_stem": every(local.residual_conv(self.residual), 16),
                "local/depth_stem": every(local.depth_conv(depth), 16),
                "local/e1_features": every(features, 8),
            }
        )

    def aligner(self, nets: Networks) -> Differences:
        aligner = nets.branch.aligner
        return differences(
            {
                "local/source_ada": every(aligner(self.residual, self.source_view.thumb), 8),
                "hybrid/ada": every(aligner(self.residual, self.query_view.thumb), 8),
            }
        )

    def fusion(self, nets: Networks) -> Differences:
        """Features and modulation of single points."""
        g, branch = golden(), nets.branch
        seen = local_branch.in_frame(self.query_view.surface.flatten(2).transpose(1, 2), self.source)
        rays = g["hybrid/index"] // 24
        points = g["hybrid/index_points"]
        fused = branch.fusion(g["hybrid/f_2d"], seen[:, rays], g["hybrid/f_3d"])  # type: ignore[misc]
        return differences(
            {
                "hybrid/visible": seen.reshape(1, 64, 64),
                "hybrid/sft": fused,
                "hybrid/position_code": local_branch.place_code(points),
                "hybrid/alpha_beta": branch.film(g["hybrid/sft"], points),
            }
        )

    def hybrid(self, nets: Networks) -> Differences:
        """A whole query view with details."""
        view = self._fused(nets, nets.branch, self.w_plus, self.features, self.query, self.query_view)
        picture = nets.generator.picture(view, self.w_plus)
        return differences(
            {
                "hybrid/query_thumb": every(self.query_view.thumb, 2),
                "hybrid/query_depth": every(self.query_view.depth[:, 0], 2),
                "hybrid/query_xyz": every(self.query_view.surface, 4),
                "hybrid/query_e1_features": every(self._query_features(nets), 8),
                "hybrid/fused_thumb": every(view.thumb, 2),
                "hybrid/fused_features": every(view.features[:, ::2], 8),
                "hybrid/fused_image": every(picture, 8),
            }
        )

    def only_2d(self, nets: Networks) -> Differences:
        features = nets.only_2d.source_features(self.residual, self.source_view, is_edited=False)
        view = self._fused(nets, nets.only_2d, self.w_plus, features, self.query, self.query_view)
        return differences(
            {
                "hybrid/only_2d_thumb": every(view.thumb, 2),
                "hybrid/only_2d_image": every(nets.generator.picture(view, self.w_plus), 8),
            }
        )

    def source_photo(self, nets: Networks) -> Differences:
        """The photo's own view with details."""
        view = self._fused(nets, nets.branch, self.w_plus, self.features, self.source, self.source_view)
        return differences(
            {
                "local/source_fused_thumb": every(view.thumb, 2),
                "local/source_fused_image": every(nets.generator.picture(view, self.w_plus), 8),
            }
        )

    def edit(self, nets: Networks) -> Differences:
        g, generator = golden(), nets.generator
        smile, young = g["edit/scales"][1], g["edit/scales"][3]
        renderer = smile * g["edit/smiling_renderer"] + young * g["edit/young_renderer"]
        decoder = smile * g["edit/smiling_decoder"] + young * g["edit/young_decoder"]
        w_plus = self.w_plus + joined(renderer[:, None].expand(-1, 9, -1), decoder[:, None].expand(-1, 6, -1))
        source, query = generator.look(w_plus, self.source), generator.look(w_plus, self.query)
        features = nets.branch.source_features(self.residual, source, is_edited=True)
        assert features is not None
        view = self._fused(nets, nets.branch, w_plus, features, self.query, query)
        return differences(
            {
                "edit/edited_w_plus": generator.codes(w_plus)[0],
                "edit/edited_decoder_w": generator.codes(w_plus)[1][:, :1],
                "edit/edited_source_thumb": every(source.thumb, 2),
                "edit/edited_source_depth": every(source.depth[:, 0], 2),
                "edit/residual_to_edit": every(nets.branch.aligner(self.residual, source.thumb), 8),
                "edit/e1_features": every(features, 8),
                "edit/query_ada": every(nets.branch.aligner(self.residual, query.thumb), 8),
                "edit/query_thumb": every(query.thumb, 2),
                "edit/fused_thumb": every(view.thumb, 2),
                "edit/fused_image": every(generator.picture(view, w_plus), 8),
            }
        )

    def surface(self, nets: Networks) -> Differences:
        view = nets.generator.look(self.w_plus, self.source, side=32, count=32)
        return differences(
            {
                "surface/sdf": view.sdf[0, ::4, ::4, ::2],
                "surface/depth": every(view.depth[:, 0], 2),
                "surface/xyz": every(view.surface, 2),
            }
        )

    def _query_features(self, nets: Networks) -> Tensor:
        return nets.branch.query_features(self.residual, self.query_view)

    def _fused(
        self,
        nets: Networks,
        branch: StyleSdfLocalBranch,
        w_plus: Tensor,
        features: Tensor | None,
        camera: Camera,
        seen: VolumeView,
    ) -> VolumeView:
        modulate = branch.modulation(self.residual, features, self.source, seen)
        view: VolumeView = nets.generator.renderer(nets.generator.codes(w_plus)[0], camera, modulate=modulate)
        return view


def differences(made: Tensors) -> Differences:
    """Largest difference of each to the golden one of its name."""
    return {name: worst(value, golden()[name]) for name, value in made.items()}


def worst(made: Tensor, expected: Tensor) -> float:
    """Largest difference of two tensors of one shape."""
    assert made.shape == expected.shape, f"{list(made.shape)} is not {list(expected.shape)}"
    return float((made.float() - expected.float()).abs().max())
