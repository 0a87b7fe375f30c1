"""A run of many photos whose work is one small file each, so that a thousand take seconds: all but the work is real.

python -m tests.cli.thousand PHOTOS OUT [--workers N | --address RAY]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoinv.cli.local_crew import LocalCrew
from geoinv.cli.photo_files import PhotoFile
from geoinv.cli.photo_runs import run_photos
from geoinv.cli.photo_worker import Job, Result, provenance
from geoinv.files import append_line, atomic_path


@dataclass(frozen=True)
class Plan:
    """Writes the hash of each photo, and a line into ``done`` of who did it."""

    out: Path

    def job(self) -> Job[None]:
        return Job("copying", self.outputs_of, self.record_of, self.settings_of, self.prepare, self.work)

    def outputs_of(self, photo: PhotoFile) -> list[Path]:
        return [self.out / f"{photo.stem}.json"]

    def record_of(self, photo: PhotoFile) -> Path:
        return self.outputs_of(photo)[0]

    def settings_of(self, photo: PhotoFile) -> Mapping[str, Any]:
        return {}

    def prepare(self) -> None: ...

    def work(self, tools: None, photo: PhotoFile) -> Result:
        time.sleep(0.01)
        with atomic_path(self.record_of(photo)) as temporary:
            temporary.write_text(json.dumps(provenance(photo, {})))
        append_line(self.out / "done", f"{os.getpid()} {photo.stem}")
        return Result(photo.stem, {}, self.outputs_of(photo))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--address")
    asked = parser.parse_args()
    job = Plan(asked.out).job()

    def crew(photos: int) -> Any:
        if asked.address is None:
            return LocalCrew(job, asked.workers, overwrite=False)
        from geoinv.cli.ray_crew import RayCrew

        return RayCrew(job, None, photos, overwrite=False, address=asked.address, out=asked.out)

    run_photos(job, [asked.photos], overwrite=False, as_json=True, crew=crew)


if __name__ == "__main__":
    from tests.cli import thousand  # so that workers find the plan under its module's name

    thousand.main()
