"""An engine on another machine, or in another process: the same client, over HTTP."""

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast
from urllib.parse import quote

import httpx

from orchestrator_tui import __version__
from orchestrator_tui.api import wire
from orchestrator_tui.api.far import from_afar
from orchestrator_tui.api.sse import read_events
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.codec import from_plain
from orchestrator_tui.domain.commands import Command, CreateProject, DrainWorker
from orchestrator_tui.domain.errors import AccessDenied, OrchestratorError, ProjectNotFound, ServerUnavailable
from orchestrator_tui.domain.events import Live, Recorded
from orchestrator_tui.domain.limits import Bounds
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    CommitEntry,
    InputRequest,
    Project,
    ProjectOverview,
    SessionLog,
    Snapshot,
    SyncState,
    WorkerRecord,
    WorkItem,
)
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.engine.client import EngineClient

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
"""How long an answer may take."""

TRIES = 3
"""How often a question, or a command under the same key, is asked when its answer gets lost."""

SILENT_SECONDS = 30.0
"""After so long without its first answer, or without a sign of life in the stream of events, nobody is there; a server
gives one more often than that."""

TOKEN_HINT = "Set ORCHESTRATOR_TOKEN to one that orchestrator-tui token create made on the server."


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What to do when nothing is at the server's address, and when something is there that gives no answer."""

    gone: str = "Check that it runs."
    silent: str = "Something is there; look whether it is overloaded, or was halted."


SOON = httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS)

PAGE = 200

T = TypeVar("T")
R = TypeVar("R", Comment, Artifact, InputRequest)


@asynccontextmanager
async def open_remote(
    url: str,
    token: str,
    *,
    config: Mapping[str, Any] | None = None,
    verify: ssl.SSLContext | bool = True,
    hints: Hints | None = None,
) -> AsyncIterator["RemoteEngine"]:
    """The engine that is served at `url`; `config` goes with each new project.

    Raises:
        ServerUnavailable: nothing answers there.
        OrchestratorError: what answers there is no such server, or does not take the token.
    """
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    # Neither a proxy nor a login of this machine's settings has any business with the token.
    async with httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {token}", "User-Agent": f"orchestrator-tui/{__version__}"},
        timeout=timeout,
        limits=httpx.Limits(max_connections=20),
        trust_env=False,
        follow_redirects=False,
        verify=verify,
    ) as http:
        engine = RemoteEngine(http, config=config or {}, hints=hints or Hints())
        await engine.greet()
        yield engine


