"""Decides for each run whether there is a sandbox, and makes it; what this machine can do is found out once a start."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator_tui.agents.bubblewrap import Bubblewrap, can_bridge, find_bubblewrap
from orchestrator_tui.agents.domain_proxy import DomainProxy
from orchestrator_tui.agents.environment import rehearsal_home
from orchestrator_tui.agents.sandbox_check import SandboxReport, check_sandbox
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.places import folders_in, split_list
from orchestrator_tui.config.settings import SandboxSettings, SettingsModel
from orchestrator_tui.domain.statuses import Autonomy
from orchestrator_tui.engine.confinement import Confined, Confinement

HARMLESS = "the scripted model of a rehearsal does only what its scenario says"
NO_WAY_OUT = "no network in it, for socat is not installed"


@dataclass
class Sandboxes:
    """The sandboxes of a start. Proxies are closed with `stack`."""

    launch: Launch
    stack: AsyncExitStack
    _report: SandboxReport | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _proxies: dict[tuple[str, ...], DomainProxy] = field(default_factory=dict)
    _of_projects: dict[str, Bubblewrap | None] = field(default_factory=dict)

    def of_agents(self, project_id: str) -> Bubblewrap | None:
        """The sandbox of a project whose run is open; None when it goes without.

        Raises:
            KeyError: nothing was decided for it.
        """
        return self._of_projects[project_id]

    async def confine(self, project_id: str, settings: SettingsModel, *, rehearsal: bool) -> Confinement:
        """What a run of a project is shut in by; agents of the project get the same from then on."""
        how = await self.decide(settings, rehearsal=rehearsal)
        if how.how is not Confined.SANDBOX:
            self._of_projects.pop(project_id, None)
            if how.how is Confined.WITHOUT:
                self._of_projects[project_id] = None
            return how
        sandbox = await self._made(settings.sandbox, rehearsal=rehearsal)
        assert sandbox is not None
        self._of_projects[project_id] = sandbox
        cut_off = bool(split_list(settings.sandbox.domains)) and not rehearsal and sandbox.proxy is None
        return Confinement(how=Confined.SANDBOX, why=NO_WAY_OUT if cut_off else "", sandbox=sandbox.command)

    async def decide(self, settings: SettingsModel, *, rehearsal: bool) -> Confinement:
        """Whether a run with these settings has a sandbox, without making it."""
        if settings.sandbox.mode == "off":
            return Confinement(how=Confined.WITHOUT, why="it is switched off")
        report = await self.report()
        if report.works:
            return Confinement(how=Confined.SANDBOX)
        if settings.sandbox.mode == "auto" and rehearsal:
            return Confinement(how=Confined.WITHOUT, why=f"{report.problem}; {HARMLESS}", hint=report.hint)
        asks = settings.sandbox.mode == "auto" and settings.autonomy.mode is Autonomy.CHECKPOINT
        return Confinement(how=Confined.ASKS if asks else Confined.REFUSED, why=report.problem, hint=report.hint)

    async def report(self) -> SandboxReport:
        """Whether the sandbox works here."""
        async with self._lock:
            if self._report is None:
                found = find_bubblewrap(self.launch.environ, paths=self.launch.paths)
                self._report = await asyncio.to_thread(check_sandbox, found)
            return self._report

    async def _made(self, settings: SandboxSettings, *, rehearsal: bool) -> Bubblewrap | None:
        environ, paths = self.launch.environ, self.launch.paths
        home = Path(environ.get("HOME") or Path.home())
        return find_bubblewrap(
            environ,
            paths=paths,
            home=rehearsal_home(paths) if rehearsal else None,
            readable=folders_in(settings.readable, home),
            writable=folders_in(settings.writable, home),
            proxy=None if rehearsal else await self._proxy(split_list(settings.domains)),
        )

    async def _proxy(self, domains: tuple[str, ...]) -> Path | None:
        """The socket of the proxy to `domains`; None when there are none, or what it takes is not installed."""
        if not domains or not can_bridge(self.launch.environ.get("PATH")):
            return None
        async with self._lock:
            if domains not in self._proxies:
                self._proxies[domains] = await self.stack.enter_async_context(DomainProxy(domains))
            return self._proxies[domains].socket


@dataclass(frozen=True)
class SandboxOutlook:
    """What a start's settings and this machine say about sandboxes, for whoever watches over a server."""

    sandboxes: Sandboxes

    async def lacking(self) -> str:
        """Why runs are refused, or ""."""
        return _REFUSED if (await self._decided()).how is Confined.REFUSED else ""

    async def note(self) -> str:
        """How runs go on that have none, or ""."""
        return _LACKING.get((await self._decided()).how, "")

    async def _decided(self) -> Confinement:
        launch = self.sandboxes.launch
        settings = await asyncio.to_thread(launch.settings)
        return await self.sandboxes.decide(settings, rehearsal=bool(launch.scenario))


_REFUSED = "The sandbox does not work here, and nothing runs without it; orchestrator-tui doctor says why."
_LACKING = {
    Confined.WITHOUT: "There is no sandbox.",
    Confined.ASKS: "The sandbox does not work here; each project asks before it runs without.",
}
