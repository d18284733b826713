"""The one composition root: settings and environment in, an engine with everything it needs out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.base import AgentRuntime
from orchestrator_tui.agents.environment import (
    PROJECT_ID,
    config_folder,
    marks,
    tool_environment,
    within,
)
from orchestrator_tui.agents.kept_files import remove_conversations
from orchestrator_tui.agents.leftovers import end_leftovers
from orchestrator_tui.agents.project_rules import ProjectRules
from orchestrator_tui.api.base import Ledger
from orchestrator_tui.backends.base import TrackerContext, WorkTracker
from orchestrator_tui.backends.registry import find_tracker, require_tracker
from orchestrator_tui.config.installation import limits_now, user_name
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.loader import Settings
from orchestrator_tui.config.paths import Paths
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.database.base import Store
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.database.waiting import wait_for
from orchestrator_tui.domain.clock import Clock, SystemClock
from orchestrator_tui.domain.errors import UsageError
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Lease, Project
from orchestrator_tui.engine import journal
from orchestrator_tui.engine.accounts import AccountLimits, told_by_others
from orchestrator_tui.engine.allowances import Budget
from orchestrator_tui.engine.bounds import OwnerLimitsNow
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.engine.conversation import Words
from orchestrator_tui.engine.counsel import CounselParts
from orchestrator_tui.engine.courier import OnTried
from orchestrator_tui.engine.detection import Thresholds
from orchestrator_tui.engine.engine import EngineOptions, LocalEngine
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.folders import Folders
from orchestrator_tui.engine.hearing import Heard, told
from orchestrator_tui.engine.instructions import settle
from orchestrator_tui.engine.liaison import Liaison
from orchestrator_tui.engine.mirror import Mirror
from orchestrator_tui.engine.pipeline import Pipeline, PipelineParts
from orchestrator_tui.engine.priority import priority_of
from orchestrator_tui.engine.recovery import Pauses
from orchestrator_tui.engine.run import Run
from orchestrator_tui.engine.runs import Runs
from orchestrator_tui.engine.seat import LocalPlaces
from orchestrator_tui.engine.seats import RunSeats, Seats
from orchestrator_tui.engine.sessions import Sessions
from orchestrator_tui.engine.shutdown import StopOrder
from orchestrator_tui.engine.taking_up import RunOptions
from orchestrator_tui.engine.tenure import Tenure
from orchestrator_tui.engine.verify import Verifier
from orchestrator_tui.engine.watcher import Watcher
from orchestrator_tui.engine.worker import Worker
from orchestrator_tui.phases.base import PromptRenderer
from orchestrator_tui.phases.registry import make_phases
from orchestrator_tui.phases.services import Services
from orchestrator_tui.preflight import require_runnable
from orchestrator_tui.prompts import prompt_folders, prompt_renderer
from orchestrator_tui.receivers import tell_receivers
from orchestrator_tui.runtimes import Runtimes
from orchestrator_tui.sandboxes import Sandboxes
from orchestrator_tui.sharing import folders_of, sync_of
from orchestrator_tui.workers import make_worker, open_cluster, open_seats, require_shared_database


@asynccontextmanager
async def open_store_for(launch: Launch, bus: Bus) -> AsyncIterator[SqlStore]:
    """The database of this start: `DATABASE_URL`, or SQLite in the data folder.

    Raises:
        StoreUnavailable: it cannot be opened.
    """
    url = read_secrets(launch.environ).database_url or sqlite_url(launch.paths.database)

    def publish(recorded: Sequence[Recorded]) -> None:
        bus.publish(recorded)
        journal.write(recorded)

    async with open_store(url, launch.settings().database, publish=publish, trouble=bus.fail) as store:
        yield store


async def wait_for_database(launch: Launch, *, tell: Callable[[str], None], ended: asyncio.Event) -> None:
    """Wait until the PostgreSQL server of this start can be reached, as long as the settings say, or until `ended` is
    set; `tell` gets what people should know meanwhile.

    Raises:
        SettingsError: the URL cannot be understood.
        StoreUnavailable: it was waited for long enough, or that does not help.
    """
    url = read_secrets(launch.environ).database_url
    if url is not None:
        await wait_for(url, launch.settings().database, tell=tell, ended=ended)


@asynccontextmanager
async def open_client(launch: Launch, *, wakes: bool = False) -> AsyncIterator[EngineClient]:
    """The engine of this start: one of its own, or that of the server it connects to. With `wakes` see `open_engine`.

    Raises:
        StoreUnavailable: the database, or the server, cannot be used.
        OrchestratorError: it cannot work like this.
    """
    if launch.connect is None:
        async with open_engine(launch, wakes=wakes) as engine:
            yield engine
        return
    # Imported when it is needed, as every way to an engine is.
    from orchestrator_tui.api.connect import connect

    async with connect(launch) as remote:
        yield remote


@asynccontextmanager
async def open_engine(
    launch: Launch, *, runtime: AgentRuntime | None = None, clock: Clock | None = None, wakes: bool = False
) -> AsyncIterator[LocalEngine]:
    """An engine over this start's settings; leaving the context stops its projects gracefully.

    `runtime` runs the sessions of every project instead of the Claude CLI. `clock` is what it waits by. With `wakes`
    every project that waits for the API goes on here when it is time, whoever ran it before.

    Raises:
        SettingsError, StoreUnavailable, ScenarioBroken, PromptBroken: it cannot work like this.
    """
    async with open_service(launch, runtime=runtime, clock=clock, wakes=wakes) as service:
        yield service.engine


@dataclass(frozen=True, kw_only=True)
class Service:
    """An engine, and the ledger in the same database of who may use it from outside.

    `worker` makes this process one that runs projects, so many at a time; None where projects are not left to workers.
    """

    engine: LocalEngine
    ledger: Ledger
    worker: Callable[[int | None], Worker] | None


@asynccontextmanager
async def open_service(
    launch: Launch,
    *,
    runtime: AgentRuntime | None = None,
    clock: Clock | None = None,
    wakes: bool = False,
    on_webhook: OnTried = lambda name, delivery: None,
) -> AsyncIterator[Service]:
    """An engine as `open_engine` opens it, to be served to others; `on_webhook` hears how tries to tell receivers end.

    Raises:
        SettingsError, StoreUnavailable, ScenarioBroken, PromptBroken: it cannot work like this.
    """
    settings = launch.settings()
    if settings.cluster.enabled:
        require_shared_database(read_secrets(launch.environ).database_url)
    bus = Bus()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store_for(launch, bus))
        await stack.enter_async_context(Watcher(store, bus))
        folders = folders_of(launch)
        mirror = await stack.enter_async_context(Mirror(store, bus, folders))
        clock = clock or SystemClock()
        await tell_receivers(launch, settings, store, bus, stack, on_webhook, strict=wakes)
        lease_seconds = settings.cluster.stall_seconds if settings.cluster.enabled else settings.run.lease_seconds
        seats = await open_seats(settings, store, bus, lease_seconds, stack)
        rules = ProjectRules()
        sandboxes = Sandboxes(launch, stack)
        runtimes = Runtimes(
            launch=launch, stack=stack, store=store, rules=rules, sandboxes=sandboxes, folders=folders, only=runtime
        )
        limits = limits_now(launch)
        house = _House(launch, settings, store, bus, mirror, rules, sandboxes, runtimes, folders, clock, seats, limits)
        await stack.enter_async_context(told_by_others(house.account_limits, store, bus, clock))
        options = EngineOptions(
            folders=folders,
            config={"settings": dict(launch.overrides), "scenario": launch.scenario_reference},
            preflight=partial(require_runnable, launch, runtimes, sandboxes),
            workspace_of=house.workspace_of,
            settings=settings,
            owner_limits=limits,
            person=settings.project.owner or user_name(),
            new_tracker=house.new_tracker,
            open_tracker=house.open_tracker,
            hide=read_secrets(launch.environ).mask_tokens,
        )
        cluster = await open_cluster(settings, store) if settings.cluster.enabled else None
        how = RunOptions(
            end_leftovers=partial(_end_leftovers, launch.paths),
            account_of=lambda project: runtimes.account_of(rehearsal=project.rehearsal),
            lease_seconds=lease_seconds,
            stop_seconds=settings.run.stop_timeout_seconds,
            cluster=cluster,
            folders=folders,
        )
        runs = await stack.enter_async_context(Runs(store, bus, house.open_run, how, clock))
        if wakes:
            await runs.wake_all()
        yield Service(
            engine=LocalEngine(store, bus, runs, options),
            ledger=store.ledger,
            worker=None if cluster is None else partial(make_worker, settings, store, runs, cluster),
        )


class _House:
    """Builds the parts of each project's run, and keeps those that runs share."""

    def __init__(
        self,
        launch: Launch,
        settings: Settings,
        store: Store,
        bus: Bus,
        mirror: Mirror,
        rules: ProjectRules,
        sandboxes: Sandboxes,
        runtimes: Runtimes,
        folders: Folders,
        clock: Clock,
        seats: Seats | None,
        owner_limits: OwnerLimitsNow,
    ) -> None:
        self._launch = launch
        self._store = store
        self._bus = bus
        self._mirror = mirror
        self._rules = rules
        self._sandboxes = sandboxes
        self._runtimes = runtimes
        self._folders = folders
        self._clock = clock
        self._places = LocalPlaces(settings.agent.max_parallel)
        self._seats = seats
        self._owner_limits = owner_limits
        self.account_limits = AccountLimits(clock)
        self._hide = read_secrets(launch.environ).mask_tokens

    @asynccontextmanager
    async def open_run(self, project: Project, lease: Lease, stop: StopOrder) -> AsyncIterator[Run]:
        """Everything for one run of a project, with the settings stored with it; its writes hold on to the lease."""
        project = self._folders.here(project)
        settings = self._launch.settings(project.config.get("settings", {}))
        if not project.rehearsal and self._launch.scenario is not None:
            raise UsageError(
                f"{project.name} was made by real sessions and cannot go on as a rehearsal.",
                hint="Resume it without --rehearsal.",
            )
        runtime = await self._runtimes.of(settings, project.config, rehearsal=project.rehearsal)
        self._rules.set(Path(project.directory), settings.permissions)
        environment = self._environment(project)
        confinement = await self._sandboxes.confine(project.id, settings, rehearsal=project.rehearsal)
        render = prompt_renderer(prompt_folders(self._launch.paths))
        store, tenure = self._store.fenced(lease, stop.giving_up), Tenure()

        async def still_ours() -> None:
            # A transaction of the run begins with the check of its lease.
            async with store.transaction():
                pass

        workspace = Checkout(Path(project.directory), environment, still_ours)
        sync = sync_of(self._launch, project, workspace, store, lease, still_ours)
        recovery = settings.error_recovery
        stall_seconds = recovery.stall_timeout_minutes * 60
        async with self.open_tracker(project, store, project.tracker) as tracker, EventLog(store) as log:
            say = _sayer(render)
            liaison = Liaison(
                CounselParts(
                    store=store,
                    log=log,
                    tracker=tracker,
                    workspace=workspace,
                    autonomy=settings.autonomy,
                    patience_seconds=min(settings.autonomy.answer_wait_seconds, stall_seconds / 2),
                    say=say,
                ),
                self._bus,
            )

            async def settled(agent_id: str, heard: Heard) -> None:
                async with store.transaction() as unit:
                    await settle(unit, agent_id, heard)

            sessions = Sessions(
                store=store,
                runtime=runtime,
                bus=self._bus,
                log=log,
                places=self._places
                if self._seats is None
                else RunSeats(self._seats, store, lease, partial(priority_of, settings=settings)),
                words=Words(
                    reask=lambda errors: render("common", "invalid_answer", errors=errors),
                    say=say,
                    interrupted=lambda: render("common", "interrupted"),
                    settle=settled,
                    interrupt_seconds=settings.autonomy.interrupt_wait_seconds,
                ),
                tenure=tenure,
                liaison=liaison,
                account_limits=self.account_limits,
                budget=Budget(store, project.id, settings, owner_limits=self._owner_limits, clock=self._clock.now),
                settle_seconds=settings.run.stop_timeout_seconds,
                stall_seconds=stall_seconds,
                max_reasks=recovery.max_consecutive_errors,
                clock=self._clock,
                thresholds=Thresholds(
                    same_error=recovery.same_error_limit,
                    same_call=recovery.same_call_limit,
                    alternation=recovery.alternation_limit,
                    talk=recovery.talk_limit,
                ),
            )
            services = Services(
                store=store,
                sessions=sessions,
                render=render,
                workspace=workspace,
                checkout=workspace,
                sync=sync,
                verifier=Verifier(
                    environment,
                    timeout_seconds=settings.verify.timeout_seconds,
                    wrap=confinement.wrap,
                    hide=self._hide,
                ),
                log=log,
                bell=liaison.bell,
            )
            parts = PipelineParts(
                store=store,
                tracker=tracker,
                log=log,
                mirror=self._mirror,
                workspace=workspace,
                sessions=sessions,
                settings=settings,
                phases=make_phases(services),
                confinement=confinement,
                pauses=Pauses(
                    first=timedelta(seconds=recovery.first_pause_seconds),
                    longest=timedelta(minutes=recovery.longest_pause_minutes),
                    most=recovery.max_pauses,
                ),
                clock=self._clock,
            )
            yield Run(
                project=project,
                store=store,
                tracker=tracker,
                workspace=workspace,
                sync=sync,
                log=log,
                sessions=sessions,
                liaison=liaison,
                pipeline=Pipeline(project, parts),
                stop=stop,
                tenure=tenure,
            )

    def new_tracker(self, config: Mapping[str, Any]) -> str:
        """The kind of tracker that the settings name for a new project.

        Raises:
            TrackerUnusable: there is none of that name, or it lacks its credentials.
        """
        kind = self._launch.settings(config.get("settings", {})).backend.type
        require_tracker(kind, self._launch.environ)
        return kind

    @asynccontextmanager
    async def open_tracker(self, project: Project, store: Store, kind: str) -> AsyncIterator[WorkTracker]:
        """The tracker of a project, of that kind.

        Raises:
            TrackerUnusable: there is none of that name, or it cannot be used.
        """
        context = TrackerContext(
            project=self._folders.here(project),
            store=store,
            settings=self._launch.settings(project.config.get("settings", {})),
            environ=self._launch.environ,
        )
        async with find_tracker(kind)(context) as tracker:
            yield tracker

    def workspace_of(self, project: Project) -> Checkout:
        """The folder of a project."""
        project = self._folders.here(project)
        return Checkout(Path(project.directory), self._environment(project))

    def _environment(self, project: Project) -> dict[str, str]:
        """What git and the project's check run in."""
        tools = tool_environment(self._launch.environ, rehearsal=project.rehearsal, paths=self._launch.paths)
        return within(Path(project.directory)) | tools | marks(project.id)


def _end_leftovers(paths: Paths, project_id: str) -> int:
    """End what an earlier run left behind, and remove what its agents kept beside the database."""
    ended = end_leftovers(PROJECT_ID, project_id)
    remove_conversations(config_folder(paths, project_id))
    return ended


def _sayer(render: PromptRenderer) -> Callable[[Sequence[Heard]], str]:
    return lambda said: render("common", "person_says", words=[told(one) for one in said])
