"""The answer to "may this tool call run?", with a reason an agent can act on."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Verdict(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and why; the reason of a denial names what is allowed instead.

    `pattern` is what a person would allow from then on when asked, never wider than what was shown; "" for one call.
    `place` is the file that was checked, where the path as written leads through links; the tool is given it instead.
    """

    verdict: Verdict
    reason: str = ""
    pattern: str = ""
    place: Path | None = None

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW


def allow(reason: str = "inside the project") -> Decision:
    return Decision(Verdict.ALLOW, reason)


def deny(reason: str) -> Decision:
    return Decision(Verdict.DENY, reason)


def ask(reason: str, pattern: str = "") -> Decision:
    return Decision(Verdict.ASK, reason, pattern)
