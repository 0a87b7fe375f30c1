"""What the app's REST interface takes and gives, as it stands in its OpenAPI description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from .jobs import State

if TYPE_CHECKING:
    from .jobs import Job, Jobs


class Problem(BaseModel):
    """Why a request was refused."""

    message: str = Field(description="What is wrong, in one line.")
    hint: str = Field(description="What to do about it; may be empty.")


class Attribute(BaseModel):
    """Something that can be changed about a head."""

    name: str
    about: str = Field(description="What a strength of 1 does.")


class ResultFile(BaseModel):
    """A file that can be made of a head."""

    name: str
    about: str
    group: str
    needs_edits: bool = Field(description="Whether it exists for edited heads alone.")


class AppInfo(BaseModel):
    """What this app can do."""

    version: str
    model: str
    max_upload_bytes: int
    keep_minutes: float = Field(description="How long results are kept after their last use.")
    is_ready: bool = Field(description="Whether the models are loaded; before, photos wait.")
    attributes: list[Attribute]
    files: list[ResultFile]


class JobStatus(BaseModel):
    """One photo on its way to a head."""

    id: str
    state: State
    position: int = Field(description="How many photos come first, this one included; 0 where it does not wait.")
    stage: str = Field(description="What is being done.")
    progress: float = Field(description="Fraction that is done, 0 to 1.")
    message: str = Field(description="Why it failed.")
    hint: str = Field(description="What to do about it.")
    warnings: list[str] = Field(description="What speaks against a good result.")
    metrics: dict[str, float]
    making: dict[str, float] = Field(description="Files that are being made, and the fraction that is done of each.")

    @classmethod
    def of(cls, job: Job, jobs: Jobs) -> JobStatus:
        """The status of a job."""
        return cls(
            id=job.name,
            state=job.state,
            position=jobs.position(job),
            stage=job.stage,
            progress=round(job.progress, 3),
            message=job.message,
            hint=job.hint,
            warnings=list(job.warnings),
            metrics=dict(job.metrics),
            making={name: round(done, 3) for name, done in list(job.making.items())},
        )
