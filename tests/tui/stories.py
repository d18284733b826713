"""The other projects of the showcase: each is in another state, four of them wait for a person."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import Choice, PhaseName, PhaseStatus, PipelineStatus, RequestKind, WorkItemStatus
from tests.tui.portfolio import requirements
from tests.tui.story import Story

PLANNERS = ("system_design", "data_models", "operations")
QUESTION = """\
Two readings of your idea lead to different programs:

- Recipes are yours alone, and the shopping list is for one kitchen.
- A family shares them, and everybody ticks off the same list.

Which one is it, and how many people is it for?"""
PERMISSION = """\
TASK-13 wants to run this command outside the project's folder:

    sudo apt-get install -y libgpiod2

Reason given: "The sensor's library needs it to open the GPIO chip." """
FAILURE = (
    "3 of 3 attempts ended with the same red check: tests/test_redirects.py::test_a_loop_is_told hangs for 120 s. "
    "Give a hint, leave the phase out, or look at the last attempt with /diff."
)


def architecture(*, second: bool) -> Mapping[str, Any]:
    """In the second round the shop takes payments through somebody else, and stock is reserved."""
    payment = "Stripe Checkout" if second else "an own card form"
    reason = "No card number ever reaches the shop." if second else "Full control over the look."
    decisions = [
        {"decision": "Sessions on the server, not in a JWT.", "reason": "Signing out counts at once."},
        {"decision": "Search by PostgreSQL full text.", "reason": "Ten thousand products need no search server."},
    ]
    stock = {"decision": "Stock is reserved at checkout for 15 minutes.", "reason": "Nobody pays for what is gone."}
    points = [
        ("decision", "Sessions on the server", 3),
        ("decision", "Stock is reserved at checkout", 2),
        ("decision", "Search by PostgreSQL full text", 1),
        ("stack", "Python 3.12 with FastAPI", 3),
        ("stack", "PostgreSQL", 3),
    ]
    return {
        "summary": "A shop for one seller: catalogue, basket, checkout and an admin, in one Python service.",
        "stack": [
            {"area": "language", "choice": "Python 3.12 with FastAPI", "reason": "Typed from the edge to the store."},
            {"area": "database", "choice": "PostgreSQL", "reason": "Orders and stock change in one transaction."},
            {"area": "payment", "choice": payment, "reason": reason},
        ],
        "components": [
            {"name": "catalogue", "responsibility": "Products, pictures and stock."},
            {"name": "basket", "responsibility": "What a visitor wants to buy.", "depends_on": ["catalogue"]},
            {"name": "checkout", "responsibility": "Turns a basket into an order.", "depends_on": ["basket", "orders"]},
            {"name": "orders", "responsibility": "What was bought, and where it is on its way."},
        ],
        "decisions": [*decisions, stock] if second else decisions,
        "testing": "pytest against a real PostgreSQL; the checkout is played in a browser.",
        "operations": "One container behind a proxy, migrations at start, a backup every night.",
        "swarm": {
            "members": list(PLANNERS),
            "missing": {},
            "agreed": [_point(*one) for one in points if one[2] > 1],
            "single": [_point(*one) for one in points if one[2] == 1],
        },
    }


def _point(kind: str, title: str, voices: int) -> Mapping[str, Any]:
    raised_by = list(PLANNERS[:voices]) if voices > 1 else [PLANNERS[1]]
    return {"kind": kind, "title": title, "detail": title, "priority": 2, "raised_by": raised_by}


def shop(noon: datetime) -> Story:
    """Waits for approval of its architecture, round 2."""
    story = Story(6, "e-commerce", "A shop for my ceramics with a basket and payment.", noon - timedelta(minutes=24))
    _ideated(story)
    story.begin(PhaseName.ARCHITECTURE)
    _session(story, PhaseName.ARCHITECTURE, "aggregator", 100, 0.18, 21_000)
    story.store(PhaseName.ARCHITECTURE, "architecture", architecture(second=False))
    request = story.ask_approval(PhaseName.ARCHITECTURE)
    story.wait(200)
    wish = "No card form of our own: use Stripe Checkout."
    story.answered(request, Choice.REQUEST_CHANGES, wish, by="dashboard")
    story.begin(PhaseName.ARCHITECTURE, feedback=wish)
    _session(story, PhaseName.ARCHITECTURE, "aggregator", 62, 0.07, 9_500)
    story.store(PhaseName.ARCHITECTURE, "architecture", architecture(second=True))
    story.ask_approval(PhaseName.ARCHITECTURE)
    return story


def weather(noon: datetime) -> Story:
    """An agent asks whether it may install something."""
    story = Story(5, "weather-station", "Reads my sensors and draws the last week.", noon - timedelta(hours=1))
    _planned(story, 30, done=12)
    item = list(story.items.values())[12]
    story.move(item, WorkItemStatus.IN_PROGRESS, "claimed")
    agent = story.agent(PhaseName.IMPLEMENT, "developer", item)
    story.uses(agent, "Read", "src/sensors.py", "70 lines")
    choices = (Choice.ALLOW_ONCE, Choice.ALLOW_PROJECT, Choice.DENY, Choice.STOP)
    story.ask(RequestKind.PERMISSION, "Run a command with sudo?", PERMISSION, choices)
    return story


def recipes(noon: datetime) -> Story:
    """The ideation has a question."""
    story = Story(4, "recipe-box", "A place for our recipes, with a shopping list.", noon - timedelta(minutes=47))
    story.begin(PhaseName.IDEATION)
    _session(story, PhaseName.IDEATION, "requirements", 38, 0.05, 6_100)
    title = "For one person, or for a family?"
    story.ask(RequestKind.CLARIFICATION, title, QUESTION, (Choice.ANSWER, Choice.STOP))
    return story


def chatbot(noon: datetime) -> Story:
    """Was stopped while it tested."""
    story = Story(3, "ai-chatbot", "A chatbot for the help pages of our library.", noon - timedelta(hours=5))
    _planned(story, 44, done=41)
    story.end(PhaseName.IMPLEMENT, PhaseStatus.COMPLETED)
    story.begin(PhaseName.TESTING)
    story.wait(65)
    story.end(PhaseName.TESTING, PhaseStatus.PENDING)
    story.pipeline(PipelineStatus.STOPPING, "user_request")
    story.pipeline(PipelineStatus.STOPPED, "user_request")
    return story


def links(noon: datetime) -> Story:
    """Testing failed, and a person is to decide."""
    story = Story(2, "link-checker", "Finds dead links in Markdown files.", noon - timedelta(hours=9))
    _planned(story, 18, done=18)
    story.end(PhaseName.IMPLEMENT, PhaseStatus.COMPLETED)
    story.begin(PhaseName.TESTING)
    _session(story, PhaseName.TESTING, "tester", 401, 0.33, 40_200)
    story.end(PhaseName.TESTING, PhaseStatus.FAILED, error=FAILURE)
    story.tell(
        events.ErrorOccurred(
            title="Phase", message=FAILURE, hint="Give a hint or leave it out.", phase=PhaseName.TESTING
        )
    )
    choices = (Choice.RETRY, Choice.RETRY_WITH_HINT, Choice.SKIP, Choice.STOP)
    story.ask(RequestKind.ERROR_DECISION, "The testing phase of link-checker failed", FAILURE, choices)
    return story


def tasks(noon: datetime) -> Story:
    """Was finished two hours ago; a rehearsal."""
    story = Story(1, "task-manager", "Tasks with due dates in the terminal.", noon - timedelta(hours=3), rehearsal=True)
    _planned(story, 12, done=12)
    for name in (PhaseName.IMPLEMENT, PhaseName.TESTING):
        if name is PhaseName.TESTING:
            story.begin(name)
            _session(story, name, "tester", 240, 0.2, 24_000)
        story.end(name, PhaseStatus.COMPLETED)
    story.end(PhaseName.DEPLOY, PhaseStatus.SKIPPED)
    story.pipeline(PipelineStatus.COMPLETED)
    return story


def _ideated(story: Story) -> None:
    story.begin(PhaseName.IDEATION)
    _session(story, PhaseName.IDEATION, "requirements", 128, 0.2, 22_000)
    story.store(PhaseName.IDEATION, "requirements", requirements())
    story.approved(PhaseName.IDEATION)


def _planned(story: Story, items: int, *, done: int) -> None:
    """Everything up to the middle of the implementation."""
    _ideated(story)
    for phase, role in (
        (PhaseName.ARCHITECTURE, "aggregator"),
        (PhaseName.TASK_BREAKDOWN, "planner"),
        (PhaseName.INITIALIZE, "initializer"),
    ):
        story.begin(phase)
        _session(story, phase, role, 54, 0.11, 12_000)
        story.end(phase, PhaseStatus.COMPLETED)
    planned = [story.plan(f"Part {number} of {story.project.name}") for number in range(1, items + 1)]
    story.begin(PhaseName.IMPLEMENT)
    for item in planned[:done]:
        story.move(item, WorkItemStatus.IN_PROGRESS, "claimed")
        agent = story.agent(PhaseName.IMPLEMENT, "developer", item)
        story.wait(31)
        story.finish(agent, 0.04, 3_900)
        story.move(item, WorkItemStatus.DONE, "verified")


def _session(story: Story, phase: PhaseName, role: str, seconds: float, cost: float, tokens: int) -> None:
    agent = story.agent(phase, role)
    story.wait(seconds)
    story.finish(agent, cost, tokens)
