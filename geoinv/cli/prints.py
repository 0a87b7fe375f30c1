"""What ``--for print`` has in common in ``export-avatar`` and ``export-mesh``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..notices import notify

if TYPE_CHECKING:
    from ..inversion import Inversion
    from ..mesh.printing import PrintedSolid
    from ..session import Session

_NOTED_FRACTION = 0.002
"""Part of a print's volume that may be thin without a word: rims of ears, tips of hair."""


def write_solid(path: Path, solid: PrintedSolid, session: Session, inversion: Inversion) -> tuple[str, dict[str, Any]]:
    """Write a print and return what is said of it, for people and as values for JSON.

    Args:
        path: .stl or .3mf file.
        solid: The solid.
        session: Session that made it; a .3mf keeps the terms of its generator.
        inversion: The head that it is of.
    """
    from ..avatar.facts import avatar_facts
    from ..mesh.printing import MIN_WALL_MM, write_print

    facts = avatar_facts(session.shown_info or session.info, inversion.edits)
    licence = f"{facts.get('licence', '')}. {facts.get('licence_note', '')}".strip(". ")
    write_print(path, solid, {"Title": path.stem, "Application": f"geoinv {facts['geoinv']}", "LicenseTerms": licence})
    if solid.thin_fraction > _NOTED_FRACTION:
        notify(
            f"{100.0 * solid.thin_fraction:.1f} % of the print is thinner than {MIN_WALL_MM:g} mm and may break: "
            "print it higher (--height)"
        )
    width, depth, height = solid.size_mm
    said = f"one solid of {width:g} x {depth:g} x {height:g} mm, {solid.volume_mm3 / 1000.0:.1f} cm3"
    return said, {
        "faces": len(solid.mesh.faces),
        "size_mm": [width, depth, height],
        "volume_mm3": round(solid.volume_mm3, 1),
        "thin_fraction": round(solid.thin_fraction, 5),
        "unit": "mm",
    }
