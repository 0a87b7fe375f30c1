"""Files that ``geoinv invert`` writes for a photo, and what it says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import Frame
from .photo_worker import Result

if TYPE_CHECKING:
    from ..inversion import Inversion, Inverted
    from ..present.seen import SeenHead
    from ..present.seen_together import SeenTogether
    from ..session import Session


@dataclass(frozen=True)
class InvertFiles:
    """Files that the command writes for one photo.

    Args:
        aligned: The crop, as `align` writes it.
        sheet: Photo, reconstruction, depth and normals.
        seen: What the photo did not show.
        turntable: The turning head; None without.
        report: What was measured and by which settings.
        inversion: The head itself.
    """

    aligned: Path
    sheet: Path
    seen: Path
    turntable: Path | None
    report: Path
    inversion: Path

    @classmethod
    def in_folder(cls, folder: Path, stem: str, turntable: str) -> InvertFiles:
        """The files of a photo; ``turntable`` is its format, or "none"."""
        endings = ("_aligned.png", "_inversion.png", "_seen.png", f"_turntable.{turntable}", "_report.json", ".geoinv")
        aligned, sheet, seen, video, report, inversion = (folder / f"{stem}{ending}" for ending in endings)
        return cls(aligned, sheet, seen, None if turntable == "none" else video, report, inversion)

    @property
    def outputs(self) -> list[Path]:
        """The files that may not be there before the run; the last stands for all. The crop may, if it is the same."""
        videos = [] if self.turntable is None else [self.turntable]
        return [self.sheet, self.seen, *videos, self.report, self.inversion]

    def write_pictures(self, session: Session, made: Inverted, seen: SeenHead | SeenTogether) -> list[Path]:
        """Write all pictures, and return their paths."""
        from ..images import write_image

        write_image(self.aligned, made.inversion.photo)
        write_image(self.sheet, session.inversion_sheet(made))
        write_image(self.seen, seen.picture)
        return [self.aligned, self.sheet, self.seen]

    def write_turntable(self, session: Session, made: Inverted, frames: int, frame: Frame) -> list[Path]:
        """Write the turntable, where one is wanted, and return its path; who pressed Ctrl-C should not wait for it.

        It takes longest, so it is for the end: whoever waits for the head has it by then.
        """
        from .writing import write_turning

        if self.turntable is None or is_interrupted(made):
            return []
        write_turning(session, made.inversion, self.turntable, frames=frames, frame=frame)
        return [self.turntable]


def is_interrupted(made: Inverted) -> bool:
    """Whether Ctrl-C ended the optimisation."""
    return made.run is not None and made.run.is_interrupted


def result_of(made: Inverted, files: InvertFiles, record: dict[str, Any], pictures: list[Path]) -> Result:
    """The line for people, the record for ``--json``, and the files that were written."""
    summary = (
        f"{made.inversion.source}: {record['psnr_db']:.1f} dB over the head{gain_of(made.inversion)}, "
        f"yaw {record['yaw_deg']:+.1f}, pitch {record['pitch_deg']:+.1f}, roll {record['roll_deg']:+.1f} degrees"
    )
    written = [files.inversion, *pictures, files.report]
    values = {"inversion": files.inversion, **record}
    if made.run is not None:
        values["interrupted"] = is_interrupted(made)
    return Result(summary, {**values, "files": written}, written, ends_run=is_interrupted(made))


def report(inversion: Inversion) -> dict[str, Any]:
    """The record of an inversion; everything in it is the same whenever the inversion is made again."""
    yaw_deg, pitch_deg, roll_deg = inversion.angles_deg
    return {
        "photo": inversion.source,
        "method": inversion.method,
        "steps": inversion.steps,
        **inversion.metrics,
        "yaw_deg": round(yaw_deg, 3),
        "pitch_deg": round(pitch_deg, 3),
        "roll_deg": round(roll_deg, 3),
        "outside_fraction": round(inversion.outside_fraction, 4),
        "model": inversion.generator,
        "model_sha256": inversion.generator_sha256,
        "seed": inversion.seed,
        "geoinv_version": inversion.version,
    }


def gain_of(inversion: Inversion) -> str:
    """Gain of optimisation on the face, as words for the summary."""
    before = [value for name, value in inversion.metrics.items() if name.endswith("_face_psnr_db")]
    if not before:
        return ""
    return f", face {before[0]:.1f} -> {inversion.metrics['face_psnr_db']:.1f} dB in {inversion.steps} steps"
