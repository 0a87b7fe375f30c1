"""Options that several commands share, so that they read alike everywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..inversion.methods import DEFAULT, METHODS

if TYPE_CHECKING:
    from ..inversion import Refinement

DEFAULT_OUT = Path("outputs")
MAX_SEED = 2**32 - 1  # what numpy takes; torch takes more


class Landmarks(str, Enum):
    """The face detectors."""

    mediapipe = "mediapipe"
    face_alignment = "face-alignment"


Method = Enum("Method", {name: name for name in METHODS}, type=str)  # type: ignore[misc]  # wants its names here
"""How a photo is inverted."""


def finite(value: float | None) -> float | None:
    """Check a number of an option: ``nan`` and ``inf`` pass every limit of typer.

    Raises:
        typer.BadParameter: Not a finite number.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


def refuse_together(option: str, others: Mapping[str, bool], why: str) -> None:
    """Refuse options that another one would make meaningless.

    Args:
        option: The option, as it is written.
        others: Whether each of the other options was given, by how it is written.
        why: Reason, for the hint.

    Raises:
        UsageError: Naming the first of them.
    """
    for other, is_given in others.items():
        if is_given:
            raise UsageError(f"{option} does not go with {other}", f"{why}; leave out one of them")


def refuse_without(option: str, others: Mapping[str, bool], why: str) -> None:
    """Refuse options that mean nothing without another one.

    Args:
        option: The option that is missing, as it is written.
        others: Whether each of the options that need it was given, by how it is written.
        why: Reason, for the hint.

    Raises:
        UsageError: Naming the first of them.
    """
    for other, is_given in others.items():
        if is_given:
            raise UsageError(f"{other} goes with {option}", why)


def face_index(number: int | None) -> int | None:
    """The library's count from 0 for the command line's count from 1."""
    return None if number is None else number - 1


def method_name(method: Method | None) -> str:
    """The name of the method that was asked for, or that of the default."""
    return DEFAULT if method is None else method.value


def refinement_of(
    method: Method | None, steps: int | None, time_budget: float | None, fixed_camera: bool, seed: int
) -> Refinement | None:
    """Return the refinement that the options ask for; None for methods that do not run in steps.

    Raises:
        UsageError: Steps, a time budget or a fixed camera for the encoders, which have none of them.
    """
    if not METHODS[method_name(method)].is_optimised:
        given = {
            "--steps": steps is not None,
            "--time-budget": time_budget is not None,
            "--fixed-camera": fixed_camera,
        }
        refuse_without("--method optimise or pti", given, "the encoders take a single pass")
        return None
    from ..inversion import Refinement

    return Refinement(steps=steps, time_budget_s=time_budget, refine_camera=not fixed_camera, seed=seed)


class Purpose(str, Enum):
    """What avatars and meshes are made for; all but ``print`` are in :data:`geoinv.avatar.presets.PRESETS`."""

    game = "game"
    web = "web"
    print = "print"
    ar = "ar"


_LENGTHS_MM = {"mm": 1.0, "cm": 10.0, "": 1.0}


def length_mm(text: str | None) -> float | None:
    """Millimetres of a length such as ``60mm``, ``6cm`` or ``60``.

    Raises:
        typer.BadParameter: No such length.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(mm|cm|)", text.strip().lower())
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a length such as 60mm or 6cm")
    return float(found[1]) * _LENGTHS_MM[found[2]]


class Frame(str, Enum):
    """What part of a head views from several sides show."""

    head = "head"
    photo = "photo"

    @property
    def zoom(self) -> float:
        """Focal length over that of the photo's crop."""
        from ..camera.orbits import WHOLE_HEAD_ZOOM

        return WHOLE_HEAD_ZOOM if self is Frame.head else 1.0


class Size(str, Enum):
    """Side of views in pixels."""

    px256 = "256"
    px512 = "512"
    px1024 = "1024"

    @property
    def side(self) -> int:
        """Its pixels."""
        return int(self.value)


SizeOpt = Annotated[
    Size | None,
    typer.Option(
        "--size",
        help="Side of each view in pixels. What the photo shows is shown as finely, the rest is the generator's.",
        show_default="512, or twice the generator's own where that is less",
    ),
]
SizePhotoOpt = Annotated[
    Path | None,
    typer.Option(
        "--photo",
        metavar="PHOTO",
        help="The photo that was inverted, for --size 1024.",
        show_default="the crop of 512 px in the inversion",
    ),
]
PhotosArg = Annotated[
    list[Path],
    typer.Argument(
        metavar="PHOTO",
        help="Photos, folders of photos, lists (.txt), archives (.tar), patterns such as '*.jpg', or - for a pipe.",
        show_default=False,
    ),
]
RecursiveOpt = Annotated[bool, typer.Option("--recursive", "-r", help="Look into folders within folders too.")]
InversionArg = Annotated[
    Path | None,
    typer.Argument(
        metavar="[INVERSION]",
        help="A .geoinv file made by `geoinv invert`. Without it, the newest one in the output folder.",
        show_default=False,
    ),
]
OutOpt = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made if needed.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
OverwriteOpt = Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")]
DeviceOpt = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
ModelOpt = Annotated[
    str, typer.Option("--model", help="A shipped or fetched model, or a generator's .safetensors file.")
]
GeneratorOpt = Annotated[
    str | None,
    typer.Option(
        "--generator",
        metavar="FILE",
        help="Show the same head with another generator, fine-tuned from the model: mini-toon, for instance.",
        show_default=False,
    ),
]
_USUAL = "the one beside it, or registered"
EncoderOpt = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME|FILE",
        help="The generator's encoder; NAME of `geoinv weights list`.",
        show_default=_USUAL,
    ),
]
DetailsOpt = Annotated[
    str | None,
    typer.Option(
        "--details", metavar="NAME|FILE", help="Its local branch, for details, likewise.", show_default=_USUAL
    ),
]
FrameOpt = Annotated[
    Frame | None,
    typer.Option(
        "--frame",
        help="Part of the head that views show: all of it, or the photo's crop, larger but cut.",
        show_default="head",
    ),
]
HeightOpt = Annotated[
    str | None,
    typer.Option("--height", help="Height of a print: 60mm, 6cm.", metavar="LENGTH", show_default="60mm"),
]
SeedOpt = Annotated[
    int,
    typer.Option(
        "--seed", min=0, max=MAX_SEED, metavar="NUMBER", help="0 to 4294967295; same seed and threads, same bytes."
    ),
]
QuietOpt = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors on stderr.")]
LandmarksOpt = Annotated[
    Landmarks, typer.Option("--landmarks", help="Face detector; face-alignment needs `pip install geoinv[landmarks]`.")
]
FaceOpt = Annotated[
    int | None,
    typer.Option("--face", min=1, help="Which face: 1 is the largest, 2 the next.", show_default="the largest"),
]
AssetsOpt = Annotated[
    Path | None,
    typer.Option("--assets", help="Folder of the MakeHuman assets (CC0).", envvar="GEOINV_ASSETS", show_default=False),
]
StepsOpt = Annotated[
    int | None,
    typer.Option("--steps", min=1, help="Steps of optimise and pti.", show_default="150, or the time budget"),
]
TimeBudgetOpt = Annotated[
    float | None,
    typer.Option(
        "--time-budget",
        min=0.1,
        callback=finite,
        help="Seconds for the steps of optimise and pti; what comes out then depends on the machine.",
        show_default=False,
    ),
]
