"""A session: weights loaded once, then align, invert, render, edit and mesh on arrays and tensors.

The commands of ``geoinv`` are thin callers of this class.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .camera import Camera, CameraPose
from .camera.orbits import WHOLE_HEAD_ZOOM
from .conventions import CROP_SIZE
from .errors import CheckpointError, MissingDetailsError, MissingDirectionsError, ShapeError, UsageError
from .heads import AnchoredHead, DetailedHead, Edit, GroupedHead, Head, PlainHead, detailed_head, each_view, plain_head
from .images import Photo as ReadPhoto
from .inversion import Inversion, Inverted, Provenance, default_method, method_named
from .inversion.encode import around_of, source_of
from .inversion.group.together import kept_head
from .inversion.kept_heads import KeptHeads
from .inversion.methods import GivenPhoto, SinglePass
from .loaded_models import Landmarks, LoadedModels
from .made_once import made_once
from .models.local_branch import LocalBranch
from .models.render_output import RenderOutput
from .notices import notify
from .progress import OnCount, OnFraction

if TYPE_CHECKING:
    import trimesh

    from .align import AlignedFace
    from .align.crops import CropName
    from .avatar import Avatar
    from .editing import IdentityBound
    from .inversion.group import Person
    from .inversion.optimise.refine import OnStep, Refinement
    from .mesh.printing import PrintedSolid
    from .present.pictures import Picture
    from .present.seen import SeenHead
    from .present.seen_together import SeenTogether
    from .shape import HeadCodes

Photo = str | os.PathLike[str] | NDArray[Any] | ReadPhoto
Angles = float | Sequence[float]


class Session(LoadedModels):
    """From photos to heads, views, edits and meshes, by the models that it loads; see :class:`LoadedModels`."""

    @made_once
    def _heads(self) -> KeptHeads:
        return KeptHeads()

    @classmethod
    def load(
        cls,
        model: str = "mini",
        device: str = "auto",
        seed: int = 0,
        *,
        landmarks: Landmarks = "mediapipe",
        shown_with: str | os.PathLike[str] | None = None,
        encoder: str | os.PathLike[str] | None = None,
        details: str | os.PathLike[str] | None = None,
    ) -> Session:
        """A session whose generator is loaded at once, so that missing weights are reported here.

        Raises:
            UsageError: A device that is not there.
            CheckpointError: Weights that are missing or damaged, or ``shown_with`` is of another family.
        """
        session = cls(model, device, seed, landmarks=landmarks, shown_with=shown_with, encoder=encoder, details=details)
        _ = session.generator, session.shown_info
        return session

    def align(self, photo: Photo, *, face: int | None = None) -> AlignedFace:
        """Find a face and crop it the way that the generator expects.

        Args:
            photo: A path, RGB uint8 [H, W, 3], or what :func:`geoinv.images.read_photo` gave.
            face: Index of the face, by size from 0; the largest if None.

        Raises:
            PhotoError: An unreadable photo, or no such face.
        """
        return self.aligner.align(_as_photo(photo), face=face, crop=self.crop)

    def invert(
        self,
        photo: Photo | AlignedFace,
        *,
        face: int | None = None,
        source: str | None = None,
        pose: CameraPose | None = None,
        method: str | None = None,
        refinement: Refinement | None = None,
    ) -> Inversion:
        """The head of a photo, as a code of the generator and a camera.

        Args:
            photo: A path, RGB uint8 [H, W, 3], or a face that :meth:`align` gave.
            face: Index of the face as in :meth:`align`; not for a face that is aligned already.
            source: Name kept in the inversion; the file's name where a path is given.
            pose: The camera, where it is known.
            method: A name in :data:`geoinv.inversion.METHODS`. By default ``hybrid``, or where the model has no local
                branch ``encoder``, which a notice says.
            refinement: Budget and weights of ``optimise`` and ``pti``.

        Raises:
            PhotoError: An unreadable photo, or no such face.
            UsageError: An unknown method, or a refinement for one that takes none.
            MissingEncoderError: The method needs the generator's encoder, and there is none.
            MissingDetailsError: ``method="hybrid"``, and there is no local branch for generator and encoder.
        """
        return self.inverted(photo, face=face, source=source, pose=pose, method=method, refinement=refinement).inversion

    def inverted(
        self,
        photo: Photo | AlignedFace,
        *,
        face: int | None = None,
        source: str | None = None,
        pose: CameraPose | None = None,
        method: str | None = None,
        refinement: Refinement | None = None,
        on_step: OnStep | None = None,
    ) -> Inverted:
        """An inversion as by :meth:`invert`, with the head and its views in the photo's camera, which come with it.

        Args:
            photo: Photo as in :meth:`invert`, as are all other arguments.
            on_step: Function that is called after each step of optimisation. Ctrl-C ends the steps; the best so far is
                returned.
        """
        aligned = self._aligned(photo, face)
        chosen = default_method(self) if method is None else method_named(method)
        if refinement is not None and not chosen.is_optimised:
            raise UsageError(
                f"a refinement goes with a method that runs in steps, not with {chosen.name}",
                "give method='optimise' or method='pti'",
            )
        provenance = Provenance(
            (_name_of(photo) if source is None else source) or "photo",
            self.info.name,
            self.info.sha256,
            self.seed,
            self.branch_file if isinstance(chosen, SinglePass) and chosen.has_details else None,
        )
        made = chosen.invert(self, GivenPhoto(aligned, provenance, pose), refinement, on_step)
        if self.shown_with is None:
            self._heads.keep(made.inversion, made.head)
        return made

    def inverted_together(
        self,
        photos: Sequence[Photo | AlignedFace],
        *,
        sources: Sequence[str] | None = None,
        on_step: OnStep | None = None,
    ) -> Person:
        """One head of several photos of a person.

        Identity and appearance are fitted to all photos at once; each has its own expression, light and camera. Places
        show the details of the photos that saw them best. The first photo decides the expression and the light.

        Args:
            photos: Photos of one person, or faces that :meth:`align` gave; photos of someone else are left out.
            sources: Names kept in the inversion; the files' names where paths are given.
            on_step: Function that is called after each step. Ctrl-C ends the steps; the best so far is returned.

        Raises:
            PhotoError: An unreadable photo, or no face.
            UsageError: No photos, or a model of StyleSDF's family.
            MissingEncoderError: The model has no encoder.
        """
        from .inversion.group import invert_together

        if not photos:
            raise UsageError("no photos of the person", "give one or more")
        generator, encoder = self.generator_of_planes, self.encoder
        branch = self.triplane_branch if self.local_branch_or_notice is not None else None
        names = [_name_of(photo) for photo in photos] if sources is None else list(sources)
        faces = [self._aligned(photo) for photo in photos]
        kept_branch = None if branch is None else self.branch_file
        made = invert_together(
            faces,
            generator,
            encoder,
            [Provenance(name, self.info.name, self.info.sha256, self.seed, kept_branch) for name in names],
            branch=branch,
            directions=self.directions_or_notice(),
            on_step=on_step,
        )
        if self.shown_with is None:
            self._heads.keep(made.inverted.inversion, made.inverted.head)
        return made

    def _aligned(self, photo: Photo | AlignedFace, face: int | None = None) -> AlignedFace:
        """A photo as by :meth:`align`, or a face that was aligned before.

        Raises:
            UsageError: It was cut in another way than the model wants, or the model's pictures are not of faces.
        """
        crop = self.crop
        if isinstance(photo, str | os.PathLike | np.ndarray | ReadPhoto):
            return self.align(photo, face=face)
        if photo.crop != crop:
            raise UsageError(
                f"the face is cut as {photo.crop}, model {self.info.name} wants {crop}",
                "align the photo by this session",
            )
        return photo

    def directions_or_notice(self) -> Mapping[str, Tensor]:
        """The edit directions for several photos of a person; none where there are none, and a notice says what lacks
        them. On the head mesh none are needed: shape and light are apart from the code."""
        from .models.anchored_generator import AnchoredGenerator

        if isinstance(self.generator, AnchoredGenerator):
            return {}
        try:
            return self.directions.vectors
        except MissingDirectionsError as error:
            notify(f"a person's photos share expression and light: {error.message}")
            return {}

    def head(self, inversion: Inversion) -> Head:
        """The head of an inversion, ready to be seen: by its own tuned generator where it was made by ``pti``, and with
        the details of its photo where it has them; or by ``shown_with``, which knows neither.

        The last heads are kept, so that asking again costs nothing.

        Raises:
            CheckpointError: An inversion of another generator, a tuned one in a session with ``shown_with``, or one
                with details while the generator here has no local branch.
        """
        self.check(inversion)
        return self._heads.get(inversion, self._make_head)

    @torch.no_grad()
    def _make_head(self, inversion: Inversion) -> Head:
        from .editing.expressions import moved
        from .heads.tuned import tuned_generator
        from .shape import HeadCodes

        after = inversion.w_plus.to(self.device)
        on_mesh = None if inversion.on_mesh is None else inversion.on_mesh.to(self.device)
        if (shown := self.shown_generator) is not None:
            if inversion.tuning:
                raise CheckpointError(
                    f"the inversion of {inversion.source} tunes its own generator ({inversion.method}), which does not "
                    f"go with {self.shown_with}",
                    "invert the photo with another --method to show it with another generator",
                )
            return plain_head(shown, after, on_mesh)
        plain = plain_head(tuned_generator(self.generator, inversion.tuning), after, on_mesh)
        if inversion.details is None:
            return plain
        try:
            branch = self.local_branch_of(inversion.branch)
        except MissingDetailsError as error:
            raise MissingDetailsError(
                f"the inversion of {inversion.source} has details, which cannot be shown: {error.message}",
                "put the model's -details.safetensors back beside its generator, or invert with --method encoder",
            ) from error
        edit = None
        if inversion.edits or inversion.photo_light is not None:
            back = {name: -strength for name, strength in inversion.edits.items()}
            shape_before = moved(on_mesh, self.directions, back) if on_mesh is not None and back else on_mesh
            if shape_before is not None and inversion.photo_codes is not None:
                codes = HeadCodes.from_vector(inversion.photo_codes.to(self.device))
                shape_before = replace(shape_before, codes=codes)
            if shape_before is not None and inversion.photo_light is not None:
                shape_before = replace(shape_before, light=inversion.photo_light.to(self.device))
            edit = Edit(self._with(after, back) if back else after, after, shape_before)
        if inversion.others and isinstance(plain, PlainHead | AnchoredHead) and isinstance(branch, LocalBranch):
            return kept_head(inversion, plain, edit, branch)
        source = source_of(inversion.details, inversion.pose, plain)
        around = around_of(inversion.around, inversion.crop, inversion.source_size)
        return detailed_head(plain, branch, source, edit=edit, around=around)

    @torch.no_grad()
    def enlarged(self, inversion: Inversion, side: int | None = None, *, photo: Photo | None = None) -> Head:
        """The head of an inversion in views of another size, with what the photo shows between the generator's pixels.

        Args:
            inversion: Result of :meth:`invert` or :meth:`edit`.
            side: Side of its views in pixels, not below the generator's own; at that, it is the head itself. None takes
                twice the generator's own, up to the 512 of the photo's crop; and its own where that is larger or the
                head keeps no details of one photo.
            photo: The photo that was inverted, for its full resolution; None takes the crop of 512 px that the
                inversion keeps.

        Raises:
            PhotoError: ``photo`` is not the one that was inverted.
            UsageError: A side below the generator's, or above it for a head that keeps no details of one photo.
        """
        from .heads import EnlargedHead
        from .images.tensors import at_side, mask_tensor, photo_tensor
        from .inversion.aligned_photo import aligned_photo
        from .inversion.reconstruct import persons_in

        head, own = self.head(inversion), (self.shown_generator or self.generator).config.resolution
        if side is None:
            side = max(own, min(2 * own, CROP_SIZE)) if isinstance(head, DetailedHead) else own
        if side == own:
            return head
        if side < own:
            raise UsageError(f"views of {side} px: this generator's have {own}", f"ask for {own} or more")
        if not isinstance(head, DetailedHead):
            raise UsageError(
                f"the head of {inversion.source} keeps no details of one photo, so {side} px would show no more",
                f"leave the size at {own} px, or invert one photo without --method",
            )
        aligned = photo_tensor(aligned_photo(inversion, side, _pixels(photo)))
        person = at_side(persons_in(at_side(aligned, CROP_SIZE)), side)
        shown = (part.to(self.device) for part in (aligned, person, mask_tensor(inversion.inside)))
        return EnlargedHead(head, *shown)

    @property
    def crop(self) -> CropName:
        """Name of the crop of people's faces that the generator's pictures are.

        Raises:
            UsageError: Its pictures are of something else.
        """
        from .align.crops import CROPS

        crop = next((name for name in CROPS if name == self.generator.config.crop), None)
        if crop is None:
            raise UsageError(
                f"model {self.info.name} does not show people's faces, and geoinv crops nothing else",
                "use a model of faces, such as --model mini",
            )
        return crop

    def check_crop(self) -> None:
        """Refuse to invert photos into a generator whose pictures are not crops of people's faces.

        Raises:
            UsageError: Its pictures are of something else.
        """
        _ = self.crop

    def check(self, inversion: Inversion) -> None:
        """Refuse an inversion of another generator.

        Raises:
            CheckpointError: Its code means nothing to the generator of this session.
        """
        if inversion.generator_sha256 != self.info.sha256:
            raise CheckpointError(
                f"the inversion of {inversion.source} was made by generator {inversion.generator} "
                f"({inversion.generator_sha256[:12]}), this is {self.info.name} ({self.info.sha256[:12]})",
                "give the generator that made it with --model, or invert the photo again",
            )
        expected = (1, self.generator.config.num_ws, self.generator.config.w_dim)
        if tuple(inversion.w_plus.shape) != expected:
            raise CheckpointError(
                f"the inversion of {inversion.source} holds codes {list(inversion.w_plus.shape)}, not {list(expected)}",
                "invert the photo again",
            )

    def render(
        self,
        inversion: Inversion,
        *,
        yaw_deg: Angles | None = None,
        pitch_deg: Angles | None = None,
        camera: Camera | None = None,
    ) -> RenderOutput:
        """Views of a head.

        Args:
            inversion: Result of :meth:`invert` or :meth:`edit`.
            yaw_deg: Camera yaws; positive looks from the head's left, so that the face turns to image left.
            pitch_deg: Camera pitches, positive from above; one angle or as many as yaws.
            camera: Cameras instead of angles. With neither, the photo's own view.

        Returns:
            ``color`` [N, 3, H, W], ``alpha``, ``depth`` [N, 1, H, W] of all views.
        """
        head = self.head(inversion)
        return RenderOutput.cat(list(each_view(head, self.cameras(inversion, yaw_deg, pitch_deg, camera))))

    def cameras(
        self,
        inversion: Inversion,
        yaw_deg: Angles | None = None,
        pitch_deg: Angles | None = None,
        camera: Camera | None = None,
    ) -> Camera:
        """The cameras that the arguments of :meth:`render` stand for.

        Raises:
            UsageError: Angles and cameras together, or lists of different lengths.
        """
        if camera is not None:
            if yaw_deg is not None or pitch_deg is not None:
                raise UsageError("give angles or a camera, not both")
            return camera
        if yaw_deg is None and pitch_deg is None:
            return inversion.pose.camera(self.orbit)
        yaws, pitches = _as_list(yaw_deg), _as_list(pitch_deg)
        count = max(len(yaws), len(pitches))
        if len(yaws) not in (1, count) or len(pitches) not in (1, count):
            raise UsageError(
                f"{len(yaws)} yaws do not go with {len(pitches)} pitches", "give as many of each, or one of either"
            )
        if not (np.all(np.isfinite(yaws)) and np.all(np.abs(pitches) < 90.0)):
            raise UsageError("pitches must lie between -90 and 90 degrees", "yaws may be any angle")
        angles = torch.zeros(count, 6)
        angles[:, 0] = torch.deg2rad(torch.tensor(yaws, dtype=torch.float32))
        angles[:, 1] = torch.deg2rad(torch.tensor(pitches, dtype=torch.float32))
        return CameraPose.from_vector(angles).camera(self.orbit)

    def edit(self, inversion: Inversion, strengths: Mapping[str, float]) -> Inversion:
        """The head with attributes changed.

        Args:
            inversion: Result of :meth:`invert` or of an earlier edit.
            strengths: Strength by attribute: 1 is an edit that everybody sees, negative the other way. What leads
                beyond the heads that the generator knows is bounded, with a notice; ``edits`` of the result has what
                was applied.

        Raises:
            UsageError: An attribute that the generator has no direction for (the hint has near names), or a strength
                that is not finite.
        """
        from .editing.expressions import moved

        changes = self._bounded(inversion, strengths)
        on_mesh = None if inversion.on_mesh is None else moved(inversion.on_mesh, self.directions, changes)
        return inversion.edited(self._with(inversion.w_plus, changes), changes, on_mesh)

    def relight(self, inversion: Inversion, light: str | Tensor) -> Inversion:
        """The head under another light.

        Args:
            inversion: Result of :meth:`invert` or :meth:`edit`, on the head mesh.
            light: A name of :data:`geoinv.light.LIGHTS`, the path of a panorama (.exr, .hdr), or coefficients
                [1, 9, 3].

        Raises:
            UsageError: Neither a name nor a panorama, or the model's heads have their light in their colours.
        """
        from .light import light_named

        if inversion.on_mesh is None:
            raise UsageError(
                f"heads of model {inversion.generator} have the photo's light in their colours",
                "a generator on the head mesh keeps light apart: train one with `geoinv train generator --anchored`",
            )
        light = light_named(light) if isinstance(light, str) else light
        own = inversion.photo_light if inversion.photo_light is not None else inversion.on_mesh.light
        return replace(inversion, on_mesh=replace(inversion.on_mesh, light=light), photo_light=own)

    def _bounded(self, inversion: Inversion, strengths: Mapping[str, float]) -> dict[str, float]:
        from .editing import bounded_strengths
        from .editing.expressions import bounded_units, is_unit

        self.check(inversion)
        asked = {name: float(strength) for name, strength in strengths.items()}
        units = {name: asked.pop(name) for name in strengths if inversion.on_mesh is not None and is_unit(name)}
        bounded = bounded_strengths(inversion.w_plus, self.directions, asked, self.reach)
        if inversion.on_mesh is not None:
            bounded |= bounded_units(inversion.on_mesh, units)
        return {name: bounded[name] for name in strengths}

    def _with(self, w_plus: Tensor, strengths: Mapping[str, float]) -> Tensor:
        from .editing import apply_edits

        return apply_edits(w_plus, self.directions, strengths)

    def edit_within(
        self, inversion: Inversion, strengths: Mapping[str, float], limit: float
    ) -> tuple[Inversion, IdentityBound]:
        """An edit as by :meth:`edit`, with all strengths scaled down so far that the person stays the same.

        Args:
            inversion: Result of :meth:`invert` or of an earlier edit.
            strengths: Strengths as for :meth:`edit`.
            limit: Largest identity distance, seen from the front, between the head before and after; one person's
                photos lie 0.2 to 0.5 apart, 0.6 is where another person begins.
        """
        from .editing import largest_scale
        from .faces.identity import identity_descriptor

        def descriptor(head: Inversion) -> Tensor:
            return identity_descriptor(self.render(head).over_grey())

        whole = self._bounded(inversion, strengths)

        def scaled(scale: float) -> Inversion:
            return self.edit(inversion, {name: scale * strength for name, strength in whole.items()})

        with torch.no_grad():
            before = descriptor(inversion)
            bound = largest_scale(lambda scale: (descriptor(scaled(scale)) - before).norm().item(), limit)
        return scaled(bound.scale), bound

    def mesh(
        self,
        inversion: Inversion,
        *,
        resolution: int = 192,
        simplify: int | None = None,
        on_progress: OnFraction | None = None,
    ) -> trimesh.Trimesh:
        """The head as one closed, coloured mesh in millimetres, y up.

        Args:
            inversion: Result of :meth:`invert` or :meth:`edit`.
            resolution: Cells along a side of the box of 370 mm.
            simplify: Number of triangles to reduce to, about; None keeps all.
            on_progress: Function that is called with the fraction of the work that is done, up to 1.
        """
        from .mesh import extract_mesh

        return extract_mesh(self.head(inversion), resolution=resolution, simplify=simplify, on_progress=on_progress)

    def avatar(
        self,
        inversion: Inversion,
        *,
        photo: Photo | None = None,
        texture: int = 2048,
        has_hair: bool = True,
        is_albedo: bool = False,
        person: HeadCodes | None = None,
        on_progress: OnFraction | None = None,
    ) -> Avatar:
        """The head as a rigged avatar; see :func:`geoinv.avatar.write_avatar` for files.

        Args:
            inversion: Result of :meth:`invert` or :meth:`edit`.
            photo: The photo that was inverted, for a texture of its full resolution; None takes the crop of 512 px that
                the inversion keeps.
            texture: Texels along a side of the skin's texture.
            has_hair: Whether hair and clothes are part of it, as a mesh of their own.
            is_albedo: Whether light is taken out of the skin, as far as its shading in the photo tells it.
            person: Codes at rest of the person, where more than this photo tells them, such as a clip.
            on_progress: Function that is called with the fraction of the work that is done, up to 1.

        Raises:
            PhotoError: No face is found in the aligned photo, or ``photo`` is not the one that was inverted.
        """
        from .avatar import make_avatar

        return make_avatar(
            inversion,
            self.head(inversion),
            self.aligner,
            self.shown_info or self.info,
            photo=_pixels(photo),
            texture=texture,
            has_hair=has_hair,
            is_albedo=is_albedo,
            person=person,
            on_progress=on_progress,
        )

    def bust(
        self, inversion: Inversion, *, height_mm: float = 60.0, photo: Photo | None = None, has_hair: bool = True
    ) -> PrintedSolid:
        """The head as one manifold solid with a flat base for a 3D printer; see :mod:`geoinv.mesh.printing` for files.

        Args:
            inversion: Result of :meth:`invert` or :meth:`edit`.
            height_mm: Height from base to top, 20 to 400.
            photo: The photo that was inverted, as for :meth:`avatar`.
            has_hair: Whether hair and clothes are part of it.

        Raises:
            PhotoError: No face is found in the aligned photo, or ``photo`` is not the one that was inverted.
            MissingDependencyError: The package manifold3d is missing.
        """
        from .avatar.bust import make_bust

        return make_bust(
            inversion,
            self.head(inversion),
            self.aligner,
            self.shown_info or self.info,
            height_mm=height_mm,
            has_hair=has_hair,
            photo=_pixels(photo),
        )

    def seen(self, head: Inversion | Inverted) -> SeenHead | SeenTogether:
        """Metrics and a picture of what the photo showed of a head, what is guessed, and how far details change it; of
        several photos, which of them each view comes from."""
        from .heads import view_pairs
        from .present.seen import seen_cameras, seen_head
        from .present.seen_together import seen_together

        inverted = self._as_inverted(head)
        views = list(view_pairs(inverted.head, seen_cameras(inverted.head.orbit)))
        if isinstance(inverted.head, GroupedHead):
            return seen_together(photos_of(inverted.inversion), inverted.head, views)
        return seen_head(inverted.inversion.photo, inverted.views, views, inverted.inversion.inside)

    def inversion_sheet(self, head: Inversion | Inverted) -> Picture:
        """Photo, reconstruction, depth and normals side by side, uint8 [H, W, 3]; a row for each of several photos."""
        from .present.view_pictures import group_sheet, inversion_sheet

        inverted = self._as_inverted(head)
        if inverted.inversion.others:
            made = inverted.head
            poses = [other.pose for other in inverted.inversion.others]
            views = [view for pose in poses for view in each_view(made, pose.camera(made.orbit))]
            return group_sheet(photos_of(inverted.inversion), [inverted.views.shown, *views])
        return inversion_sheet(inverted.inversion, inverted.views.shown)

    @torch.no_grad()
    def _as_inverted(self, head: Inversion | Inverted) -> Inverted:
        """An inversion with its head as the photo sees it, which inverting gives anyway."""
        if isinstance(head, Inverted):
            return head
        made = self.head(head)
        return Inverted(head, made, made.view_pair(head.pose.camera(made.orbit)))

    def turntable(
        self,
        inversion: Inversion,
        path: str | os.PathLike[str],
        *,
        frames: int = 48,
        on_frame: OnCount | None = None,
        zoom: float = WHOLE_HEAD_ZOOM,
    ) -> None:
        """Write a video of the turning head, .mp4 or .gif; ``on_frame`` is called with the number of frames done.

        A ``zoom`` of 1 shows what the photo's crop shows, the default the whole head.

        Raises:
            UsageError: Another suffix.
            MissingDependencyError: No ffmpeg for .mp4.
        """
        from .present.views import write_turntable

        write_turntable(self.enlarged(inversion), Path(path), frames=frames, on_frame=on_frame, zoom=zoom)

    def strength_strip(
        self,
        inversion: Inversion,
        strengths: Mapping[str, float],
        count: int = 5,
        *,
        on_view: OnCount | None = None,
        zoom: float = 1.0,
    ) -> Picture:
        """An edit from the front at ``count`` factors of its strengths, from -1 to 1, side by side, uint8 [H, W, 3].

        Labels name the strengths that were applied. A ``zoom`` below 1 shows more than the photo's crop. ``on_view``
        is called with the number of pictures done.
        """
        from .present.views import front_row

        def heads() -> Iterator[tuple[str, Head]]:
            for factor in np.linspace(-1.0, 1.0, count).tolist():
                edited = self.edit(inversion, {name: factor * strength for name, strength in strengths.items()})
                applied = {name: edited.edits[name] - inversion.edits.get(name, 0.0) for name in strengths}
                yield " ".join(f"{name} {strength:+.2g}" for name, strength in applied.items()), self.head(edited)

        return front_row(heads(), on_view, zoom=zoom)


def load(
    model: str = "mini",
    device: str = "auto",
    seed: int = 0,
    *,
    landmarks: Landmarks = "mediapipe",
    shown_with: str | os.PathLike[str] | None = None,
) -> Session:
    """Load a model once, for many photos; see :meth:`Session.load`."""
    return Session.load(model, device, seed, landmarks=landmarks, shown_with=shown_with)


def photos_of(inversion: Inversion) -> dict[str, NDArray[Any]]:
    """The aligned photos of an inversion by their names, the first one first; names that come twice are counted."""
    photos: dict[str, NDArray[Any]] = {inversion.source: inversion.photo}
    for number, other in enumerate(inversion.others, start=2):
        photos[other.source if other.source not in photos else f"{other.source} ({number})"] = other.photo
    return photos


def _name_of(photo: Photo | AlignedFace) -> str:
    """Name of a photo's file; ``photo`` where it is none."""
    return Path(photo).name if isinstance(photo, str | os.PathLike) else "photo"


def _as_photo(photo: Photo) -> NDArray[Any] | ReadPhoto:
    if isinstance(photo, str | os.PathLike):
        from .images import read_photo

        return read_photo(photo)
    if isinstance(photo, np.ndarray) and (photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8):
        raise ShapeError(f"photo must be uint8 [H, W, 3], got {photo.dtype} {list(photo.shape)}")
    return photo


def _pixels(photo: Photo | None) -> NDArray[Any] | None:
    read = None if photo is None else _as_photo(photo)
    return read.pixels if isinstance(read, ReadPhoto) else read


def _as_list(angles: Angles | None) -> list[float]:
    if angles is None:
        return [0.0]
    values = [float(angles)] if isinstance(angles, int | float) else [float(angle) for angle in angles]
    if not values:
        raise UsageError("an empty list of angles")
    return values
