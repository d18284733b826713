"""Until when the account that pays for sessions takes no requests: what one project finds out, all that use it know."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from orchestrator_tui.domain.clock import Clock
from orchestrator_tui.domain.errors import MustWait
from orchestrator_tui.domain.troubles import Trouble
from orchestrator_tui.engine.failures import SERVICE_WORDS

FAMILIES = ("opus", "sonnet", "haiku")
"""Families of models that may have a limit of their own within an account."""


def names_for(account: str, model: str) -> tuple[str, ...]:
    """The names of the limits that hold for sessions of a model; none without an account."""
    if not account:
        return ()
    return (account, *(f"{account}/{family}" for family in FAMILIES if family in model.lower()))


def name_of(account: str, kind: str | None) -> str:
    """The name of a used-up limit; `kind` is what the API calls it, such as `five_hour` or `seven_day_opus`."""
    of_one = next((family for family in FAMILIES if (kind or "").endswith(f"_{family}")), None)
    return account if of_one is None else f"{account}/{of_one}"


def account_of(name: str) -> str:
    """Whose a limit is, by its name."""
    return name.partition("/")[0]


class AccountLimits:
    """The used-up limits that this process knows of; the store has those that others found, too."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, datetime] = {}
        self._news = asyncio.Event()

    def tell(self, name: str, until: datetime) -> None:
        """A limit was found to be used up."""
        self._until[name] = max(until, self._until.get(name, until))
        told, self._news = self._news, asyncio.Event()
        told.set()

    def check(self, *untils: datetime | None) -> None:
        """
        Raises:
            MustWait: one of these moments is still to come.
        """
        found = max((until for until in untils if until is not None), default=None)
        if found is not None and found > self._clock.now():
            text = f"{SERVICE_WORDS[Trouble.USAGE_LIMIT]}, as another session found"
            raise MustWait(text, trouble=Trouble.USAGE_LIMIT, resets_at=found)

    def require(self, names: Sequence[str]) -> None:
        """
        Raises:
            MustWait: one of these limits is known to be used up.
        """
        self.check(*(self._until.get(name) for name in names))

    async def reached(self, names: Sequence[str]) -> MustWait:
        """Returns once one of these limits is found to be used up, with the error that says so."""
        while True:
            news = self._news
            try:
                self.require(names)
            except MustWait as error:
                return error
            await news.wait()
