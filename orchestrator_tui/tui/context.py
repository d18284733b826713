"""What every screen of the dashboard is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator_tui.config.paths import Paths
from orchestrator_tui.domain.clock import now
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.keymap import Keymap
from orchestrator_tui.tui.unsent import Unsent

BY = "dashboard"
"""Who gave an answer, when it was given here."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """The engine, and what belongs to this start of the program. `clock` gives aware UTC.

    `drafts` are words a person wrote and has not sent, by the question they are for.
    """

    client: EngineClient
    keymap: Keymap
    paths: Paths
    environ: Mapping[str, str] = field(repr=False)
    clock: Callable[[], datetime] = now
    drafts: Unsent = field(default_factory=Unsent, repr=False)
