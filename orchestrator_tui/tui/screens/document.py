"""The documents of a phase as Markdown, round by round, with the difference to the round before."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import ContentSwitcher, Static

from orchestrator_tui.domain import words
from orchestrator_tui.domain.events import ArtifactStored, Recorded
from orchestrator_tui.domain.records import Artifact
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.document_rounds import difference, label, versions
from orchestrator_tui.tui.item_text import moment
from orchestrator_tui.tui.patches import parse
from orchestrator_tui.tui.rounds import previous
from orchestrator_tui.tui.screens.live_page import LivePage
from orchestrator_tui.tui.screens.parts import DIFF_KEY, find_in
from orchestrator_tui.tui.widgets.document_view import DocumentView
from orchestrator_tui.tui.widgets.find_row import FindRow
from orchestrator_tui.tui.widgets.key_bar import Hint
from orchestrator_tui.tui.widgets.patch_view import PatchView


class DocumentPage(LivePage):
    """The newest document of a phase, or with None of the whole project; left and right go through its rounds."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *DIFF_KEY,
        Binding("left", "round(-1)", "Round before", show=False, id="document.before", tooltip="The round before"),
        Binding("right", "round(1)", "Next round", show=False, id="document.after", tooltip="The next round"),
    ]
    DEFAULT_CSS = """
    DocumentPage #document-facts { height: 1; margin: 1 0; color: $muted; }
    DocumentPage ContentSwitcher { height: 1fr; }
    DocumentPage ContentSwitcher > * { height: 1fr; }
    """

    def __init__(self, context: Context, project_id: str, phase: PhaseName | None = None) -> None:
        super().__init__(context, words.title(phase).capitalize() if phase else "Document")
        self._project_id = project_id
        self._phase = phase
        self._versions: Sequence[Artifact] = ()
        self._at = -1
        self._differs = False

    def body(self) -> ComposeResult:
        yield Static("Reading …", id="document-facts", markup=False)
        with ContentSwitcher(initial="document-text"):
            yield DocumentView(id="document-text")
            yield PatchView(id="document-patch")
        yield FindRow()

    def hints(self) -> Sequence[Hint]:
        return (
            Hint("← →", "round", "round(-1)"),
            Hint(self.context.keymap.shown("diff"), "difference to the round before", "diff"),
        )

    def on_mount(self) -> None:
        self.query_one(DocumentView).focus()

    async def load(self) -> None:
        client = self.context.client
        name = (await client.overview(self._project_id)).project.name
        follows = self._at in (-1, len(self._versions) - 1)
        self._versions = versions(await client.artifacts(self._project_id), self._phase)
        self._at = len(self._versions) - 1 if follows else self._at
        phase = self._versions[-1].phase if self._versions else self._phase
        title = words.title(phase).capitalize() if phase else "Document"
        self.tell_head(f"{title} · {name}")
        await self._show()

    def concerns(self, recorded: Recorded) -> bool:
        event = recorded.event
        mine = recorded.project_id == self._project_id and isinstance(event, ArtifactStored)
        return mine and self._phase in (None, getattr(event, "phase", None))

    async def _show(self) -> None:
        self.query_one(ContentSwitcher).current = "document-patch" if self._differs else "document-text"
        if not self._versions:
            self._tell("")
            await self.query_one(DocumentView).set_text(nothing(self._phase))
            return
        shown = self._versions[self._at]
        text = await self.context.client.artifact_text(shown.id)
        which = f"{self._at + 1} of {len(self._versions)}" if len(self._versions) > 1 else ""
        facts = [label(shown), which, moment(shown.created_at)]
        if self._differs:
            facts.append(await self._show_difference(shown, text))
        else:
            view = self.query_one(DocumentView)
            if view.text != text:
                await view.set_text(text)
        self._tell(" · ".join(part for part in facts if part))

    async def _show_difference(self, shown: Artifact, text: str) -> str:
        old = previous(self._versions, shown.id)
        view = self.query_one(PatchView)
        if old is None:
            view.show("", empty="This is the first round: there is none before it to compare with.")
            return "first round"
        old_text = await self.context.client.artifact_text(old.id)
        patch = await asyncio.to_thread(lambda: parse(difference(f"{shown.output_type}.md", old_text, text)))
        view.show(patch, empty="Nothing differs from the round before.")
        return f"against round {old.round}, {moment(old.created_at)}"

    def _tell(self, facts: str) -> None:
        self.query_one("#document-facts", Static).update(Text(facts, no_wrap=True, overflow="ellipsis"))

    def action_round(self, step: int) -> None:
        """Shows the next round, or the one before."""
        at = self._at + step
        if 0 <= at < len(self._versions):
            self._at = at
            self.guarded(self._show(), name="show")

    def action_diff(self) -> None:
        """Shows the difference to the round before, or the document again."""
        self._differs = not self._differs
        self.guarded(self._show(), name="show")
        self.call_after_refresh(self.query_one("#document-patch" if self._differs else "#document-text").focus)

    def action_search(self) -> None:
        """Searches in the difference; a document as text is short enough to read."""
        if self._differs:
            self.query_one(FindRow).ask()

    def on_patch_view_search_requested(self) -> None:
        """Searches in the difference."""
        self.action_search()

    def on_find_row_asked(self, message: FindRow.Asked) -> None:
        """Marks what was found."""
        find_in(self.query_one(PatchView), message, self.query_one(FindRow))

    def on_find_row_left(self) -> None:
        """The marks of the search go."""
        self.query_one(PatchView).clear_search()


def nothing(phase: PhaseName | None) -> str:
    """What stands in place of a document while there is none, as Markdown."""
    if phase is None:
        return "*No document yet. The first one is the list of requirements, made by the ideation phase.*\n"
    before = PHASE_ORDER[: PHASE_ORDER.index(phase)]
    wait = f" It comes after {words.title(before[-1])}." if before else ""
    return f"*No document yet: the {words.title(phase)} phase has not finished a round.{wait}*\n"
