"""Asks several planners at once; one that fails does not take the others with it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from orchestrator_tui.domain.errors import AgentFailed, OrchestratorError, PhaseFailed

T = TypeVar("T")

OF_THE_ACCOUNT = frozenset({"authentication_failed", "billing_error"})
"""Failures that every planner would have; the account's, not one planner's."""

QUORUM = 2
"""How many planners must answer for a swarm's result to count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SwarmAnswers(Generic[T]):
    """Answers by role, in the order of the roles; `missing` are those that failed, with the reason."""

    answers: dict[str, T]
    missing: dict[str, str]


async def run_swarm(roles: Sequence[str], ask: Callable[[str], Awaitable[T]]) -> SwarmAnswers[T]:
    """Ask every role in parallel.

    Raises:
        PhaseFailed: fewer than two roles answered; names each failure.
        OrchestratorError: something that is not one planner's own failure, such as a limit; the others are ended.
    """
    answers: dict[str, T] = {}
    missing: dict[str, str] = {}

    async def member(role: str) -> None:
        try:
            answers[role] = await ask(role)
        except AgentFailed as error:
            if error.kind in OF_THE_ACCOUNT:
                raise
            missing[role] = error.message

    try:
        async with asyncio.TaskGroup() as group:
            for role in roles:
                group.create_task(member(role), name=f"swarm-{role}")
    except ExceptionGroup as failed:
        # Not `except*`: before Python 3.11.4 what is raised there is put into a group once more.
        errors, others = failed.split(OrchestratorError)
        if errors is None or others is not None:
            raise
        raise _first(errors) from failed
    if len(answers) < min(QUORUM, len(roles)):
        reasons = "; ".join(f"{role}: {reason}" for role, reason in missing.items())
        raise PhaseFailed(f"Only {len(answers)} of {len(roles)} planners answered. {reasons}")
    return SwarmAnswers(answers={role: answers[role] for role in roles if role in answers}, missing=missing)


def _first(errors: ExceptionGroup[OrchestratorError]) -> OrchestratorError:
    inner = errors.exceptions[0]
    return _first(inner) if isinstance(inner, ExceptionGroup) else inner
