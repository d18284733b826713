"""Carries out commands once: each is logged before it begins, and what is sent again under its key is not repeated."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from orchestrator_tui.adapters.idea import check_idea
from orchestrator_tui.api import wire
from orchestrator_tui.api.access import check_command
from orchestrator_tui.api.base import Ledger, Options
from orchestrator_tui.api.problems import Refused, problem_of, status_of
from orchestrator_tui.api.token_file import LOCAL
from orchestrator_tui.domain.access import AuditEntry, Token
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import Command, CreateProject, DrainWorker
from orchestrator_tui.domain.errors import IllegalTransition, OrchestratorError, StaleState, StoreUnavailable
from orchestrator_tui.engine.client import EngineClient

LONGEST_KEY = 200
LONGEST_DETAIL = 200
"""Characters of one field of a command that the log keeps."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """Who sends a command, from which address."""

    token: Token
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The answer to a command. `repeated`: it was carried out before."""

    status: int
    body: str
    repeated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request for a command.

    Attributes:
        find: finds out which command it means as things stand now, and raises what keeps it from being one.
        kind: the command's type.
        said: what the request says again when it is sent again; what it means may by then be another command, or none.
    """

    find: Callable[[], Awaitable[Command]]
    kind: type[Any]
    said: bytes


@dataclass(frozen=True, slots=True)
class _Running:
    body_hash: str
    task: "asyncio.Task[Outcome]"


class Commands:
    """The way of every command to the engine. `on_outcome` hears of each, with the command's type and its status."""

    def __init__(
        self, client: EngineClient, ledger: Ledger, options: Options, on_outcome: Callable[[str, int], None]
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._options = options
        self._on_outcome = on_outcome
        self._running: dict[tuple[str, str], _Running] = {}
        self._tasks = set[asyncio.Task[Outcome]]()
        self._closing = False

    @property
    def is_closing(self) -> bool:
        return self._closing

    @property
    def are_at_work(self) -> bool:
        """Whether any is being carried out."""
        return bool(self._tasks)

    async def close(self) -> None:
        """Take no more commands; returns when those that are being carried out have come to an end."""
        self._closing = True
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def carry_out(self, command: Command, sender: Sender, key: str | None = None) -> Outcome:
        """The answer to a command; see `carry_out_found`."""

        async def known() -> Command:
            return command

        asked = Asked(find=known, kind=type(command), said=wire.dumps(wire.command_plain(command)))
        return await self.carry_out_asked(asked, sender, key)

    async def carry_out_asked(self, asked: Asked, sender: Sender, key: str | None = None) -> Outcome:
        """The answer to a request; whoever does not wait for it does not end it. One that can be no command now is
        refused, and logged all the same.

        Raises:
            Refused: the server is ending, or the key stands for another command, or for one whose end is not known.
            StoreUnavailable: the command could not be logged, so it was not begun.
        """
        if self._closing:
            raise Refused(503, StoreUnavailable("The server is ending.", hint="Try again when it is up."))
        body_hash = hashlib.sha256(asked.said).hexdigest()
        name = (sender.token.id, key or "")
        if key is not None and (running := self._running.get(name)) is not None:
            _check_same(running.body_hash, body_hash)
            return replace(await asyncio.shield(running.task), repeated=True)
        task = asyncio.create_task(self._once(asked, sender, key, body_hash), name="command")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if key is not None:
            self._running[name] = _Running(body_hash, task)
            task.add_done_callback(lambda _: self._running.pop(name, None))
        return await asyncio.shield(task)

    async def _once(self, asked: Asked, sender: Sender, key: str | None, body_hash: str) -> Outcome:
        if key is not None and (before := await self._ledger.with_key(sender.token.id, key)) is not None:
            return _again(before, body_hash)
        command: Command | OrchestratorError
        try:
            command = _signed(await asked.find(), sender.token)
        except StoreUnavailable:
            raise
        except OrchestratorError as error:
            command = error
        try:
            entry = await self._ledger.begin(
                AuditEntry(
                    number=0,
                    token_id=sender.token.id,
                    token_name=sender.token.name,
                    address=sender.address,
                    at=now(),
                    command=asked.kind.__name__,
                    detail=self._detail(command),
                    key=key,
                    body_hash=body_hash,
                )
            )
        except StaleState as error:
            # Another server process on the same database was given it in this moment.
            raise _unknown() from error
        outcome = await self._outcome(command, sender)
        try:
            await self._ledger.end(entry.number, status=outcome.status, answer=outcome.body)
        except StoreUnavailable as error:
            logger.warning("the end of command %d is not in the log: %s", entry.number, error.message)
        self._on_outcome(entry.command, outcome.status)
        return outcome

    async def _outcome(self, command: Command | OrchestratorError, sender: Sender) -> Outcome:
        try:
            if isinstance(command, OrchestratorError):
                raise command
            await asyncio.to_thread(check_command, command, sender.token.scope, self._options.workspace)
            if isinstance(command, CreateProject):
                command = replace(command, idea=check_idea(command.idea))
            concerned = await self._client.submit(command)
        except Exception as error:
            # It is the command's outcome, kept with it and logged, whatever it is.
            return Outcome(status=status_of(error), body=wire.dumps(problem_of(error)).decode())
        what = "worker_id" if isinstance(command, DrainWorker) else "project_id"
        return Outcome(status=200, body=wire.dumps({what: concerned}).decode())

    def _detail(self, command: Command | OrchestratorError) -> str:
        if isinstance(command, OrchestratorError):
            return self._options.mask(wire.dumps({"refused": _cut(command.message)}).decode())
        plain = wire.command_plain(command)
        short = {name: _cut(value) for name, value in plain.items() if name != "type" and value not in (None, {}, "")}
        return self._options.mask(wire.dumps(short).decode())


def check_key(key: str | None) -> None:
    """Raises Refused unless this can be an idempotency key."""
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        error = OrchestratorError(
            "The Idempotency-Key cannot be used.", hint=f"Use up to {LONGEST_KEY} printable characters, such as a UUID."
        )
        raise Refused(400, error)


def _signed(command: Command, token: Token) -> Command:
    """The command in the name of who sent it. This machine's own person is told apart by the front end they use."""
    if token.name == LOCAL or "by" not in {field.name for field in fields(command)}:
        return command
    signed: Any = replace  # mypy wants a field that all commands have
    return cast(Command, signed(command, by=token.name))


def _cut(value: object) -> object:
    return value[:LONGEST_DETAIL] + "…" if isinstance(value, str) and len(value) > LONGEST_DETAIL else value


def _check_same(stored: str, given: str) -> None:
    if stored != given:
        error = OrchestratorError(
            "This Idempotency-Key stands for another command.", hint="Use a new key for each command."
        )
        raise Refused(422, error)


def _again(before: AuditEntry, body_hash: str) -> Outcome:
    _check_same(before.body_hash, body_hash)
    if before.status is None or before.answer is None:
        raise _unknown()
    return Outcome(status=before.status, body=before.answer, repeated=True)


def _unknown() -> Refused:
    error = IllegalTransition(
        "This command was begun, and how it ended is not known.",
        hint="Look at the project; then send the command under a new key if it is still needed.",
    )
    return Refused(409, error)
