"""Turns what waits for a person into calls of an adapter's methods, and hands the answers to the engine."""

from dataclasses import dataclass
from typing import assert_never

from orchestrator_tui.adapters.base import InputAdapter
from orchestrator_tui.adapters.review import Approved, ChangesWanted, Edited, Reviewer, StopWanted, Verdict
from orchestrator_tui.domain import words
from orchestrator_tui.domain.commands import AnswerRequest, Command, EditArtifact
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import Choice, RequestKind
from orchestrator_tui.domain.text import hidden
from orchestrator_tui.engine.client import EngineClient

WORDS_FOR = {
    Choice.RETRY_WITH_HINT: "What should the agent know?",
    Choice.REQUEST_CHANGES: "What should be different?",
    Choice.ANSWER: "What is your answer?",
}
"""Choices that need words, and how they are asked for."""


@dataclass(frozen=True)
class Broker:
    """Asks on one channel. `by` is who the answers are said to come from."""

    engine: EngineClient
    adapter: InputAdapter
    by: str = "person"

    async def answer(self, request: InputRequest) -> None:
        """Ask a person and submit what they say.

        Raises:
            RequestClosed: somebody else answered first, or the content changed meanwhile.
            InputEnded: nobody is there to answer.
        """
        await self.engine.submit(await self.ask(request))

    async def ask(self, request: InputRequest) -> Command:
        """What a person says to a request, as the command that tells the engine."""
        match request.kind:
            case RequestKind.APPROVAL:
                return self._command(request, await self._review(request))
            case RequestKind.CLARIFICATION:
                text = await self.adapter.get_clarification(_question(request))
                return self._choose(request, Choice.ANSWER, text)
            case RequestKind.PERMISSION | RequestKind.ERROR_DECISION:
                return await self._decide(request)
            case _:
                assert_never(request.kind)

    async def _review(self, request: InputRequest) -> Verdict:
        if isinstance(self.adapter, Reviewer):
            return await self.adapter.review(request)
        if await self.adapter.get_approval(request.body, request.phase or ""):
            return Approved()
        return ChangesWanted(await self.adapter.get_clarification(WORDS_FOR[Choice.REQUEST_CHANGES]))

    async def _decide(self, request: InputRequest) -> Command:
        choice = Choice(await self.adapter.show_error(_question(request), [c.value for c in request.choices]))
        asked = WORDS_FOR.get(choice)
        return self._choose(request, choice, await self.adapter.get_clarification(asked) if asked else None)

    def _command(self, request: InputRequest, verdict: Verdict) -> Command:
        match verdict:
            case Approved():
                return self._choose(request, Choice.APPROVE)
            case ChangesWanted(text=text):
                return self._choose(request, Choice.REQUEST_CHANGES, text)
            case Edited(markdown=markdown):
                return EditArtifact(
                    request_id=request.id, content_hash=request.content_hash, markdown=markdown, by=self.by
                )
            case StopWanted():
                return self._choose(request, Choice.STOP)
            case _:
                assert_never(verdict)

    def _choose(self, request: InputRequest, choice: Choice, text: str | None = None) -> AnswerRequest:
        return AnswerRequest(
            request_id=request.id, choice=choice, content_hash=request.content_hash, text=text, by=self.by
        )


def _question(request: InputRequest) -> str:
    lines = [request.title, request.body.rstrip("\n")]
    if request.kind is RequestKind.PERMISSION and (count := hidden(request.body)):
        lines.append(words.not_shown(count))
    return "\n".join(lines).strip()
