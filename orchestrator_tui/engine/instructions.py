"""What a person says to agents unasked: stored when given, settled once the agent has taken it in or has ended."""

from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.commands import InterruptAgent, LeaveNote, SteerAgent, Stepping
from orchestrator_tui.domain.errors import IllegalTransition
from orchestrator_tui.domain.records import InputRequest, Instruction
from orchestrator_tui.domain.statuses import InstructionKind, RequestKind
from orchestrator_tui.domain.text import clean
from orchestrator_tui.engine.hearing import Heard

LONGEST_WORDS = 8_000
"""Characters that a person may say at once."""


async def step_in(store: Store, command: Stepping) -> None:
    """Store what a person says; whoever runs the project takes it from there.

    Raises:
        IllegalTransition: there are no words or too many, or nobody to interrupt.
        KeyError: there is no such project, or it has no such work item.
    """
    async with store.transaction() as unit:
        # No run of the project stores anything meanwhile: an agent at work here is still so when this is stored.
        await unit.pipeline(command.project_id)
        match command:
            case SteerAgent():
                await _steer(unit, command)
            case LeaveNote():
                item_id = command.work_item_id
                # Words for an item that is not there nobody would ever hear.
                if item_id is not None and (await unit.item(item_id)).project_id != command.project_id:
                    raise KeyError(item_id)
                note = _new(command, InstructionKind.NOTE, _words(command.text), item=command.work_item_id)
                await _give(unit, note)
            case InterruptAgent():
                await _interrupt(unit, command)


async def _steer(unit: UnitOfWork, command: SteerAgent) -> None:
    given = _new(command, InstructionKind.STEER, _words(command.text), agent=command.agent_id)
    await _give(unit, given)
    at_work = {session.id for session in await unit.running_sessions(command.project_id)}
    if command.agent_id not in at_work:
        await release(unit, command.project_id, command.agent_id)


async def _interrupt(unit: UnitOfWork, command: InterruptAgent) -> None:
    at_work = [session.id for session in await unit.running_sessions(command.project_id)]
    wanted = [one for one in at_work if command.agent_id in (None, one)]
    if not wanted:
        who = "No agent is at work." if command.agent_id is None else "That agent is not at work any more."
        raise IllegalTransition(who, hint="/note leaves words for the next session.")
    for agent_id in wanted:
        await _give(unit, _new(command, InstructionKind.INTERRUPT, "", agent=agent_id))


async def release(unit: UnitOfWork, project_id: str, agent_id: str) -> None:
    """The agent has ended: what it did not hear goes to the next session."""
    for left in await unit.release_instructions(agent_id):
        if left.kind is InstructionKind.STEER:
            unit.record(project_id, events.InstructionKept(instruction_id=left.id, agent_id=agent_id, text=left.text))


async def settle(unit: UnitOfWork, agent_id: str, heard: Heard) -> None:
    """The agent has taken it in."""
    if isinstance(heard, InputRequest):
        # To have heard of a permission is not to have used it.
        if heard.kind is RequestKind.CLARIFICATION:
            await unit.take_answer(heard.id)
    elif await unit.take_instruction(heard.id):
        unit.record(
            heard.project_id,
            events.InstructionTaken(instruction_id=heard.id, kind=heard.kind, agent_id=agent_id, text=heard.text),
        )


async def _give(unit: UnitOfWork, given: Instruction) -> None:
    await unit.give_instruction(given)
    unit.record(
        given.project_id,
        events.InstructionGiven(
            instruction_id=given.id,
            kind=given.kind,
            text=given.text,
            by=given.by,
            agent_id=given.agent_id,
            work_item_id=given.work_item_id,
        ),
    )


def _new(
    command: Stepping, kind: InstructionKind, text: str, *, agent: str | None = None, item: str | None = None
) -> Instruction:
    return Instruction(
        id=new_id(),
        project_id=command.project_id,
        kind=kind,
        text=text,
        by=command.by,
        agent_id=agent,
        work_item_id=item,
        created_at=now(),
    )


def _words(text: str) -> str:
    words = clean(text).strip()
    if not words:
        raise IllegalTransition("There are no words.", hint="Say what the agent should know.")
    if len(words) > LONGEST_WORDS:
        raise IllegalTransition(
            f"That is too long for an agent at work: {len(words)} characters, at most {LONGEST_WORDS} are taken.",
            hint="Put it into a file of the project and name the file.",
        )
    return words
