"""Training of E0 by self-supervision on heads whose latent code, camera, picture and shape are known.

As in E3DGE (Lan et al., CVPR 2023, section 3.2), but on a tri-plane generator: image, latent, identity and geometry
terms, the last as opacity, depth, surface, density, normals and planes. Inputs are renders of the true heads and of the
generator's own samples, over random backgrounds and made photo-like; comparisons are with the clean heads. Known
cameras are used for rendering and teach the camera head, and so do known landmarks. Unlabelled portraits are
reconstructed as they are, and are to look like the same person.
"""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...camera import Camera, CameraPose, pose_vectors, rays_through
from ...checkpoints.store import load_encoder_file, load_generator, save_model
from ...conventions import FACE_ORBIT
from ...errors import UsageError
from ...faces.square import face_square
from ...images.tensors import at_side
from ...metrics.camera import rotation_angle_deg
from ...metrics.geometry import units_to_mm
from ...models.config import EncoderConfig
from ...models.encoder import INPUT_SIZE, GlobalEncoder
from ...models.face_landmarks import heat_loss
from ...models.generator import TriPlaneGenerator
from ...models.latent_space import LatentSpace, measure_latent_space
from ...models.precision import allow_bfloat16, fast_precision
from ...synth.dataset import sample_cameras
from ..data.face_photos import FacePhotoBatch, FacePhotos
from ..data.head_shards import HeadShards, RayBatch
from ..data.held_out_views import psnr_over, true_view, view_and_depth
from ..data.photo_augment import photo_like, random_background
from ..engine.background import in_background
from ..engine.loop import Schedule, StepBudget, Tell, TrainingLoop
from ..engine.moving_average import MovingAverage
from ..engine.processes import rank, seed_of_step
from ..engine.run_folder import RunFolder
from ..losses.likeness import likeness_loss, rendered_faces
from ..losses.rays import SampleCounts, guided_distances, own_surface, ray_losses
from ..losses.shape import shape_losses
from ..sheets import save_comparison


@dataclass(frozen=True)
class EncoderTraining:
    """Settings of a run; the defaults are what the shipped weights were trained with."""

    data: Path
    validation: Path
    out: Path
    minutes: float
    start: Path | None = None  # an encoder to go on from, of this or an earlier generator; by default random weights
    generator: str = "mini"
    photos: Path | None = None  # unlabelled portraits; every fourth is left for testing
    photos_per_step: int = 24
    heads_rendered: int = 6  # of the photos, so many are also compared as pictures and shapes
    landmark_sets: int = 256  # of random views, without pictures, to learn cameras from
    samples_per_step: int = 1  # of the photos, so many are the generator's own samples
    # Share of a run from random weights with latent and camera terms only: pictures of wrong heads teach little and
    # cost two thirds of a step.
    latent_only_share: float = 0.3
    portraits_per_step: int = 3
    faces_per_step: int = 2  # of the heads rendered, so many are also compared by what face networks see in them
    rays_per_view: int = 400  # in the input view, and as many in another view (without geometry in the same)
    samples: SampleCounts = SampleCounts()
    shape_points: int = 160  # of each head rendered: near its surface, on it, and anywhere
    learning_rate: float = 1e-3
    with_geometry: bool = True  # else with nothing that tells shapes, for comparison: see GEOMETRY
    average_decay: float = 0.998
    validate_every_minutes: float = 5.0
    seed: int = 0
    counted: StepBudget | None = None  # in place of the minutes


GREY = 0.5
LANDMARK_NOISE = 1.0 / INPUT_SIZE
"""Standard deviation of what is added to true landmarks, normalised: about the error of those that are found."""

GEOMETRY = ("alpha", "surface", "depth", "density", "normals", "planes")
"""The terms of shape. Without them all that tells shapes is left out: another view of the head, and the true surface as
the place where rays are sampled. What is left is the photo's own view, code and camera, as in the official code's
``pix_sup_only``."""

LOSS_WEIGHTS = {
    "latent": 0.05,
    "camera": 0.6,
    "landmark_camera": 0.6,
    "landmarks": 10.0,
    "heat": 0.05,
    "color": 1.0,
    "alpha": 0.5,
    "surface": 0.2,
    "depth": 0.5,
    "density": 0.2,
    "normals": 0.04,
    "planes": 0.02,
    "portrait": 0.3,
    "portrait_camera": 0.1,
    "portrait_landmarks": 2.0,
    "likeness": 0.02,
    "portrait_likeness": 0.02,
    # Without it, networks are pleased by codes that make no head: blotches, red where a smile should be.
    "portrait_spread": 0.05,
    # Nor by heads that no z makes: E0's codes of portraits lay three times as far out as those of heads, and their
    # shapes had haze about them.
    "portrait_prior": 0.03,
}