class RemoteEngine(EngineClient):
    """Asks a server. While it cannot be reached everything raises ServerUnavailable, which counts as a
    lost database."""

    def __init__(self, http: httpx.AsyncClient, *, config: Mapping[str, Any], hints: Hints) -> None:
        self._http = http
        self._config = config
        self._hints = hints

    async def greet(self) -> None:
        """See that such a server is there and takes the token; it is given less time than for what takes long.

        Raises:
            ServerUnavailable: nothing answers there.
            OrchestratorError: what answers there is no such server, or does not take the token.
        """
        await self._ask("GET", "/projects", params={"limit": 1}, timeout=SOON)

    async def submit(self, command: Command) -> str:
        if isinstance(command, CreateProject) and self._config:
            command = replace(command, config={**self._config, **command.config})
        body = wire.dumps(wire.command_plain(command))
        # Under one key: when its answer gets lost it is not carried out twice.
        headers = {"Content-Type": "application/json", "Idempotency-Key": new_id()}
        done = await self._ask("POST", "/commands", content=body, headers=headers)
        return str(done["worker_id" if isinstance(command, DrainWorker) else "project_id"])

    @asynccontextmanager
    async def subscribe(self, after_seq: int, *, project_id: str | None = None) -> AsyncIterator[AsyncIterator[Live]]:
        parameters: dict[str, Any] = {"after_seq": after_seq}
        if project_id is not None:
            parameters["project"] = project_id
        self._check_open()
        try:
            async with self._http.stream("GET", "/events", params=parameters, timeout=SOON) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise _error_of(response)
                stream = self._stream(response)
                try:
                    yield stream
                finally:
                    await stream.aclose()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    async def _stream(self, response: httpx.Response) -> AsyncGenerator[Live, None]:
        try:
            async for name, data in read_events(response.aiter_lines()):
                if name and (live := wire.live_from(name, data)) is not None:
                    yield from_afar(live)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise self._strange() from error
        raise ServerUnavailable(f"The server at {self._place} ended.", hint=self._hints.gone)

    async def snapshot(self, *, before: int | None = None, limit: int = 100) -> Snapshot:
        return await self._read(Snapshot, "/snapshot", before=before, limit=limit)

    async def workers(self) -> Sequence[WorkerRecord]:
        return await self._read(tuple[WorkerRecord, ...], "/workers")

    async def find_project(self, reference: str) -> Project:
        if not reference or "/" in reference:
            # No project is called like this, and no address can hold it.
            raise ProjectNotFound(f"There is no project {reference!r}.")
        return (await self.overview(reference)).project

    async def projects(self, *, after: int = 0, limit: int = 100) -> Sequence[Project]:
        return await self._read(tuple[Project, ...], "/projects", after=after, limit=limit)

    async def overview(self, project_id: str) -> ProjectOverview:
        return await self._read(ProjectOverview, _of(project_id))

    async def bounds(self, project_id: str) -> Bounds:
        return await self._read(Bounds, _of(project_id, "limits"))

    async def tracker(self, project_id: str) -> SyncState:
        return await self._read(SyncState, _of(project_id, "tracker"))

    async def tracker_plan(self, project_id: str, kind: str) -> Sequence[str]:
        return await self._read(tuple[str, ...], _of(project_id, "tracker", "plan"), kind=kind)

    async def items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]:
        wanted = status.value if status else None
        return await self._read(tuple[WorkItem, ...], _of(project_id, "items"), status=wanted, after=after, limit=limit)

    async def comments(self, item_id: str, *, after: str | None = None, limit: int | None = None) -> Sequence[Comment]:
        return await self._pages(Comment, f"/items/{_part(item_id)}/comments", after, limit)

    async def item_diff(self, item_id: str) -> str:
        return str((await self._ask("GET", f"/items/{_part(item_id)}/diff"))["patch"])

    async def commits(self, project_id: str, *, limit: int = 500) -> Sequence[CommitEntry]:
        return await self._read(tuple[CommitEntry, ...], _of(project_id, "commits"), limit=limit)

    async def commit_diff(self, project_id: str, commit: str | None) -> str:
        place = _of(project_id, "diff") if commit is None else _of(project_id, "commits", commit)
        return str((await self._ask("GET", place))["patch"])

    async def artifact_text(self, artifact_id: str) -> str:
        return str((await self._ask("GET", f"/artifacts/{_part(artifact_id)}/text"))["text"])

    async def artifacts(
        self, project_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[Artifact]:
        return await self._pages(Artifact, _of(project_id, "artifacts"), after, limit)

    async def sessions(self, project_id: str, *, after: int = 0, limit: int = 200) -> Sequence[SessionLog]:
        return await self._read(tuple[SessionLog, ...], _of(project_id, "sessions"), after=after, limit=limit)

    async def requests(
        self, project_id: str | None = None, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[InputRequest]:
        place = "/requests" if project_id is None else _of(project_id, "requests")
        return await self._pages(InputRequest, place, after, limit)

    async def events(
        self, *, after_seq: int = 0, project_id: str | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        place = "/logs" if project_id is None else _of(project_id, "logs")
        return await self._events(place, after_seq=after_seq, limit=limit)

    async def latest_events(
        self, project_id: str, *, before_seq: int | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        return await self._events(_of(project_id, "logs"), before_seq=before_seq, limit=limit)

    # Asking

    async def _events(self, place: str, **parameters: Any) -> Sequence[Recorded]:
        plain = await self._ask("GET", place, params=_given(parameters))
        return [from_afar(wire.recorded_from(one)) for one in plain]

    async def _pages(self, kind: type[R], place: str, after: str | None, limit: int | None) -> Sequence[R]:
        """One page of records when a `limit` is given, else all there are."""
        if limit is not None:
            return await self._read(tuple[kind, ...], place, after=after, limit=limit)  # type: ignore[valid-type]
        found: list[R] = []
        while True:
            page: Sequence[R] = await self._pages(kind, place, found[-1].id if found else after, PAGE)
            found += page
            if len(page) < PAGE:
                return found

    async def _read(self, kind: type[T], place: str, /, **parameters: Any) -> T:
        plain = await self._ask("GET", place, params=_given(parameters))
        try:
            return cast(T, from_afar(from_plain(kind, plain)))
        except (ValueError, KeyError, TypeError) as error:
            raise self._strange() from error

    async def _ask(self, method: str, place: str, **how: Any) -> Any:
        """The JSON of an answer. What got lost on its way is asked again a few times.

        Raises:
            ServerUnavailable: the server cannot be reached.
            OrchestratorError, KeyError: what the server said.
        """
        left = TRIES
        while True:
            self._check_open()
            try:
                response = await self._http.request(method, place, **how)
                break
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise self._unreachable(error) from error
            except httpx.ReadTimeout as error:
                # A stop waits for agents: sent again under its key, a command that is at work is only waited for.
                if method == "GET":
                    raise self._unreachable(error) from error
            except httpx.TransportError as error:
                self._check_open()
                left -= 1
                if not left:
                    raise self._unreachable(error) from error
        if response.status_code >= 300:
            raise _error_of(response)
        try:
            return response.json()
        except ValueError as error:
            raise self._strange() from error

    def _check_open(self) -> None:
        """Raises ServerUnavailable when this front end has closed the connection itself."""
        if self._http.is_closed:
            raise ServerUnavailable(f"The connection to {self._place} is closed.", final=True)

    @property
    def _place(self) -> str:
        return str(self._http.base_url).rstrip("/")

    def _unreachable(self, error: httpx.TransportError) -> ServerUnavailable:
        if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
            return ServerUnavailable(f"The server at {self._place} gives no answer.", hint=self._hints.silent)
        reason = f"{error}".rstrip(".") or type(error).__name__
        hint = self._hints.gone
        if "WRONG_VERSION_NUMBER" in reason:
            reason, hint = "it does not speak TLS", "Name it with http:// if nothing encrypts in front of it."
        return ServerUnavailable(f"The server at {self._place} cannot be reached: {reason}.", hint=hint)

    def _strange(self) -> OrchestratorError:
        return OrchestratorError(
            f"What the server at {self._place} answers cannot be understood.",
            hint="Is it orchestrator-tui --serve, of the same version?",
        )


def _error_of(response: httpx.Response) -> Exception:
    """The error that an answer tells of."""
    try:
        problem = json.loads(response.content)
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "error" not in problem:
        # A proxy in between, perhaps, whose server is away.
        kind = ServerUnavailable if response.status_code in (502, 503, 504) else OrchestratorError
        return kind(
            f"{response.url.copy_with(query=None)} answered with {response.status_code}.",
            hint="Is it orchestrator-tui --serve?",
        )
    if response.status_code == 401:
        # What the server advises is for whoever writes requests by hand.
        return AccessDenied(str(problem.get("detail")), hint=TOKEN_HINT)
    if response.status_code == 429:
        return ServerUnavailable(str(problem.get("detail")), hint=str(problem.get("hint")))
    return wire.error_from(problem)


def _of(reference: str, *parts: str) -> str:
    return "/".join(("/projects", *map(_part, (reference, *parts))))


def _part(text: str) -> str:
    return quote(text, safe="")


def _given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}
