"""What a person says to agents from the input bar: `@agent text`, `/note`, `/interrupt`."""

import re
from collections.abc import Awaitable, Callable

from orchestrator_tui.domain.commands import Command, InterruptAgent, LeaveNote, SteerAgent
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import AgentStatus
from orchestrator_tui.tui import slash
from orchestrator_tui.tui.commands import find_command
from orchestrator_tui.tui.context import BY
from orchestrator_tui.tui.shell import Shell
from orchestrator_tui.tui.slash import Call, Steer
from orchestrator_tui.tui.values import agent_name, agents_of
from orchestrator_tui.tui.view import AgentView, ProjectView

KEY = re.compile(r"[A-Za-z]+-\d+")
"""A word that can only be meant as a work item's key."""


class Speaking:
    """Every method raises `OrchestratorError` when it cannot be done; the error says why and what to do."""

    def __init__(
        self, shell: Shell, project: Callable[[], ProjectView], submit: Callable[[Command], Awaitable[None]]
    ) -> None:
        self._shell = shell
        self._project = project
        self._submit = submit

    async def steer(self, steer: Steer) -> None:
        """Words for one agent: at its next step, or for the next session when it has ended."""
        resolved = slash.resolve(steer, self._shell.values)
        assert isinstance(resolved, Steer)
        agent = self._agent(resolved.agent)
        await self._submit(
            SteerAgent(project_id=self._project().id, agent_id=agent.agent_id, text=resolved.text, by=BY)
        )
        if agent.status is AgentStatus.RUNNING:
            self._shell.say(f"{resolved.agent} takes it in at its next step.")
        else:
            self._shell.say(f"{resolved.agent} has ended: the next session is told.")

    async def note(self, call: Call) -> None:
        """Words for the next session, of a work item when they begin with its key."""
        project, words = self._project(), call.get("words") or ""
        first, _, rest = words.partition(" ")
        item = self._item(first.rstrip(":")) if rest.strip() else None
        if item is not None:
            words = rest.strip()
        await self._submit(LeaveNote(project_id=project.id, text=words, work_item_id=item.id if item else None, by=BY))
        self._shell.say(f"The next session {f'of {item.key} ' if item else ''}is told.")

    async def interrupt(self, call: Call) -> None:
        """Stop the step of one agent, or of all."""
        name = call.get("agent")
        agent_id = self._agent(name).agent_id if name else None
        await self._submit(InterruptAgent(project_id=self._project().id, agent_id=agent_id, by=BY))
        self._shell.say(
            f"Its step is stopped. @{name or 'agent'} and words tell it what to do; else it goes on in a while."
        )

    def _agent(self, name: str) -> AgentView:
        return next(agent for agent in agents_of(self._shell.bridge) if agent_name(agent) == name)

    def _item(self, key: str) -> WorkItem | None:
        """The item of that key; None for a word that is no key.

        Raises:
            CommandProblem: there is no such item.
        """
        items, feed = find_command("items"), self._shell.bridge.feed
        if items is None or feed is None or not KEY.fullmatch(key):
            return None
        named = slash.resolve(Call(items, (("item", key),)), self._shell.values)
        assert isinstance(named, Call)
        return next((one for one in feed.items.values() if one.key == named.get("item")), None)
