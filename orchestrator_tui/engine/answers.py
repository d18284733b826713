"""What a person's answer does to a project: approve, ask for changes, edit, decide about an error."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import AnswerRequest, EditArtifact
from orchestrator_tui.domain.errors import IllegalTransition, RequestClosed
from orchestrator_tui.domain.records import Artifact, InputRequest
from orchestrator_tui.domain.statuses import EDITABLE, Choice, PhaseStatus, RequestKind
from orchestrator_tui.engine import machine
from orchestrator_tui.phases.artifacts import new_artifact, stored_event

LEFT_OUT = "left out by a person"
"""Why a phase was skipped that is enabled in the settings."""


async def answer(store: Store, command: AnswerRequest) -> InputRequest:
    """Store an answer and what follows from it; the caller lets the pipeline go on.

    Raises:
        RequestClosed: answered already, or the content changed since it was shown.
        IllegalTransition: the request does not take this choice, or words are missing.
    """
    request = await store.get_request(command.request_id)
    if command.choice not in request.choices:
        possible = ", ".join(request.choices)
        raise IllegalTransition(
            f"This question cannot be answered with {command.choice}.", hint=f"Possible: {possible}."
        )
    words = (command.text or "").strip()
    if command.choice in (Choice.REQUEST_CHANGES, Choice.RETRY_WITH_HINT, Choice.ANSWER) and not words:
        raise IllegalTransition(f"{command.choice} needs words.", hint="Say what should be different.")
    async with store.transaction() as unit:
        # First, as a pipeline that is about to pause for this question locks it too.
        await unit.pipeline(request.project_id)
        answered = await unit.answer_request(
            command.request_id,
            content_hash=command.content_hash,
            choice=command.choice,
            text=words or None,
            by=command.by,
        )
        unit.record(
            request.project_id,
            events.InputAnswered(
                request_id=request.id, kind=request.kind, choice=command.choice, text=words or None, by=command.by
            ),
        )
        # What becomes of a work item is up to the run that holds the project.
        if request.phase is not None and request.work_item_id is None:
            await _consequence(unit, request, command.choice, words)
    return answered


async def _consequence(unit: UnitOfWork, request: InputRequest, choice: Choice, words: str) -> None:
    match request.kind, choice:
        case RequestKind.APPROVAL, Choice.REQUEST_CHANGES:
            await _again(unit, request, PhaseStatus.AWAITING_APPROVAL, words)
        case RequestKind.ERROR_DECISION, Choice.RETRY | Choice.RETRY_WITH_HINT:
            await _again(unit, request, PhaseStatus.FAILED, words or None)
        case RequestKind.ERROR_DECISION, Choice.SKIP:
            await _leave_out(unit, request)
        case _:
            pass


async def _again(unit: UnitOfWork, request: InputRequest, expected: PhaseStatus, feedback: str | None) -> None:
    """The phase runs once more, as its next round, with what the person said."""
    assert request.phase is not None
    state = (await unit.pipeline(request.project_id)).phases[request.phase]
    number = state.round + 1 if expected is PhaseStatus.AWAITING_APPROVAL else state.round
    for old, new in ((expected, PhaseStatus.RUNNING), (PhaseStatus.RUNNING, PhaseStatus.PENDING)):
        machine.check(old, new, what=f"The {request.phase} phase")
        seconds = await unit.set_phase_status(
            request.project_id, request.phase, old, new, round=number, feedback=feedback
        )
        unit.record(
            request.project_id,
            events.PhaseStatusChanged(
                phase=request.phase, old=old, new=new, round=number, seconds=seconds, reason=feedback
            ),
        )


async def _leave_out(unit: UnitOfWork, request: InputRequest) -> None:
    """The pipeline goes on without what the failed phase would have made."""
    assert request.phase is not None
    old, new = PhaseStatus.FAILED, PhaseStatus.SKIPPED
    machine.check(old, new, what=f"The {request.phase} phase")
    seconds = await unit.set_phase_status(request.project_id, request.phase, old, new, error=LEFT_OUT)
    state = (await unit.pipeline(request.project_id)).phases[request.phase]
    unit.record(
        request.project_id,
        events.PhaseStatusChanged(
            phase=request.phase, old=old, new=new, round=state.round, seconds=seconds, reason=LEFT_OUT
        ),
    )


async def edit(
    store: Store, command: EditArtifact, write_face: Callable[[Artifact], Awaitable[None]] | None = None
) -> InputRequest:
    """Replace the document under approval by a person's text; the question is asked again about the new content.

    `write_face` writes the text into the document's file. That comes right before the text is stored: when a crash
    comes in between, the file looks as if the person had edited it there; the other way round it would look as if
    they had taken their text back.

    Raises:
        RequestClosed: answered already, or the content changed since it was shown.
        IllegalTransition: this document cannot be edited as text.
    """
    request = await store.get_request(command.request_id)
    if request.kind is not RequestKind.APPROVAL or request.phase not in EDITABLE:
        raise IllegalTransition("This cannot be edited as text.", hint="Ask for changes in words instead.")
    if not command.markdown.strip():
        raise IllegalTransition("The edited document is empty.", hint="Keep the document, or ask for changes.")
    old = await store.latest_artifact(request.project_id, request.phase)
    if old is None or old.id != request.artifact_id:
        raise RequestClosed("The document changed meanwhile.", hint="Look at the new one.")
    content = {**old.content, "edited_markdown": command.markdown}
    artifact = new_artifact(request.project_id, request.phase, old.output_type, content, old.file_path, old.round)
    renewed = replace(
        request,
        id=artifact.id,
        body=command.markdown,
        content_hash=artifact.content_hash,
        artifact_id=artifact.id,
        created_at=artifact.created_at,
    )
    async with store.transaction() as unit:
        await unit.answer_request(
            command.request_id,
            content_hash=command.content_hash,
            choice=Choice.REQUEST_CHANGES,
            text="edited by hand",
            by=command.by,
        )
        await unit.add_artifact(artifact)
        await unit.open_request(renewed)
        unit.record(
            request.project_id,
            events.InputAnswered(
                request_id=request.id,
                kind=request.kind,
                choice=Choice.REQUEST_CHANGES,
                text="edited by hand",
                by=command.by,
            ),
            stored_event(artifact),
            events.InputRequested(
                request_id=renewed.id,
                kind=renewed.kind,
                phase=renewed.phase,
                title=renewed.title,
                content_hash=renewed.content_hash,
                choices=renewed.choices,
            ),
        )
        if write_face is not None:
            await write_face(artifact)
    return renewed
