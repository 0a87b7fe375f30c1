"""The app as a web application: its pages and its REST interface."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ..._version import __version__
from ...errors import GeoinvError, MissingDependencyError, PhotoError, UsageError
from .guard import Guard
from .jobs import Job, Jobs, NoSuchJob, State, remove_folder
from .pages import page_files
from .results import RESULTS, make_result, result_path
from .schemas import AppInfo, Attribute, JobStatus, Problem, ResultFile
from .settings import AppSettings
from .studio import Edits, Look, Studio, Suffix, canonical_edits
from .upload import NoPhoto, TooLarge, save_photo
from .worker import Busy, Stopped, Task, Urgency, Worker

if TYPE_CHECKING:
    from ...session import Session

T = TypeVar("T")

_LOG = logging.getLogger("geoinv.app")
_READING = 8  # photos that are received at the same time; others wait to be read
_TIDY_S = 30.0  # between two looks for what is too old
_PATIENCE_S = 0.25  # between two looks whether who asked is still there
_STATUS: tuple[tuple[type[GeoinvError], int], ...] = (
    (NoSuchJob, 404),
    (TooLarge, 413),
    (NoPhoto, 400),
    (Busy, 503),
    (Stopped, 503),
    (MissingDependencyError, 501),
    (UsageError, 422),
    (PhotoError, 422),
)
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "No such photo here, or not any more."},
    422: {"model": Problem, "description": "Something that the app cannot do."},
    503: {"model": Problem, "description": "Too much is waiting; ask again in a few seconds."},
}
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["photo"],
                    "properties": {
                        "photo": {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, HEIC, ..."}
                    },
                }
            }
        },
    }
}

JobId = Annotated[str, Path(description="The id that sending a photo gave.")]
EditQuery = Annotated[
    list[str],
    Query(description="What to change, such as `smile:1` or `age:-0.5`. Several together.", max_length=64),
]


class Service:
    """Everything that requests share.

    Args:
        session: Models, loaded.
        settings: Settings of the run.
    """

    def __init__(self, session: Session, settings: AppSettings) -> None:
        self.settings = settings
        self.session = session
        self.worker = Worker()
        self.studio = Studio(session, self.worker.breathe)
        self.jobs = Jobs(settings.out)
        self.is_ready = False
        self._receiving = asyncio.Semaphore(_READING)

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """The time in which requests are answered: models get warm, old jobs go; at the end nothing half-made stays."""
        self.jobs.restore(keep_s=self.settings.keep_s)
        self.worker.start()
        self.worker.submit(Urgency.long, self._warm_up)
        tidying = asyncio.create_task(self._tidy_for_ever())
        try:
            yield
        finally:
            tidying.cancel()
            await asyncio.to_thread(self.worker.stop)
            self.jobs.remove_unfinished()

    def _warm_up(self) -> None:
        try:
            self.studio.warm_up()
        except Stopped:
            raise
        except Exception:  # photos will meet the same error, and their senders hear of it
            _LOG.exception("the models could not be made ready")
        self.is_ready = True

    async def _tidy_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_S)
            with suppress(Busy, Stopped):
                self.tidy()

    def tidy(self) -> None:
        """Remove jobs that are too old or too many."""
        for job in self.jobs.expired(keep_s=self.settings.keep_s, max_kept=self.settings.max_kept):
            self.remove(job)

    def remove(self, job: Job) -> Task[None]:
        """Forget a job at once; its files go between two steps of whatever is being computed."""
        self.jobs.forget(job)

        def clear() -> None:
            self.studio.forget(job)
            remove_folder(job.folder)

        return self.worker.submit(Urgency.view, clear)

    async def receive(self, request: Request) -> Job:
        """Take a photo in and put it in the queue.

        Raises:
            Busy: Too many photos wait.
            TooLarge: It is above the limit.
            NoPhoto: There is none.
            ClientDisconnect: Whoever sends it has gone.
        """
        async with self._receiving:
            if self.jobs.waiting >= self.settings.max_waiting:
                raise Busy
            job = self.jobs.new()
            try:
                await save_photo(request, job.photo, limit=self.settings.max_upload_bytes)
                self.worker.submit(Urgency.long, lambda: self._invert(job))
            except BaseException:  # also when the connection or the app ends
                remove_folder(job.folder)
                raise
            self.jobs.add(job)
            return job

    def _invert(self, job: Job) -> None:
        if job.is_removed:
            return
        try:
            self.studio.invert(job)
        except Stopped:
            raise
        except GeoinvError as error:
            job.fail(error)
        except Exception:
            _LOG.exception("a photo could not be inverted")
            job.fail(GeoinvError("something went wrong here", "the terminal of the app says what"))
        if job.state is State.failed:
            remove_folder(job.folder)

    async def run(self, request: Request, urgency: Urgency, work: Callable[[], T]) -> T:
        """Let the worker do something, as long as whoever asked for it is there.

        Raises:
            ClientDisconnect: Nobody waits for the answer any more.
        """
        task = self.worker.submit(urgency, work)
        result = asyncio.wrap_future(task.future)
        try:
            while True:
                done, _ = await asyncio.wait([result], timeout=_PATIENCE_S)
                if done:
                    return result.result()
                if await request.is_disconnected():
                    raise ClientDisconnect
        finally:
            if not task.future.done():
                task.abandon()
                result.cancel()

    def edits_of(self, texts: list[str]) -> Edits:
        """Edits as they stand in an address.

        Raises:
            UsageError: Not a name and a number, one name twice, or an unknown name.
        """
        strengths: dict[str, float] = {}
        for text in texts:
            name, colon, number = text.partition(":")
            try:
                strength = float(number) if colon else 1.0
            except ValueError:
                raise UsageError(f"{_printable(text)}: not an attribute and its strength", "such as smile:1") from None
            if name in strengths:
                raise UsageError(f"{_printable(name)} is given twice", "give each attribute once")
            strengths[name] = strength
        return canonical_edits(self.session, strengths) if strengths else ()

    def finished(self, name: str) -> Job:
        """A job whose head is there.

        Raises:
            NoSuchJob: There is none of this name.
            UsageError: It has no head yet, or none will come.
        """
        job = self.jobs.get(name)
        if job.state is State.failed:
            raise UsageError(job.message, job.hint)
        if job.state is not State.done:
            raise UsageError("the head is not made yet", "wait until its state is `done`")
        return job


def create_app(session: Session, settings: AppSettings) -> FastAPI:
    """The app, ready to be served.

    Args:
        session: Models, loaded; nothing else may use it meanwhile.
        settings: Settings of the run.
    """
    service = Service(session, settings)
    app = FastAPI(
        title="geoinv",
        version=__version__,
        description="One face photo to an editable 3D head. Send a photo, wait until its state is `done`, then ask for "
        "views and files. The page at `/` uses nothing else.",
        docs_url=None,  # FastAPI's own page loads its scripts from a CDN
        redoc_url=None,
        lifespan=service.running,
    )
    app.state.service = service
    _add_errors(app)
    _add_pages(app)
    _add_info(app, service)
    _add_jobs(app, service)
    _add_pictures(app, service)
    app.add_middleware(Guard, host=settings.host)
    return app


def _add_errors(app: FastAPI) -> None:
    """One shape for whatever is refused."""

    @app.exception_handler(GeoinvError)
    async def refused(_: Request, error: GeoinvError) -> Response:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        headers = {"retry-after": "5"} if status == 503 else None
        return _problem(status, error.message, error.hint or "", headers)

    @app.exception_handler(HTTPException)
    async def failed(_: Request, error: HTTPException) -> Response:
        hint = "the page /docs names every address" if error.status_code in (404, 405) else ""
        message = "no such address" if error.detail == "Not Found" else str(error.detail).lower()
        return _problem(error.status_code, message, hint, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _problem(422, f"{first['loc'][-1]}: {first['msg']}".lower(), "the page /docs says what it takes")

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=499)  # which nobody reads; nginx's number for it


def _problem(status: int, message: str, hint: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(Problem(message=message, hint=hint).model_dump(), status_code=status, headers=headers)


def _add_pages(app: FastAPI) -> None:
    files = page_files()

    def respond(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "no such page")
        path, media_type = files[name]
        return FileResponse(path, media_type=media_type, headers={"cache-control": "no-cache"})

    @app.get("/", include_in_schema=False)
    async def home() -> Response:
        return respond("index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return respond("docs.html")

    @app.get("/page/{name}", include_in_schema=False)
    async def page_file(name: str) -> Response:
        return respond(name)


def _add_info(app: FastAPI, service: Service) -> None:
    @app.get("/api", summary="What this app can do", response_description="Version, limits, attributes and files.")
    async def info() -> AppInfo:
        directions = service.session.directions
        return AppInfo(
            version=__version__,
            model=service.session.info.name,
            max_upload_bytes=service.settings.max_upload_bytes,
            keep_minutes=service.settings.keep_s / 60.0,
            is_ready=service.is_ready,
            attributes=[Attribute(name=name, about=directions.descriptions.get(name, "")) for name in directions.names],
            files=[
                ResultFile(name=name, about=result.about, group=result.group, needs_edits=result.needs_edits)
                for name, result in RESULTS.items()
            ],
        )


def _add_jobs(app: FastAPI, service: Service) -> None:
    @app.post(
        "/api/jobs",
        status_code=202,
        summary="Send a photo",
        response_description="The status of a new job.",
        openapi_extra=_FORM,
        responses={
            400: {"model": Problem, "description": "The form is broken or holds no photo."},
            413: {"model": Problem, "description": "The photo is above the limit."},
            503: _PROBLEMS[503],
        },
    )
    async def send(request: Request, response: Response) -> JobStatus:
        """Put a photo in the queue. Its head is there as soon as the state of the job is `done`."""
        job = await service.receive(request)
        response.headers["location"] = f"/api/jobs/{job.name}"
        return JobStatus.of(job, service.jobs)

    @app.get(
        "/api/jobs/{job_id}",
        summary="Where a photo stands",
        response_description="The status of the job.",
        responses={404: _PROBLEMS[404], 422: _PROBLEMS[422]},
    )
    async def status(job_id: JobId) -> JobStatus:
        """State, place in the queue and progress."""
        return JobStatus.of(service.jobs.get(job_id), service.jobs)

    @app.delete(
        "/api/jobs/{job_id}",
        status_code=204,
        summary="Remove a photo",
        response_description="It is gone.",
        responses={404: _PROBLEMS[404], 422: _PROBLEMS[422]},
    )
    async def remove(job_id: JobId) -> None:
        """Remove a photo, its head and all files that were made of it."""
        service.remove(service.jobs.get(job_id))


def _add_pictures(app: FastAPI, service: Service) -> None:
    @app.get(
        "/api/jobs/{job_id}/view.{suffix}",
        summary="Look at a head",
        response_class=Response,
        responses={
            200: {"description": "A picture, transparent beside the head.", "content": {"image/webp": {}}},
            **_PROBLEMS,
        },
    )
    async def view(
        request: Request,
        job_id: JobId,
        suffix: Annotated[Suffix, Path(description="Kind of picture; .jpg has a white ground.")],
        yaw: Annotated[float, Query(ge=-180, le=180, description="Degrees; positive turns the face to the left.")] = 0,
        pitch: Annotated[float, Query(ge=-85, le=85, description="Degrees; positive looks from above.")] = 0,
        zoom: Annotated[float, Query(ge=0.5, le=4, description="1 shows the whole head, 2 half of it.")] = 1,
        draft: Annotated[bool, Query(description="A small picture, several times quicker: for turning.")] = False,
        edit: EditQuery = [],  # noqa: B006, FastAPI copies it
    ) -> Response:
        """A picture of a head from any side. The header `geoinv-notes` says what was done otherwise than asked for."""
        look = Look(yaw, pitch, zoom, draft, service.edits_of(edit))
        job = service.finished(job_id)
        urgency = Urgency.draft if draft else Urgency.view
        shown = await service.run(request, urgency, lambda: service.studio.view(job, look, suffix))
        notes = {"geoinv-notes": _printable("; ".join(shown.notes))} if shown.notes else None
        media_type = f"image/{'jpeg' if suffix == 'jpg' else suffix}"
        return Response(shown.data, media_type=media_type, headers=notes)

    @app.get(
        "/api/jobs/{job_id}/files/{name}",
        summary="Make and download a file",
        response_class=FileResponse,
        responses={
            200: {"description": "The file.", "content": {"application/octet-stream": {}}},
            501: {"model": Problem, "description": "A package or program that this file needs is not there."},
            **_PROBLEMS,
        },
    )
    async def file(
        request: Request,
        job_id: JobId,
        name: Annotated[str, Path(description="A name that `/api` lists.")],
        edit: EditQuery = [],  # noqa: B006, FastAPI copies it
    ) -> Response:
        """A file made of a head; `/api` lists them. It is made on first use: a mesh takes ten seconds, a video five.
        Meanwhile `making` of the job says how far it is."""
        job, edits = service.finished(job_id), service.edits_of(edit)
        path = result_path(job, name, edits)
        if not path.is_file():
            path = await service.run(request, Urgency.long, lambda: make_result(service.studio, job, name, edits))
        return FileResponse(path, filename=name, content_disposition_type="attachment")


def _printable(text: str) -> str:
    """Text as headers and messages take it."""
    return re.sub(r"[^ -~]", "?", text)[:300]
