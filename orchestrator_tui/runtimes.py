"""Makes what runs the sessions of this process: a runtime for the account, and one for each scenario that is played."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.base import AgentRuntime, Endpoint
from orchestrator_tui.agents.environment import AccountEndpoint
from orchestrator_tui.agents.project_rules import ProjectRules
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.loader import Settings
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.errors import CredentialsMissing
from orchestrator_tui.engine.folders import Folders
from orchestrator_tui.sandboxes import Sandboxes

DEFAULT_SCENARIO = "markdown-checker"


@dataclass(kw_only=True)
class Runtimes:
    """The runtimes of a start, each made when the first project needs it. Scripted models end with `stack`.

    `only` runs every session instead. `store` keeps the conversations.
    """

    launch: Launch
    stack: AsyncExitStack
    store: Store
    rules: ProjectRules
    sandboxes: Sandboxes
    folders: Folders
    only: AgentRuntime | None = None
    # A session's start takes most of a second of a core.
    _starts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(os.cpu_count() or 1))
    _made: dict[str | None, AgentRuntime] = field(default_factory=dict)

    def account_of(self, *, rehearsal: bool) -> str:
        """Whose account pays for the sessions of such a project; "" for none."""
        if self.only is not None:
            return self.only.account
        return "" if rehearsal else AccountEndpoint(self.launch.environ).account

    async def of(self, settings: Settings, config: Mapping[str, Any], *, rehearsal: bool) -> AgentRuntime:
        """What runs the sessions of a project with these settings; `config` is what is stored with it.

        Raises:
            CredentialsMissing: there is no account.
            ScenarioBroken: what a rehearsal plays cannot be read.
        """
        if self.only is not None:
            return self.only
        scenario = str(config.get("scenario") or DEFAULT_SCENARIO) if rehearsal else None
        if scenario not in self._made:
            endpoint = self._account() if scenario is None else await self._played(scenario)
            self._made[scenario] = self._runtime(endpoint, settings)
        return self._made[scenario]

    def _account(self) -> Endpoint:
        secrets = read_secrets(self.launch.environ)
        if not secrets.claude_code_oauth_token and not secrets.anthropic_api_key:
            raise CredentialsMissing
        return AccountEndpoint(self.launch.environ)

    async def _played(self, scenario: str) -> Endpoint:
        """The API of a scripted model, by the name of a shipped scenario or the path of one."""
        from orchestrator_tui.agents.rehearsal.scenario import load_scenario, shipped_scenario
        from orchestrator_tui.agents.rehearsal.server import RehearsalServer

        path = Path(scenario) if scenario.startswith("/") else shipped_scenario(scenario)
        loaded = await asyncio.to_thread(load_scenario, path)
        server = await self.stack.enter_async_context(RehearsalServer(loaded))
        return server.endpoint

    def _runtime(self, endpoint: Endpoint, settings: Settings) -> AgentRuntime:
        # Imported when the first project needs it: it costs about a second.
        from orchestrator_tui.agents.claude import ClaudeRuntime

        return ClaudeRuntime(
            endpoint,
            paths=self.launch.paths,
            parent_environ=self.launch.environ,
            api_retries=settings.agent.api_retries,
            starts=self._starts,
            judge=self.rules.judge,
            transcripts=self.store,
            sandbox_of=self.sandboxes.of_agents,
            hide=read_secrets(self.launch.environ).mask_tokens,
            workspace=None if self.folders.are_shared else self.folders.workspace,
        )
