"""Linear's GraphQL API over HTTP: one request at a time, at the pace that Linear allows, errors told apart."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from orchestrator_tui.backends.linear.errors import LinearAway, LinearDenied, LinearRefused, RateLimited
from orchestrator_tui.backends.linear.limits import LONGEST_PAUSE, Budget
from orchestrator_tui.domain.errors import LeaseLost

TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 10.0
DENIED = frozenset({"AUTHENTICATION_ERROR", "FORBIDDEN", "FEATURE_NOT_ACCESSIBLE"})
FULL = frozenset({"USAGE_LIMIT_EXCEEDED"})
FULL_HINT = "See the limits of the workspace's plan in Linear; changes are kept and sent once there is room."
PASSING = frozenset({"INTERNAL_SERVER_ERROR", "INTERNAL_ERROR", "LOCK_TIMEOUT", "NETWORK_ERROR", "BOOTSTRAP_ERROR"})
"""Codes of errors that go away by themselves."""


class LinearClient:
    """An async context manager that holds the connection.

    It tries nothing again: whoever asks knows what has to be looked at first.
    """

    def __init__(self, api_url: str, key: str, *, budget: Budget | None = None, timeout: float = TIMEOUT_SECONDS):
        self.budget = budget or Budget()
        self._url = api_url
        self._http = httpx.AsyncClient(
            headers={"Authorization": key, "Content-Type": "application/json"},
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
            # The key goes to the one address that was configured, by no other way.
            follow_redirects=False,
            trust_env=False,
        )
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def execute(self, document: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """The `data` of the answer, once it is this request's turn.

        Raises:
            LinearAway: nothing is known about what became of the request.
            RateLimited: it was not carried out, and none will be for some time.
            LinearDenied, LinearRefused: it was not carried out as a whole, and never will be.
            LeaseLost: whoever had the connection has let go of the project meanwhile; it was not sent.
        """
        asked = document.partition("(")[0]
        async with self._turn:
            pause = self.budget.pause(asked)
            if pause > LONGEST_PAUSE:
                raise RateLimited(pause)
            await asyncio.sleep(pause)
            if self._http.is_closed:
                raise LeaseLost("The run that had the connection to Linear has ended.")
            self.budget.spend()
            try:
                response = await self._http.post(self._url, json={"query": document, "variables": dict(variables)})
            except httpx.HTTPError as error:
                raise LinearAway(f"Linear cannot be reached: {_reason(error)}.") from error
            self.budget.learn(response.headers, asked)
            return self._data(response)

    def _data(self, response: httpx.Response) -> Mapping[str, Any]:
        body = _body(response)
        errors = body.get("errors") or []
        codes = {_code(error) for error in errors}
        if response.status_code == 429 or "RATELIMITED" in codes:
            raise RateLimited(self.budget.until_reset(response.headers))
        if codes & FULL:
            raise LinearDenied(f"Linear takes no more: {_message(errors)}.", hint=FULL_HINT)
        if response.status_code in (401, 403) or codes & DENIED:
            raise LinearDenied(f"Linear does not accept the request: {_message(errors) or response.reason_phrase}.")
        if response.status_code >= 500 or codes & PASSING:
            raise LinearAway(f"Linear has trouble: {_message(errors) or f'HTTP {response.status_code}'}.")
        if errors:
            raise LinearRefused(f"Linear will not do it: {_message(errors)}.", code=next(iter(codes)))
        data = body.get("data")
        if not response.is_success or not isinstance(data, dict):
            raise LinearAway(f"Linear's answer cannot be understood (HTTP {response.status_code}).")
        return data


def _body(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _code(error: Any) -> str:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    extensions = extensions if isinstance(extensions, dict) else {}
    return str(extensions.get("code") or extensions.get("type") or "").upper().replace(" ", "_")


def _message(errors: Any) -> str:
    for error in errors:
        if isinstance(error, dict):
            extensions = error.get("extensions") or {}
            text = extensions.get("userPresentableMessage") or error.get("message") or ""
            return str(text)[:500].rstrip(".")
    return ""


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it did not answer in time"
    return str(error).rstrip(".") or type(error).__name__