@dataclass(frozen=True)
class PhotoBatch:
    """Inputs with what is known of them.

    Args:
        images: [P, 3, S, S] in [-1, 1].
        z: [P, z_dim].
        camera: [P, 6] true pose vectors.
        landmarks: [H, 73, 2] of the first photos, normalised.
        seen: [N, 73, 2] landmarks in many views of which no picture is made, and the cameras that see them, [N, 6].
        rays: Rays of the first heads of the batch, in the input view and another.
        faces: [F, 3, S, S] in [0, 1], the input views of the first of them over grey.
    """

    images: Tensor
    z: Tensor
    camera: Tensor
    landmarks: Tensor
    seen: tuple[Tensor, Tensor]
    rays: RayBatch
    faces: Tensor

    def with_photos(self, images: Tensor, z: Tensor, camera: Tensor) -> PhotoBatch:
        """The same with more photos at the end, which have no landmarks and no rays."""
        return replace(
            self,
            images=torch.cat([self.images, images]),
            z=torch.cat([self.z, z]),
            camera=torch.cat([self.camera, camera]),
        )


def photo_batch(data: HeadShards, rng: np.random.Generator, config: EncoderTraining) -> PhotoBatch:
    """Random heads as photos."""
    heads = rng.choice(len(data), size=config.photos_per_step - config.samples_per_step, replace=False)
    views = [rng.choice(data.num_views, size=2, replace=False) for _ in heads]
    faces: list[np.ndarray] = []
    images, zs, cameras, landmarks = [], [], [], []
    for head, (view, _) in zip(heads, views, strict=True):
        rgba, _, cam2world, z = data.view(int(head), int(view))
        straight = np.asarray(rgba, np.float32) / 255.0
        images.append(_as_photo(rng, straight))
        if len(faces) < config.faces_per_step:
            faces.append(straight[..., :3] * straight[..., 3:] + GREY * (1.0 - straight[..., 3:]))
        zs.append(z)
        cameras.append(cam2world)
        landmarks.append(data.landmarks(int(head), int(view)))
    shown = [pair if config.with_geometry else pair[[0, 0]] for pair in views]
    compared = [(int(head), [int(v) for v in pair]) for head, pair in zip(heads, shown, strict=True)]
    rays = data.rays_of(rng, compared[: config.heads_rendered], rays_per_view=config.rays_per_view)
    pose = pose_vectors(torch.from_numpy(np.stack(cameras)))
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) * 2.0 - 1.0
    over_grey = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2)
    marks, seen_by = data.landmarks_and_cameras(rng, config.landmark_sets)
    noise = torch.from_numpy(rng.normal(0.0, LANDMARK_NOISE, marks.shape).astype(np.float32))
    seen = marks + noise, pose_vectors(seen_by)
    known = torch.from_numpy(np.stack(landmarks))
    return PhotoBatch(pixels, torch.from_numpy(np.stack(zs)), pose, known, seen, rays, over_grey)


def _as_photo(rng: np.random.Generator, rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:]
    picture = rgba[..., :3] * alpha + random_background(rng, rgba.shape[0]) * (1.0 - alpha)
    return photo_like(rng, picture.astype(np.float32))


@torch.no_grad()
def generator_photos(
    generator: TriPlaneGenerator, rng: np.random.Generator, count: int, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The generator's own samples as photos: images [count, 3, size, size], z, camera vectors."""
    z = torch.from_numpy(rng.standard_normal((count, generator.config.z_dim)).astype(np.float32))
    cam2world = torch.from_numpy(np.concatenate([sample_cameras(rng, 1) for _ in range(count)]))
    w_plus = generator.mapping(z)
    output = generator.render(
        generator.planes(w_plus), Camera(cam2world, FACE_ORBIT.focal), w_plus=w_plus, resolution=size // 2
    )
    rgba = F.interpolate(torch.cat([output.color, output.alpha], dim=1), size=(size, size), mode="bilinear")
    photos = []
    for picture in rgba.permute(0, 2, 3, 1).numpy():
        background = random_background(rng, size)
        photos.append(photo_like(rng, picture[..., :3] + background * (1.0 - picture[..., 3:])))
    images = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2) * 2.0 - 1.0
    return images, z, pose_vectors(cam2world)


