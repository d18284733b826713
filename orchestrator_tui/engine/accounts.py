"""Until when the account that pays for sessions takes no requests: what one project finds out, all that use it know."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.clock import Clock
from orchestrator_tui.domain.errors import MustWait, StoreUnavailable
from orchestrator_tui.domain.events import AgentDelta, PipelineStatusChanged, Recorded
from orchestrator_tui.domain.statuses import PauseReason
from orchestrator_tui.domain.troubles import Trouble
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.failures import SERVICE_WORDS

logger = logging.getLogger(__name__)

FAMILIES = ("opus", "sonnet", "haiku")
"""Families of models that may have a limit of their own within an account."""


AGAIN_SECONDS = 1.0
"""How long it takes until other processes are listened to again after the database was away."""

_NEVER = datetime.min.replace(tzinfo=UTC)


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
        """A limit was found to be used up; nothing happens when that is known."""
        if until <= self._until.get(name, _NEVER):
            return
        self._until[name] = until
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


@asynccontextmanager
async def told_by_others(limits: AccountLimits, store: Store, bus: Bus, clock: Clock) -> AsyncIterator[None]:
    """While open, `limits` knows what sessions of other processes find used up, so that those at work here end, too."""

    async def read() -> None:
        for name, until in (await store.limited_accounts(clock.now())).items():
            limits.tell(name, until)

    async def listen() -> None:
        while True:
            with bus.subscription(from_all=True) as news:
                try:
                    await read()
                    while True:
                        if _may_be_a_limit(await news.take()):
                            await read()
                except StoreUnavailable as error:
                    logger.debug("limits of accounts wait for the database: %s", error.message)
                except Exception:
                    logger.exception("what other processes found of limits of accounts could not be read")
            await asyncio.sleep(AGAIN_SECONDS)

    task = asyncio.create_task(listen(), name="account-limits")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _may_be_a_limit(news: Recorded | AgentDelta | None) -> bool:
    """None says that something was missed. A limit is stored before its project pauses."""
    match news:
        case None:
            return True
        case Recorded(event=PipelineStatusChanged(reason=PauseReason.USAGE_LIMIT)):
            return True
        case _:
            return False
