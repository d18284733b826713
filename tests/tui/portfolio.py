"""The running project of the showcase: planning with a document of two rounds, 32 of 50 items done, three agents."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from orchestrator_tui.domain import events
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import AgentStatus, Choice, PhaseName, PhaseStatus, WorkItemStatus
from tests.tui.story import Story

IDEA = "A portfolio website with a blog, where I sign in to write and readers can follow by RSS."

TITLES = (
    """
Scaffold of the web app;Settings from the environment;Database and first migration;Model of a person;Model of a post
Model of a tag;Password hashing;Session cookies;Sign-in page;Sign-out;Base layout and navigation;Design tokens
Home page;About page;Project gallery;Project detail page;Image upload;Image resizing;Alt texts for images
Markdown to safe HTML;Code highlighting;Post page;Drafts and publishing;Slugs for posts;Pagination;Error pages
Security headers;Rate limit for sign-in;Health check;Structured logs;Backup of the database;Robots and sitemap
Token authentication for the API;Post editor with preview;Feed page for followers;RSS and Atom feeds
Sign out everywhere;Tag pages;Search over posts;Reading time;Comments by mail;Contact form;Dark mode;Print styles
Keyboard navigation;Lighthouse budget;Import from Medium;Analytics without cookies;Deploy script;Release notes
""".strip()
    .replace("\n", ";")
    .split(";")
)

AUTH_TEXT = """\
Calls to `/api` carry a signed token, so that the editor works from another device.

Tokens are signed with the key from the settings and last **30 minutes**. A token that has been changed,
has expired or belongs to somebody who signed out is refused with 401 and one line that says why.
"""
AUTH_ACCEPTANCE = (
    "a token signed with another key is refused",
    "a token older than 30 minutes is refused",
    "signing out makes all tokens of that person worthless",
)
AUTH_NOTE = """\
The clock is injected (`Clock` in `settings.py`), so expiry is tested without waiting.

Left to do: the route that signs out everywhere is **TASK-37**.
"""
RED = """\
FAILED tests/test_auth.py::test_an_old_token_is_refused
E   TypeError: can't subtract offset-naive and offset-aware datetimes
1 failed, 11 passed in 1.92s"""
AUTH_PATCH = """\
c0ffee1 TASK-33: Token authentication for the API
orchestrator, 2026-01-01T11:59:51+00:00

 src/api/auth.py    | 16 ++++++++++++++--
 tests/conftest.py  |  2 +-
 2 files changed, 15 insertions(+), 3 deletions(-)

diff --git a/src/api/auth.py b/src/api/auth.py
index 1f3a..9b2c 100644
--- a/src/api/auth.py
+++ b/src/api/auth.py
@@ -12,10 +12,22 @@ from api.settings import Settings
 
 class Tokens:
     def __init__(self, settings: Settings, clock: Clock) -> None:
         self._key = settings.secret_key
         self._clock = clock
 
-    def issue(self, person: Person) -> str:
-        return sign(self._key, person.id)
+    def issue(self, person: Person) -> str:
+        \"\"\"A token that lasts 30 minutes.\"\"\"
+        return sign(self._key, person.id, person.generation, self._clock())
+
+    def check(self, token: str) -> Person:
+        \"\"\"Whose token it is.
+
+        Raises:
+            Refused: it was changed, has expired, or its owner signed out.
+        \"\"\"
+        claims = verify(self._key, token)
+        if self._clock() - claims.issued_at > LIFETIME:
+            raise Refused("The token has expired.")
+        return self._people.of(claims)
diff --git a/tests/conftest.py b/tests/conftest.py
index 77d1..0c4e 100644
--- a/tests/conftest.py
+++ b/tests/conftest.py
@@ -8,3 +8,3 @@ from datetime import UTC, datetime
 @pytest.fixture
 def clock() -> Clock:
-    return lambda: datetime(2026, 1, 1)
+    return lambda: datetime(2026, 1, 1, tzinfo=UTC)
"""  # noqa: W293


def requirements() -> Mapping[str, Any]:
    return {
        "summary": "A personal site: a gallery of projects, a blog with drafts, and feeds for followers.",
        "users": ["its owner, who writes", "readers, who follow by RSS"],
        "requirements": [
            _requirement("Only the owner writes", "Signing in opens the editor; nobody can register.", 1),
            _requirement("Posts begin as drafts", "A draft has a preview and is published with one click.", 2),
            _requirement("Readers follow by RSS", "Feeds for all posts and for each tag.", 3),
        ],
        "risks": [{"risk": "Spam in comments", "answer": "Comments come by mail and are shown by hand."}],
        "out_of_scope": ["Accounts for readers", "Payment"],
    }


def _requirement(title: str, detail: str, priority: int) -> Mapping[str, Any]:
    return {"title": title, "detail": detail, "priority": priority, "acceptance": [f"{title.lower()}, in a test"]}


def architecture(*, second: bool) -> Mapping[str, Any]:
    """The document; in its second round the database is another one, and sessions are told of."""
    database = ("SQLite with WAL", "One writer, a few thousand readers: no server to look after.")
    first = ("PostgreSQL", "Known to everybody.")
    choice, reason = database if second else first
    sessions = {
        "decision": "Sessions on the server, not in a JWT.",
        "reason": "Signing out has to count at once.",
        "alternatives": ["JWT with a deny list"],
    }
    return {
        "summary": "One Python process that renders HTML, and a database file beside it.",
        "stack": [
            {"area": "language", "choice": "Python 3.12", "reason": "The owner reads it."},
            {"area": "web", "choice": "Starlette and HTMX", "reason": "Pages work without scripts."},
            {"area": "database", "choice": choice, "reason": reason},
        ],
        "components": [
            {"name": "gallery", "responsibility": "Projects with pictures in three sizes."},
            {"name": "blog", "responsibility": "Drafts, posts, tags and feeds.", "depends_on": ["accounts"]},
            {"name": "accounts", "responsibility": "The owner's sign-in, sessions and tokens."},
        ],
        "decisions": [sessions] if second else [],
        "testing": "pytest over an in-memory database; each page is fetched once without scripts.",
        "operations": "A container with one volume; the backup is a copy of the file.",
    }


def portfolio(noon: datetime) -> Story:
    """It has been implementing for 12m03s at noon."""
    story = Story(7, "my-portfolio", IDEA, noon - timedelta(minutes=21, seconds=40))
    _planned(story)
    story.at = noon - timedelta(minutes=12, seconds=34)
    _initialized(story)
    story.at = noon - timedelta(minutes=12, seconds=3)
    story.begin(PhaseName.IMPLEMENT)
    items = list(story.items.values())
    for number, item in enumerate(items[:32]):
        story.at = noon - timedelta(seconds=718 - number // 3 * 50 - number % 3 * 6)
        _built(story, item, number)
    story.at = noon - timedelta(minutes=3, seconds=10)
    story.move(items[46], WorkItemStatus.BLOCKED, "the export of Medium needs an account")
    _feed_page(story, items[34], noon)
    _token_authentication(story, items[32], noon)
    _editor(story, items[33], noon)
    return story


def _planned(story: Story) -> None:
    story.wait(2)
    story.begin(PhaseName.IDEATION)
    _swarm(story, PhaseName.IDEATION, ("requirements", "feasibility", "risks"), 132, 0.21, 19_400)
    story.store(PhaseName.IDEATION, "requirements", requirements())
    story.approved(PhaseName.IDEATION)
    story.begin(PhaseName.ARCHITECTURE)
    members = ("system_design", "data_models", "operations")
    _swarm(story, PhaseName.ARCHITECTURE, members, 58, 0.1, 11_200)
    story.store(PhaseName.ARCHITECTURE, "architecture", architecture(second=False))
    request = story.ask_approval(PhaseName.ARCHITECTURE)
    story.wait(50)
    wish = "No database server, please. And say how sign-out works."
    story.answered(request, Choice.REQUEST_CHANGES, wish, by="dashboard")
    story.begin(PhaseName.ARCHITECTURE, feedback=wish)
    author = story.agent(PhaseName.ARCHITECTURE, "aggregator")
    story.wait(42)
    story.finish(author, 0.08, 8_100)
    story.store(PhaseName.ARCHITECTURE, "architecture", architecture(second=True))
    story.approved(PhaseName.ARCHITECTURE)
    story.begin(PhaseName.TASK_BREAKDOWN)
    planner = story.agent(PhaseName.TASK_BREAKDOWN, "planner")
    story.wait(48)
    story.finish(planner, 0.09, 10_300)
    _items(story)
    content = {
        "ids": {f"item-{item.number}": item.id for item in story.items.values()},
        "items": [_planned_item(item) for item in story.items.values()],
    }
    story.store(PhaseName.TASK_BREAKDOWN, "work_items", content)
    story.approved(PhaseName.TASK_BREAKDOWN)


def _planned_item(item: WorkItem) -> Mapping[str, Any]:
    return {
        "ref": f"item-{item.number}",
        "title": item.title,
        "description": item.description or f"{item.title}, as the architecture has it.",
        "acceptance": list(item.acceptance) or ["its tests pass"],
        "priority": item.priority,
    }


def _swarm(story: Story, phase: PhaseName, members: tuple[str, ...], seconds: float, cost: float, tokens: int) -> None:
    """Three planners at once, then the one who writes the document."""
    agents = [story.agent(phase, role) for role in members]
    story.wait(seconds * 0.7)
    for agent in agents:
        story.finish(agent, cost / 4, tokens // 4)
    story.tell(events.SwarmMerged(phase=phase, agreed=9, single=2, members=members, missing=()))
    author = story.agent(phase, "aggregator")
    story.wait(seconds * 0.3)
    story.finish(author, cost / 4, tokens // 4)


def _items(story: Story) -> None:
    items: list[WorkItem] = []
    for at, title in enumerate(TITLES):
        more: dict[str, Any] = {}
        if at == 32:
            more = {
                "priority": 1,
                "description": AUTH_TEXT,
                "acceptance": AUTH_ACCEPTANCE,
                "labels": ("accounts", "security"),
                "needs": [items[6], items[7]],
            }
        elif at == 36:
            more = {"priority": 2, "part_of": items[32], "needs": [items[32]]}
        elif at in (33, 34, 37):
            more = {"priority": 2}
        elif at in (35, 38):
            more = {"needs": [items[34]]}
        elif at > 44:
            more = {"priority": 4, "needs": items[42:45] if at == 45 else ()}
        items.append(story.plan(title, **more))


def _initialized(story: Story) -> None:
    story.begin(PhaseName.INITIALIZE)
    agent = story.agent(PhaseName.INITIALIZE, "initializer")
    story.uses(agent, "Write", "pyproject.toml", content="[project]\nname = 'my-portfolio'\n")
    story.wait(28)
    story.check(None, "1 passed in 0.02s", seconds=0.6)
    story.finish(agent, 0.04, 5_200)
    story.commit("Scaffold of my-portfolio", 11, 214, 0)
    summary = {"summary": "A Starlette app with one page and one test.", "verify_command": "uv run pytest -q"}
    story.store(PhaseName.INITIALIZE, "initialization", summary)
    story.wait(2)
    story.end(PhaseName.INITIALIZE, PhaseStatus.AWAITING_APPROVAL)
    story.end(PhaseName.INITIALIZE, PhaseStatus.COMPLETED)


def _built(story: Story, item: WorkItem, number: int) -> None:
    """An item from its start to its commit, in 45 seconds."""
    story.move(item, WorkItemStatus.IN_PROGRESS, "claimed")
    agent = story.agent(PhaseName.IMPLEMENT, "developer", item)
    story.wait(20)
    story.uses(agent, "Write", f"src/portfolio/part_{item.number:02}.py", content="…\n" * (20 + number))
    story.wait(20)
    story.check(item, f"{3 * item.number} passed in 1.{number:02}s")
    story.finish(agent, 0.9 / 32, 4_000)
    story.commit(f"{item.key}: {item.title}", 2, 38 + number, number % 5, item)
    story.move(item, WorkItemStatus.DONE, "verified")


def _token_authentication(story: Story, item: WorkItem, noon: datetime) -> None:
    story.at = noon - timedelta(minutes=6)
    story.move(item, WorkItemStatus.IN_PROGRESS, "claimed")
    first = story.agent(PhaseName.IMPLEMENT, "developer", item)
    story.wait(95)
    story.note(item, "developer", AUTH_NOTE)
    story.finish(first, 0.0, 0, AgentStatus.INTERRUPTED, "the process was stopped")
    story.at = noon - timedelta(seconds=161)
    agent = story.agent(PhaseName.IMPLEMENT, "developer", item)
    story.uses(agent, "Read", "src/api/auth.py", "88 lines")
    story.wait(2)
    story.says(agent, "I'll sign the session token with the key from settings and reject it after 30 minutes.")
    story.wait(6)
    story.uses(agent, "Edit", "src/api/auth.py", old_string="a\nb\n", new_string="c\n" * 14)
    story.uses(agent, "Write", "tests/test_auth.py", content="…\n" * 41)
    story.uses(agent, "Bash", "uv run pytest -q tests/test_auth.py", RED, failed=True)
    story.wait(20)
    story.says(agent, "The clock in the fixture is naive; make it aware.")
    story.uses(agent, "Edit", "tests/conftest.py", old_string="a\n", new_string="b\n")
    story.uses(agent, "Bash", "uv run pytest -q", "................................\n96 passed in 2.31s")
    story.wait(3)
    story.check(item, RED, passed=False, seconds=2.2)
    story.tell(events.AgentPrompted(agent_id=agent, kind="verify_failed", text=RED))
    story.wait(40)
    story.check(item, "97 passed in 2.38s")
    story.says(agent, "Now the sign-out route, which raises the person's generation so that older tokens are refused.")


def _editor(story: Story, item: WorkItem, noon: datetime) -> None:
    story.at = noon - timedelta(seconds=72)
    story.move(item, WorkItemStatus.IN_PROGRESS, "claimed")
    agent = story.agent(PhaseName.IMPLEMENT, "developer", item)
    found = "\n".join(f"src/{name}.py" for name in ("models", "feeds", "drafts", "pages", "tags", "admin", "search"))
    story.uses(agent, "Grep", '"class Post" src/', found)
    story.uses(agent, "Read", "src/models/post.py", "121 lines")
    story.wait(6)
    story.says(agent, "The editor needs drafts; the model has only `published`.")
    story.uses(agent, "Edit", "src/models/post.py", old_string="", new_string="a\n" * 6)
    story.uses(agent, "Bash", "uv run alembic upgrade head", "1 revision")
    story.wait(20)
    story.uses(agent, "Write", "src/pages/editor.py", content="…\n" * 97)


def _feed_page(story: Story, item: WorkItem, noon: datetime) -> None:
    story.at = noon - timedelta(seconds=242)
    story.move(item, WorkItemStatus.IN_PROGRESS, "claimed")
    agent = story.agent(PhaseName.IMPLEMENT, "developer", item)
    story.uses(agent, "Read", "src/feeds.py", "64 lines")
    story.wait(30)
    story.tell(
        events.AgentRetried(agent_id=agent, attempt=1, delay_seconds=5, status=529, error="the API is overloaded")
    )
    story.wait(6)
    story.uses(agent, "Edit", "tests/test_feed.py", old_string="a\nb\nc\n", new_string="d\ne\nf\n")
    story.uses(agent, "Bash", "uv run pytest -q tests/test_feed.py", "4 passed in 0.31s")
    story.says(agent, "The feed is in order; now its page, with twenty entries and a link to the older ones.")
