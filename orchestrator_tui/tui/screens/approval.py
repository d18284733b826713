"""Asks whether what a phase made is right: read it, compare it, approve it, change it in words or by hand, or stop."""

import asyncio
from collections.abc import Iterator
from typing import ClassVar

from textual.app import SuspendNotSupported
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import TextArea

from orchestrator_tui.adapters.editor import edit_text
from orchestrator_tui.domain.commands import Command, EditArtifact
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.records import Artifact, InputRequest, ProjectOverview
from orchestrator_tui.domain.statuses import EDITABLE, Choice, PhaseName
from orchestrator_tui.domain.words import duration, money, title
from orchestrator_tui.tui import rounds
from orchestrator_tui.tui.agreement import Agreement, agreement
from orchestrator_tui.tui.context import BY
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.opening import Opening
from orchestrator_tui.tui.plan_summary import plan_summary
from orchestrator_tui.tui.screens.asking import Mode, Question
from orchestrator_tui.tui.widgets.action_row import Offer
from orchestrator_tui.tui.widgets.document_view import DocumentView
from orchestrator_tui.tui.widgets.text_lines import TextLine, TextLines
from orchestrator_tui.tui.widgets.text_view import TextView
from orchestrator_tui.tui.wrapping import tidy

GLANCE = 6
"""Points of the swarm shown above a document; with the whole screen all of them are."""

EDITED = "This is your edited text. Read it once more: it counts when you approve it."