@allow_bfloat16()
def train_encoder(config: EncoderTraining, on_progress: Tell | None = None) -> Path:
    """Train until ``config.minutes`` of training (over all resumed runs) are used up.

    Returns:
        The best weights by PSNR and depth of held-out input views, a safetensors file that ships beside its generator.
    """
    torch.manual_seed(config.seed)
    generator, info = load_generator(config.generator)
    data, validation = HeadShards(config.data), HeadShards(config.validation)
    model = EncoderConfig(generator.config.name, generator.config.num_ws, generator.config.w_dim)
    encoder = _start(model, config.start)
    encoder.w_avg.copy_(generator.w_avg)
    encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged: MovingAverage[GlobalEncoder] = MovingAverage(encoder, config.average_decay)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=0.02)
    schedule = Schedule(
        config.minutes,
        config.learning_rate,
        config.validate_every_minutes,
        log_every_steps=50,
        best_by="score",
        counted=config.counted,
    )
    loop = TrainingLoop(RunFolder(config.out), schedule, encoder, averaged, optimizer, on_progress, base=info.sha256)
    random = torch.Generator()
    portraits = FacePhotos(config.photos, data.resolution) if config.photos else None
    steps = itertools.count(loop.step)
    space = measure_latent_space(generator, seed=config.seed)

    def next_photos() -> tuple[PhotoBatch, FacePhotoBatch | None]:
        step = next(steps)
        if step % 100 == 0:
            data.refresh()
        rng = np.random.default_rng([config.seed, step, rank(), 1])
        return photo_batch(data, rng, config), _portrait_batch(portraits, rng, config)

    batches = in_background(next_photos)

    def losses(progress: float) -> dict[str, Tensor]:
        batch, portrait_batch = next(batches)
        own = np.random.default_rng([config.seed, loop.step, rank(), 2])
        random.manual_seed(seed_of_step(config.seed, loop.step))
        batch = batch.with_photos(*generator_photos(generator, own, config.samples_per_step, data.resolution))
        renders = config.start is not None or progress >= config.latent_only_share
        terms = encoder_losses(encoder, generator, batch, space, config, random, renders=renders)
        if renders and portrait_batch is not None:
            terms |= portrait_losses(encoder, generator, portrait_batch, space, config, random)
        return terms

    def figures(sheet: Path) -> dict[str, float]:
        return validate(averaged.module, generator, validation, sheet)

    def save_best(path: Path, training: dict[str, float]) -> None:
        extra = {"training": training, "generator_sha256": loop.base}
        save_model(path, averaged.module, model, extra=extra)

    with closing(batches):
        return loop.train(losses, loss_weights(config), figures, save_best)


def loss_weights(config: EncoderTraining) -> dict[str, float]:
    """Of each term in the sum."""
    return LOSS_WEIGHTS if config.with_geometry else LOSS_WEIGHTS | dict.fromkeys(GEOMETRY, 0.0)


def _start(model: EncoderConfig, weights: Path | None) -> GlobalEncoder:
    if weights is None:
        return GlobalEncoder(model)
    encoder, _ = load_encoder_file(weights)
    if encoder.config != model:
        raise UsageError(f"{weights} is another encoder than the one to train", "leave out --from to start anew")
    return encoder.train()


def encoder_losses(
    encoder: GlobalEncoder,
    generator: TriPlaneGenerator,
    batch: PhotoBatch,
    space: LatentSpace,
    config: EncoderTraining,
    random: torch.Generator,
    *,
    renders: bool,
) -> dict[str, Tensor]:
    """Latent and camera terms in units of their spread, and with ``renders`` those of pictures and shapes."""
    with fast_precision(batch.images.device):
        predicted = encoder(at_side(batch.images, INPUT_SIZE))
    with torch.no_grad():
        target = generator.mapping(batch.z)
    # the mean over codes carries the head; single codes may leave it where the picture asks for it
    latent = ((predicted.w_plus.mean(dim=1) - target[:, 0]) / space.deviations).square().mean()
    spread = _spread(predicted.w_plus, space)
    seen, seen_by = batch.seen
    known = batch.landmarks.shape[0]
    terms = {
        "latent": latent + 0.3 * spread,
        "camera": camera_loss(encoder, predicted.camera, batch.camera),
        "landmark_camera": camera_loss(encoder, encoder.camera_of(seen), seen_by),
        "landmarks": landmark_loss(predicted.landmarks[:known], batch.landmarks),
        "heat": heat_loss(predicted.heat[:known], batch.landmarks),
    }
    if not renders:
        return terms
    heads = batch.rays.z.shape[0]
    planes = generator.planes(predicted.w_plus[:heads])
    rays = batch.rays
    surface = rays.distance if config.with_geometry else own_surface(generator, planes, rays.origins, rays.directions)
    distances = guided_distances(
        rays.origins, rays.directions, surface, generator.config.render.box_side, config.samples, random
    )
    output = generator.march(planes, rays.origins, rays.directions, distances)
    terms |= ray_losses(output, rays, distances)
    if config.with_geometry:
        with torch.no_grad():
            teacher = generator.planes(target[:heads])
        terms |= shape_losses(generator, planes, teacher, rays, output, random, points=config.shape_points)
    count = batch.faces.shape[0]
    wanted = face_square(batch.faces)
    cam2world = CameraPose.from_vector(batch.camera[:count]).cam2world()
    seen = rendered_faces(generator, planes[:count], cam2world, torch.full_like(wanted, GREY), config.samples, random)
    return terms | {"likeness": likeness_loss(seen, wanted)}


