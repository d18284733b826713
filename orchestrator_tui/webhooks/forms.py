"""What is sent of a notice: JSON signed as the Standard Webhooks specification has it, or a message for Slack."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from orchestrator_tui.config.secrets import mask_data
from orchestrator_tui.domain.notices import Happening, Notice

_PREFIX = "whsec_"
_SIGNS: Mapping[Happening, str] = {
    Happening.WAITING: ":raised_hand:",
    Happening.FINISHED: ":white_check_mark:",
    Happening.FAILED: ":x:",
    Happening.BUDGET: ":money_with_wings:",
}


def as_json(notice: Notice, hide: Callable[[str], str]) -> bytes:
    """Type, moment and data, without anything that looks like a credential."""
    project = notice.project
    data: dict[str, Any] = {
        "seq": notice.seq,
        "text": notice.text,
        "project": {
            "id": project.id,
            "number": project.number,
            "name": project.name,
            "slug": project.slug,
            "rehearsal": project.rehearsal,
        },
        "event": dict(notice.detail),
    }
    payload = {"type": f"project.{notice.happening}", "timestamp": notice.at.isoformat(), "data": mask_data(data, hide)}
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def as_slack(notice: Notice, hide: Callable[[str], str]) -> bytes:
    """A message as Slack's incoming webhooks take it, and those of chats that are compatible."""
    text = hide(notice.text)
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, written)
    if notice.project.rehearsal:
        text += " (rehearsal)"
    return json.dumps({"text": f"{_SIGNS[notice.happening]} {text}"}).encode()


def headers_of(notice: Notice, body: bytes, key: str, moment: datetime) -> dict[str, str]:
    """The headers by which a receiver tells that this is of us and of now, and whether it has it already.

    Source: standardwebhooks.com. `key` is one of its secrets (`whsec_` and Base64), or any other text as it is.

    Raises:
        ValueError: what follows `whsec_` is no Base64.
    """
    seconds = str(int(moment.timestamp()))
    signed = f"{notice.id}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.new(key_of(key), signed, sha256).digest()).decode()
    return {"webhook-id": notice.id, "webhook-timestamp": seconds, "webhook-signature": f"v1,{signature}"}


def key_of(key: str) -> bytes:
    """The bytes that sign.

    Raises:
        ValueError: what follows `whsec_` is no Base64.
    """
    if not key.startswith(_PREFIX):
        return key.encode()
    try:
        return base64.b64decode(key.removeprefix(_PREFIX), validate=True)
    except ValueError as error:
        raise ValueError("what follows whsec_ is no Base64") from error
