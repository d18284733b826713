"""Tells webhooks of Linear from forged, old and repeated ones. What they say is never taken over: they say that it is
time to look."""

import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from orchestrator_tui.domain.errors import WebhookRejected

WINDOW_SECONDS = 60.0
"""How far a webhook's moment may be from now (Linear's documentation)."""
MOST_REMEMBERED = 1_000
"""Deliveries that are recognised when they come again; older ones are outside of the window."""
LONGEST_BODY = 1_000_000
CONCERNING = frozenset({"Issue", "Comment", "IssueLabel", "IssueRelation", "Project"})


class Webhooks:
    """Checks deliveries with the secret of the webhook in Linear's settings."""

    def __init__(self, secret: str, *, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret.encode()
        self._clock = clock
        self._seen: OrderedDict[str, None] = OrderedDict()

    def accept(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Whether there is something to look at: False for one that came before, or is about something else.

        `body` is as it was received, byte by byte; names of `headers` in any case.

        Raises:
            WebhookRejected: the signature does not fit, or it is not of now.
        """
        named = {name.lower(): value for name, value in headers.items()}
        if len(body) > LONGEST_BODY:
            raise WebhookRejected("The webhook is too large.")
        expected = hmac.new(self._secret, body, sha256).hexdigest()
        given = named.get("linear-signature", "")
        if not self._secret or not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            raise WebhookRejected(
                "The webhook's signature does not fit.", hint="Set LINEAR_WEBHOOK_SECRET to its secret."
            )
        payload = _payload(body)
        self._check_moment(payload)
        if self._came_before(named.get("linear-delivery") or expected):
            return False
        return payload.get("type") in CONCERNING

    def _check_moment(self, payload: Mapping[str, Any]) -> None:
        moment = payload.get("webhookTimestamp")
        if isinstance(moment, bool) or not isinstance(moment, int | float):
            raise WebhookRejected("The webhook does not say of when it is.")
        if abs(self._clock() - moment / 1_000) > WINDOW_SECONDS:
            raise WebhookRejected("The webhook is not of now.", hint="Compare the clocks.")

    def _came_before(self, delivery: str) -> bool:
        if delivery in self._seen:
            return True
        self._seen[delivery] = None
        if len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)
        return False


def _payload(body: bytes) -> Mapping[str, Any]:
    try:
        payload = json.loads(body)
    except ValueError as error:
        raise WebhookRejected("The webhook is no JSON.") from error
    if not isinstance(payload, dict):
        raise WebhookRejected("The webhook is no JSON object.")
    return payload