def camera_loss(encoder: GlobalEncoder, told: CameraPose, true: Tensor) -> Tensor:
    """Error of cameras against pose vectors [B, 6], or as many of their first numbers as are known, in units of their
    spread."""
    known = true.shape[1]
    scale = encoder.pose_scale[:known]
    return F.smooth_l1_loss(told.as_vector()[:, :known] / scale, true / scale, beta=0.1)


def landmark_loss(told: Tensor, true: Tensor) -> Tensor:
    """Error of landmarks [B, N, 2], normalised: absolute from about a pixel on."""
    return F.smooth_l1_loss(told, true, beta=1.0 / INPUT_SIZE)


def _spread(w_plus: Tensor, space: LatentSpace) -> Tensor:
    """Mean square of how far the codes of a head lie from their mean, in units of what w spreads over heads."""
    return ((w_plus - w_plus.mean(dim=1, keepdim=True)) / space.deviations).square().mean()


def _portrait_batch(
    portraits: FacePhotos | None, rng: np.random.Generator, config: EncoderTraining
) -> FacePhotoBatch | None:
    if portraits is None:
        return None
    return portraits.batch(rng, photos=config.portraits_per_step, rays_per_photo=config.rays_per_view)


def portrait_losses(
    encoder: GlobalEncoder,
    generator: TriPlaneGenerator,
    batch: FacePhotoBatch,
    space: LatentSpace,
    config: EncoderTraining,
    random: torch.Generator,
) -> dict[str, Tensor]:
    """Error and likeness of photos' faces, seen from the predicted cameras, and those against alignment's.

    The picture teaches the code only: a camera could hide a wrong face by looking past it.
    """
    with fast_precision(batch.images.device):
        predicted = encoder(at_side(batch.images, INPUT_SIZE))
    cam2world = predicted.camera.cam2world().detach()
    planes = generator.planes(predicted.w_plus)
    output = generator.render_rays(planes, *rays_through(cam2world, batch.pixels))
    wanted = face_square(batch.photos)
    seen = rendered_faces(generator, planes, cam2world, wanted, config.samples, random)
    return {
        "portrait": (output.features[..., :3] - batch.color).square().mean(),
        "portrait_camera": camera_loss(encoder, predicted.camera, batch.camera),
        "portrait_landmarks": landmark_loss(predicted.landmarks[:, -5:], batch.landmarks5),
        "portrait_likeness": likeness_loss(seen, wanted),
        "portrait_spread": _spread(predicted.w_plus, space),
        "portrait_prior": space.coordinates(predicted.w_plus.mean(dim=1)).square().mean(),
    }


@torch.no_grad()
def validate(
    encoder: GlobalEncoder, generator: TriPlaneGenerator, heads: HeadShards, sheet: Path, count: int = 40
) -> dict[str, float]:
    """PSNR over true head pixels with the predicted camera, errors of the camera and of depth seen by it, on held-out
    heads; a sheet. In ``score`` a centimetre of depth weighs like one dB: colours fit long before cameras do."""
    rng = np.random.default_rng(0)
    side = heads.resolution
    psnr, degrees, depth_mm, truths, results = [], [], [], [], []
    for head in range(min(count, len(heads))):
        rgba, true_depth, cam2world, _ = heads.view(head, 0)
        straight = np.asarray(rgba, np.float32) / 255.0
        photo = straight[..., :3] * straight[..., 3:] + random_background(rng, side) * (1.0 - straight[..., 3:])
        predicted = encoder(at_side(torch.from_numpy(photo).permute(2, 0, 1)[None] * 2.0 - 1.0, INPUT_SIZE))
        pose = predicted.camera.cam2world()
        degrees.append(rotation_angle_deg(pose, torch.from_numpy(np.array(cam2world))[None]).item())
        result, depth = view_and_depth(generator, generator.planes(predicted.w_plus), pose[0], side)
        truth, on_head = true_view(rgba)
        psnr.append(psnr_over(result, truth, on_head))
        error = (depth - torch.from_numpy(np.asarray(true_depth[::2, ::2], np.float32)))[on_head]
        depth_mm.append(units_to_mm(error.abs().nanmean().nan_to_num(1.0).item()))
        if head < 24:
            truths.append(torch.from_numpy(photo[::2, ::2].copy()))
            results.append(result)
    save_comparison(sheet, truths, results)
    figures = {"heldout_psnr_db": psnr, "camera_deg": degrees, "depth_mm": depth_mm}
    means = {name: float(np.mean(values)) for name, values in figures.items()}
    return means | {"score": means["heldout_psnr_db"] - 0.1 * means["depth_mm"]}
