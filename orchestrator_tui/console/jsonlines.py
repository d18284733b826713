"""Stored events as JSON, one object a line."""

import json

from orchestrator_tui.domain.events import Recorded, encode


def line(recorded: Recorded) -> str:
    """`seq`, `at` (ISO 8601, UTC), `project_id` and `type` first, then the event's own fields. No line break."""
    told = {
        "seq": recorded.seq,
        "at": recorded.at.isoformat(),
        "project_id": recorded.project_id,
        "type": type(recorded.event).__name__,
        **encode(recorded.event),
    }
    return json.dumps(told, ensure_ascii=True)
