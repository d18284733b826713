"""What was spent, by phase, session, kind of token and project, as rows that add up; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator_tui.domain import words
from orchestrator_tui.domain.records import ProjectOverview, SessionLog, Usage
from orchestrator_tui.domain.statuses import PHASE_ORDER
from orchestrator_tui.domain.text import one_line


@dataclass(frozen=True, slots=True)
class CostRow:
    """One line of a table; `share` of the table's money, or of its tokens where no money is told apart, 0 to 1."""

    name: str
    tokens: int
    dollars: float
    share: float
    rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session: who, for which item, how it ended, seconds, what it used."""

    number: int
    role: str
    item: str
    model: str
    session: SessionLog


def by_phase(overview: ProjectOverview) -> Sequence[CostRow]:
    """The phases that have cost something or have begun, in their order."""
    total = overview.total_usage
    spent = [(name, overview.usage[name]) for name in PHASE_ORDER if name in overview.usage]
    return [_row(words.title(name), usage, total) for name, usage in spent]


def by_project(overviews: Iterable[ProjectOverview]) -> Sequence[CostRow]:
    """The projects in the order they are given; shares are of all money, pretended money apart."""
    found = list(overviews)
    totals = {
        pretended: total_of(one for one in found if one.project.rehearsal is pretended) for pretended in (False, True)
    }
    return [
        _row(
            f"{one.project.number} {one_line(one.project.name, 60)}",
            one.total_usage,
            totals[one.project.rehearsal],
            rehearsal=one.project.rehearsal,
        )
        for one in found
    ]


def by_kind(usage: Usage) -> Sequence[CostRow]:
    """Tokens by what they were; money is not told apart."""
    kinds = (
        ("input", usage.input_tokens),
        ("output", usage.output_tokens),
        ("cache read", usage.cache_read_tokens),
        ("cache write", usage.cache_write_tokens),
    )
    return [CostRow(name, count, 0.0, count / usage.tokens if usage.tokens else 0.0) for name, count in kinds]


def by_session(sessions: Iterable[SessionLog], keys: Mapping[str, str]) -> Sequence[SessionRow]:
    """The sessions, the dearest first; `keys` has the names of work items by id."""
    dearest = sorted(sessions, key=lambda one: (-one.usage.cost_usd, -one.usage.tokens, one.session_number))
    return [
        SessionRow(
            number=one.session_number,
            role=one_line(words.title(one.role), 24),
            item=keys.get(one.work_item_id or "", ""),
            model=short_model(one.model),
            session=one,
        )
        for one in dearest
    ]


def total_of(overviews: Iterable[ProjectOverview]) -> Usage:
    """What projects used in all."""
    total = Usage()
    for overview in overviews:
        total = total + overview.total_usage
    return total


def short_model(model: str) -> str:
    """`claude-opus-4-5-20251101` as `opus-4-5`."""
    name = one_line(model, 40).removeprefix("claude-")
    head, _, date = name.rpartition("-")
    return head if len(date) == 8 and date.isdigit() else name


def count(tokens: int) -> str:
    """Tokens without their unit, for a column that is headed by it."""
    return words.tokens(tokens).removesuffix(" tok")


def _row(name: str, usage: Usage, total: Usage, *, rehearsal: bool = False) -> CostRow:
    part, whole = (usage.cost_usd, total.cost_usd) if total.cost_usd else (usage.tokens, total.tokens)
    return CostRow(name, usage.tokens, usage.cost_usd, part / whole if whole else 0.0, rehearsal)
