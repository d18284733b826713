"""Makes, lists and revokes the tokens of a server, on the machine that has its database."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from orchestrator_tui import cli, compose, start
from orchestrator_tui.api.access import mint
from orchestrator_tui.api.base import Ledger
from orchestrator_tui.api.token_file import LOCAL
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.domain import words
from orchestrator_tui.domain.access import Scope, Token
from orchestrator_tui.domain.codec import to_plain
from orchestrator_tui.domain.errors import UsageError
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine.bus import Bus


def manage_tokens(wanted: cli.ManageTokens) -> int:
    """Do what is wanted with the tokens; returns the exit code.

    Raises:
        OrchestratorError: whatever ended it, in words for people.
    """
    launch = start.given(wanted, os.environ)
    with start.in_words(launch, wanted):
        sys.stdout.write(asyncio.run(_managed(wanted, launch)))
        sys.stdout.flush()
        return 0


async def _managed(wanted: cli.ManageTokens, launch: Launch) -> str:
    async with compose.open_store_for(launch, Bus()) as store:
        match wanted.action:
            case "create":
                return await _create(wanted, store.ledger)
            case "revoke":
                return await _revoke(wanted, store.ledger)
            case _:
                return _listed(await store.ledger.tokens(), as_json=wanted.options.json)


async def _create(wanted: cli.ManageTokens, ledger: Ledger) -> str:
    if wanted.name.strip() == LOCAL:
        raise UsageError(f"{LOCAL} is the token of this machine.", hint="Choose another name.")
    minted = mint(wanted.name, Scope(wanted.scope))
    await ledger.add_token(minted.token)
    if wanted.options.json:
        return json.dumps({**_plain(minted.token), "token": minted.text}) + "\n"
    return (
        f"{minted.text}\n"
        f"This token of {minted.token.name} may {minted.token.scope.value}. It is shown only now; "
        f"take it back with: {cli.PROGRAM} {cli.TOKEN} revoke {minted.token.id}\n"
    )


async def _revoke(wanted: cli.ManageTokens, ledger: Ledger) -> str:
    """By id, or by a name that only one has."""
    known = [token for token in await ledger.tokens() if token.revoked_at is None]
    meant = [token for token in known if token.id == wanted.name] or [t for t in known if t.name == wanted.name]
    if len(meant) != 1 or not await ledger.revoke_token(meant[0].id):
        why = f"{len(meant)} tokens have the name" if meant else "No token that works has the id or the name"
        hint = f"{cli.PROGRAM} {cli.TOKEN} list shows their ids."
        raise UsageError(f"{why} {one_line(wanted.name, 60)}.", hint=hint)
    token = meant[0]
    if wanted.options.json:
        return json.dumps({"id": token.id, "name": token.name, "revoked": True}) + "\n"
    return f"The token {token.id} of {token.name} is revoked.\n"


def _listed(tokens: Sequence[Token], *, as_json: bool) -> str:
    if as_json:
        return json.dumps([_plain(token) for token in tokens], indent=2) + "\n"
    if not tokens:
        return "There are no tokens.\n"
    head = ("ID", "Name", "Scope", "Made", "Revoked")
    rows = [
        (one.id, one_line(one.name, 60), one.scope.value, _day(one.created_at), _day(one.revoked_at)) for one in tokens
    ]
    return "\n".join(words.table([head, *rows])) + "\n"


def _plain(token: Token) -> dict[str, Any]:
    """What may be told of a token: all but the hash."""
    plain: dict[str, Any] = to_plain(token)
    del plain["secret_hash"]
    return plain


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""