class ApprovalScreen(Question):
    """The document of a phase, and what a person can say to it."""

    AUTO_FOCUS = "#approval-document"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.APPROVAL)]

    _artifacts: tuple[Artifact, ...] = ()
    _whole = ""
    _edits: EditArtifact | None = None

    def body(self) -> Iterator[Widget]:
        yield DocumentView(TextLines(id="approval-agreement"), id="approval-document")
        yield TextView(id="approval-diff")
        yield TextArea(id="approval-text", highlight_cursor_line=False)

    # What is shown

    async def show_request(self) -> None:
        """Reads the artifact and where its phase stands."""
        client = self.context.client
        self._artifacts = tuple(await client.artifacts(self.request.project_id))
        self._whole = tidy(await self._text(self.request.artifact_id) or self.request.body)
        self._tell_overview(await client.overview(self.request.project_id))
        await self._show_document()
        if self.has_class("-diff"):
            await self._show_difference()

    def _tell_overview(self, overview: ProjectOverview) -> None:
        phase = self.request.phase
        if phase is None:
            return
        state = overview.state.phases[phase]
        cost = overview.usage[phase].cost_usd if phase in overview.usage else 0.0
        facts = [overview.project.name, f"round {max(state.round, 1)}", duration(state.seconds), money(cost)]
        facts += ["edited by hand"] if self._is_edited() else []
        self.box.tell_head(title(phase).capitalize(), " · ".join(facts))

    async def _show_document(self) -> None:
        document = self.query_one("#approval-document", DocumentView)
        full = self.has_class("-full")
        content = self._artifact.content if self._artifact else {}
        found = agreement(content)
        block = self.query_one("#approval-agreement", TextLines)
        block.show(list(_agreement_lines(found, everything=full)) if found else [])
        block.display = found is not None
        short = None
        if self.request.phase is PhaseName.TASK_BREAKDOWN and not full:
            short = plan_summary(content, f"{self.context.keymap.shown('view')} shows them all")
        await document.set_text(short or self._whole)

    async def _show_difference(self) -> None:
        before = rounds.previous(self._artifacts, self.request.artifact_id or "")
        view = self.query_one("#approval-diff", TextView)
        if before is None:
            view.show([TextLine("This is the first round: there is nothing to compare it with.", "muted")])
            return
        old = await self._text(before.id) or ""
        lines = await asyncio.to_thread(rounds.difference, old, self._whole)
        view.show([TextLine(self._compared(before, lines), "muted"), TextLine(""), *map(_difference_line, lines)])

    def _compared(self, before: Artifact, lines: list[rounds.ChangedLine]) -> str:
        edited = self._is_edited() and self._artifact is not None and before.round == self._artifact.round
        other = "the text before the edit" if edited else f"round {before.round}"
        added, removed = rounds.counts(lines)
        return f"Compared with {other}: +{added} −{removed} lines." if lines else f"Nothing changed since {other}."

    async def _text(self, artifact_id: str | None) -> str | None:
        if artifact_id is None or all(one.id != artifact_id for one in self._artifacts):
            return None
        return await self.context.client.artifact_text(artifact_id)

    @property
    def _artifact(self) -> Artifact | None:
        return next((one for one in self._artifacts if one.id == self.request.artifact_id), None)

    def _is_edited(self) -> bool:
        return self._artifact is not None and rounds.is_edited(self._artifact)

    def offers(self) -> Iterator[Offer]:
        yield Offer("approve", "Approve", tone="success")
        yield Offer("request_changes", "Request changes", "Changes")
        if self._editable:
            yield Offer("edit", "Edit")
            yield Offer("editor", "$EDITOR")
        yield (
            Offer("view", "Leave full view", "Leave view")
            if self.has_class("-full")
            else Offer("view", "View full", "View")
        )
        yield Offer("diff", "Document" if self.has_class("-diff") else "Diff")
        yield Offer("stop", "Stop", tone="error")

    @property
    def _editable(self) -> bool:
        return self.request.phase in EDITABLE

    def changed_note(self, request: InputRequest) -> str:
        if self._edits is not None and request.body == self._edits.markdown:
            return EDITED
        if self.mode is Mode.EDIT:
            return "The document changed while you edited it. Yours is kept: saving puts it in place of the new one."
        return "The document changed while you looked at it: this is the new one."

    def focus_content(self) -> None:
        self.query_one("#approval-diff" if self.has_class("-diff") else "#approval-document").focus()

    # Deciding

    def action_approve(self) -> None:
        """Approves exactly what is shown."""
        self.choose(Choice.APPROVE)

    def action_request_changes(self) -> None:
        """Asks for words."""
        self.ask_words(Choice.REQUEST_CHANGES, "What should be different?")

    def action_diff(self) -> None:
        """Shows what changed, or the document again."""
        self.forget_stop()
        self.toggle_class("-diff")
        self._offer()
        self.focus_content()
        if self.has_class("-diff"):
            self._show_later()

    def action_view(self) -> None:
        """Gives the whole screen to the document, or back."""
        self.forget_stop()
        self.toggle_class("-full")
        self._offer()
        self._show_later()

    def action_close(self) -> None:
        """Out of the field, the full view or the difference; from the document itself: later."""
        self.forget_stop()
        if self.mode is Mode.READ and self.has_class("-full"):
            self.action_view()
        elif self.mode is Mode.READ and self.has_class("-diff"):
            self.action_diff()
        else:
            super().action_close()

    def _show_later(self) -> None:
        self.run_worker(self.while_open(self.show_again()), name="show document")

    # Editing

    @property
    def _editor(self) -> TextArea:
        return self.query_one("#approval-text", TextArea)

    def action_edit(self) -> None:
        """Opens the Markdown to be edited in place; what was edited before is still there."""
        self.forget_stop()
        if not self._editable:
            self.box.tell_problem("This cannot be edited as text: ask for changes in words.")
            return
        if not self._whole:
            # Still being read: an empty editor would make an empty document.
            self.opening = Opening.EDIT
            return
        if not self._editor.text:
            self._editor.text = self.context.drafts.get(self._document_key, self._whole)
        self.set_mode(Mode.EDIT)
        self._editor.focus()

    @property
    def _document_key(self) -> str:
        return f"{self._draft_key()} document"

    def keep_words(self) -> None:
        """An edited text that was not saved is kept as well."""
        super().keep_words()
        if self.mode is Mode.EDIT or self._editor.text:
            self._keep_document(self._editor.text)

    def _keep_document(self, text: str) -> None:
        if text.strip() and text.strip() != self._whole.strip():
            self.context.drafts[self._document_key] = text
        else:
            self.context.drafts.pop(self._document_key, None)

    async def _keep_saved(self, text: str) -> None:
        """What was saved in another program when something ended the wait for it."""
        self._keep_document(text)
        await self.context.drafts.store()

    def action_editor(self) -> None:
        """Opens the Markdown in the editor of the person's choice, which has the terminal meanwhile."""
        self.forget_stop()
        if not self._editable:
            self.box.tell_problem("This cannot be edited as text: ask for changes in words.")
            return
        if not self._whole:
            self.opening = Opening.EDITOR
            return
        self.run_worker(self.while_open(self._edit_outside()), name="editor", group="editor", exclusive=True)

    def action_send(self) -> None:
        """Sends the words, or saves the edited text."""
        if self.mode is Mode.EDIT:
            self._save(self._editor.text)
        else:
            super().action_send()

    async def submitted(self, command: Command) -> None:
        """An edited text is asked about again, with its own hash."""
        self.context.drafts.pop(self._document_key, None)
        if not isinstance(command, EditArtifact):
            await super().submitted(command)
            return
        self._edits = command
        self._editor.text = ""
        self.set_mode(Mode.READ)
        await self._look_again()
        self.focus_content()

    async def _edit_outside(self) -> None:
        text = self._editor.text or self.context.drafts.get(self._document_key, self._whole)
        try:
            edited = await self._suspended_edit(text)
        except SuspendNotSupported:
            key = self.context.keymap.shown("edit")
            self.box.tell_problem(f"No other program can have this terminal now: {key} edits the text right here.")
        except OrchestratorError as error:
            self.box.tell_problem(error.line())
        else:
            # It stays in the field here until the engine has taken it.
            self._editor.text = edited
            self._save(edited)

    async def _suspended_edit(self, text: str) -> str:
        """Whatever ends the editor is raised after the terminal is ours again: Textual does not take it back then."""
        failure: BaseException | None = None
        with self.app.suspend():
            try:
                text = await edit_text(text, self.context.environ, keep=self._keep_saved)
            except BaseException as error:
                # A cancellation, too: it is raised below.
                failure = error
        if failure is not None:
            raise failure
        return text

    def _save(self, text: str) -> None:
        if not text.strip():
            self.box.tell_problem("The text is empty: keep something of it, or ask for changes in words.")
        elif text.strip() == self._whole.strip():
            self.box.tell_problem("You left the text as it was.")
        else:
            request = self.request
            self.submit(EditArtifact(request_id=request.id, content_hash=request.content_hash, markdown=text, by=BY))


def _difference_line(line: rounds.ChangedLine) -> TextLine:
    tone = {rounds.ADDED: "success", rounds.REMOVED: "error", rounds.GAP: "muted"}.get(line.sign, "")
    return TextLine(line.text, tone, f"{line.sign} ", line.words)


def _agreement_lines(found: Agreement, *, everything: bool) -> Iterator[TextLine]:
    yield TextLine(f"what {', '.join(map(title, found.members))} say", "muted")
    voices = found.lonely_first
    for voice in voices if everything else voices[:GLANCE]:
        words = f"{voice.title}  {voice.alone}".rstrip()
        strong = ((len(voice.title), len(words)),)
        tone = "warning" if voice.alone else "success"
        yield TextLine(words, sign=f"{voice.marks}  ", sign_tone=tone, strong=strong)
    if len(voices) > GLANCE and not everything:
        rest = voices[GLANCE:]
        yield TextLine(f"and {len(rest)} more, {sum(one.unanimous for one in rest)} of them by all", "muted")
    for name in found.missing:
        yield TextLine(f"{title(name)} did not answer", "warning", "×  ")
