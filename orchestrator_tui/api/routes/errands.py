"""What routes that change something share: a command is carried out once, under its Idempotency-Key."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Body, Depends, Header, Request
from starlette.responses import Response

from orchestrator_tui.api.commands import Asked, Outcome, check_key
from orchestrator_tui.api.routes.parts import House, Reference, TheHouse, needs, sender_of
from orchestrator_tui.api.schemas import Nothing
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.commands import Command

OPERATE = needs(Scope.OPERATE)
Key = Annotated[
    str | None, Header(alias="Idempotency-Key", description="What is sent again under it is not done again.")
]
Empty = Annotated[Nothing | None, Body()]
BY = "api"


async def sent(request: Request, house: House, command: Command, key: str | None) -> Response:
    """Carry out a command once; its answer."""
    check_key(key)
    return _told(await house.commands.carry_out(command, sender_of(request), key))


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A request to do something with the project that its path names by `reference`."""

    request: Request
    house: House
    reference: str
    key: str | None

    async def project_id(self) -> str:
        """The id of the project. Raises ProjectNotFound."""
        return (await self.house.client.find_project(self.reference)).id

    async def send(self, command: Command) -> Response:
        """Carry out a command once; its answer."""
        return await sent(self.request, self.house, command, self.key)

    async def send_noted(self, command: Command, note: Callable[[], Awaitable[str]]) -> Response:
        """As `send`; the answer to a command that was carried out, now or before, has a `note` on how things stand."""
        check_key(self.key)
        outcome = await self.house.commands.carry_out(command, sender_of(self.request), self.key)
        if outcome.status == HTTPStatus.OK:
            body = json.dumps({**json.loads(outcome.body), "note": await note()}, ensure_ascii=False)
            outcome = replace(outcome, body=body)
        return _told(outcome)

    async def send_asked(self, asked: Asked) -> Response:
        """Carry out once what is found out the first time only; its answer."""
        return _told(await self.house.commands.carry_out_asked(asked, sender_of(self.request), self.key))


async def errand_of(request: Request, house: TheHouse, reference: Reference, key: Key = None) -> Errand:
    """Asynchronous, for anything else FastAPI runs in another thread."""
    return Errand(request=request, house=house, reference=reference, key=key)


TheErrand = Annotated[Errand, Depends(errand_of)]


def _told(outcome: Outcome) -> Response:
    media_type = "application/json" if outcome.status < 400 else "application/problem+json"
    headers = {"Idempotent-Replayed": "true"} if outcome.repeated else {}
    return Response(outcome.body, outcome.status, headers, media_type)
