"""Receivers that are told by an HTTP POST, from the settings and the environment."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from orchestrator_tui import __version__
from orchestrator_tui.config.settings import WebhookReceiver
from orchestrator_tui.config.urls import check_api_url
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.notices import Notice
from orchestrator_tui.webhooks import forms
from orchestrator_tui.webhooks.base import NotDelivered

SECONDS = 10.0
"""How long a receiver may take for its answer."""
LONGEST_WISH = 3_600.0
"""Seconds of `Retry-After` that are heeded at most."""
REFUSED = frozenset({400, 410, 413, 422})
"""Answers that say that this will never be taken; everything else but a success may be better another time."""


@dataclass(frozen=True, kw_only=True)
class HttpReceiver:
    """Somebody who is told by HTTP. Address and key are shown nowhere."""

    settings: WebhookReceiver
    url: str = field(repr=False)
    key: str | None = field(repr=False)
    http: httpx.AsyncClient = field(repr=False)
    hide: Callable[[str], str] = field(repr=False)

    @property
    def name(self) -> str:
        return self.settings.name

    def wants(self, notice: Notice) -> bool:
        return notice.happening in self.settings.on

    async def tell(self, notice: Notice) -> None:
        body = (forms.as_slack if self.settings.format == "slack" else forms.as_json)(notice, self.hide)
        headers = {"Content-Type": "application/json"}
        if self.key is not None:
            headers |= forms.headers_of(notice, body, self.key, now())
        try:
            async with (
                asyncio.timeout(SECONDS),
                # What it answers is not read: only whether it took it counts.
                self.http.stream("POST", self.url, content=body, headers=headers) as response,
            ):
                status, wish = response.status_code, response.headers.get("retry-after", "")
        except (httpx.HTTPError, TimeoutError, httpx.InvalidURL) as error:
            # Their own words may hold the address.
            raise NotDelivered(f"{urlsplit(self.url).hostname}: {type(error).__name__}") from error
        if not 200 <= status < 300:
            seconds = min(float(wish), LONGEST_WISH) if wish.isdecimal() else 0.0
            raise NotDelivered(f"it answered {status}", final=status in REFUSED, seconds=seconds)


@asynccontextmanager
async def open_receivers(
    wanted: Sequence[WebhookReceiver], environ: Mapping[str, str], hide: Callable[[str], str]
) -> AsyncIterator[Sequence[HttpReceiver]]:
    """The receivers that the settings name; `hide` takes credentials out of what they are told.

    Raises:
        SettingsError: a variable that one of them names is not set, or holds what cannot be used.
    """
    addresses = [(one, _address(one, environ), _key(one, environ)) for one in wanted]
    async with httpx.AsyncClient(
        headers={"User-Agent": f"orchestrator-tui/{__version__}"},
        timeout=SECONDS,
        # It goes to the one address that was configured, by no other way.
        follow_redirects=False,
        trust_env=False,
    ) as http:
        yield [HttpReceiver(settings=one, url=url, key=key, http=http, hide=hide) for one, url, key in addresses]


def _address(receiver: WebhookReceiver, environ: Mapping[str, str]) -> str:
    if receiver.url_from is None:
        return receiver.url or ""
    try:
        return check_api_url(_variable(receiver, receiver.url_from, environ))
    except ValueError as error:
        raise SettingsError(
            f"webhooks.receivers: {receiver.url_from}, the address of {receiver.name}, cannot be used: {error}.",
            hint="Use one that starts with https://, or http:// for this machine.",
        ) from error


def _key(receiver: WebhookReceiver, environ: Mapping[str, str]) -> str | None:
    if receiver.key_from is None:
        return None
    key = _variable(receiver, receiver.key_from, environ)
    try:
        forms.key_of(key)
    except ValueError as error:
        raise SettingsError(
            f"webhooks.receivers: {receiver.key_from}, the key of {receiver.name}, cannot be used: {error}."
        ) from error
    return key


def _variable(receiver: WebhookReceiver, name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise SettingsError(
            f"webhooks.receivers: {receiver.name} needs the environment variable {name}, which is not set.",
            hint="Set it, or take the receiver out of the settings.",
        )
    return value
