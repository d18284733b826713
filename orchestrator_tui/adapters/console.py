"""The console as a channel to a person: questions on the output, answers line by line from the input."""

import re
from collections.abc import Mapping, Sequence
from typing import BinaryIO, TextIO

from orchestrator_tui.adapters.base import InputAdapter
from orchestrator_tui.adapters.editor import edit_text
from orchestrator_tui.adapters.line_reader import LineReader
from orchestrator_tui.adapters.review import Approved, ChangesWanted, Edited, InputEnded, StopWanted, Verdict
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.records import InputRequest, PipelineState
from orchestrator_tui.domain.statuses import EDITABLE, Choice
from orchestrator_tui.domain.text import clean

SUMMARY_LINES = 40
"""Lines of a document shown before the question; `view` shows all."""

_YES = frozenset({"", "y", "yes"})
_NO = re.compile(r"(?:n|no|nope|nah|reject)\b[\s,.:;!-]*(?P<words>.*)", re.IGNORECASE | re.DOTALL)


class ConsoleAdapter(InputAdapter):
    """Asks on `output` and reads from `source`; `environ` says which editor to use.

    Every method raises `InputEnded` when the input is at its end: nobody is there to say yes.
    """

    def __init__(self, source: BinaryIO, output: TextIO, environ: Mapping[str, str]) -> None:
        self._reader = LineReader(source)
        self._output = output
        self._environ = environ
        self._shown: tuple[str, str] | None = None

    async def get_initial_idea(self) -> str:
        self._write("What would you like to build?\n")
        while True:
            self._write("> ")
            idea = self._checked(await self._reader.paragraph()).strip()
            if idea:
                return idea

    async def get_approval(self, summary: str, phase: str) -> bool:
        self._show(f"{phase.replace('_', ' ')} is ready.", summary)
        verdict = await self._verdict(summary, editable=False)
        if isinstance(verdict, StopWanted):
            raise InputEnded("You asked to stop.")
        return isinstance(verdict, Approved)

    async def get_clarification(self, question: str) -> str:
        self._write(f"{clean(question)}\n")
        while True:
            self._write("> ")
            answer = self._checked(await self._reader.paragraph()).strip()
            if answer:
                return answer

    async def show_progress(self, status: PipelineState) -> None:
        done = sum(phase.ended_at is not None for phase in status.phases.values())
        phase = f", {status.current_phase.replace('_', ' ')}" if status.current_phase else ""
        self._write(f"{status.status}{phase}: {done} of {len(status.phases)} phases are done.\n")

    async def show_error(self, error: str, options: Sequence[str]) -> str:
        self._write(f"{clean(error)}\n")
        for number, option in enumerate(options, 1):
            self._write(f"  {number}  {option.replace('_', ' ')}\n")
        self._reader.forget_typed_ahead()
        while True:
            self._write("Your choice: ")
            answer = self._checked(await self._reader.line()).strip()
            chosen = _chosen(answer, options)
            if chosen is not None:
                return chosen
            self._write(f"Please answer with a number from 1 to {len(options)} or with the words.\n")

    async def review(self, request: InputRequest) -> Verdict:
        """Ask about a document: yes, no with words, edit it, view all of it, or stop."""
        editable = request.phase in EDITABLE
        shown = (request.id, request.content_hash)
        # What could not be carried out is asked again, right below the words that say why.
        if shown != self._shown:
            self._show(request.title, request.body)
        self._shown = shown
        while True:
            verdict = await self._verdict(request.body, editable=editable)
            if isinstance(verdict, ChangesWanted) and not verdict.text:
                return ChangesWanted(await self.get_clarification("What should be different?"))
            if not isinstance(verdict, Edited):
                return verdict
            edited = await self._edited(request.body)
            if edited is not None:
                return edited

    async def _edited(self, text: str) -> Edited | None:
        try:
            changed = await edit_text(text, self._environ)
        except OrchestratorError as error:
            self._write(f"{error.line()}\n")
            return None
        if changed.strip() and changed != text:
            return Edited(changed)
        self._write("You left the text as it was.\n" if changed.strip() else "An empty text is not taken.\n")
        return None

    def _show(self, title: str, document: str) -> None:
        self._write(f"\n{clean(title)}\n\n{_summary(document)}\n")

    async def _verdict(self, document: str, *, editable: bool) -> Verdict:
        """One round of the question; `ChangesWanted` may be without words, `Edited` is without the text."""
        more = ["edit", "view", "stop"] if editable else ["view", "stop"]
        self._reader.forget_typed_ahead()
        while True:
            self._write(f"Does this look right? [{'/'.join(['Y', 'n', *more])}] ")
            answer = self._checked(await self._reader.line()).strip()
            match answer.lower():
                case yes if yes in _YES:
                    return Approved()
                case "v" | "view":
                    self._write(f"\n{clean(document)}\n\n")
                case "e" | "edit" if editable:
                    return Edited("")
                case Choice.STOP | "q" | "quit":
                    return StopWanted()
                case _ if refused := _NO.fullmatch(answer):
                    return ChangesWanted(refused["words"].strip())
                case _:
                    self._write(f"Please answer y for yes, n for no, {', '.join(more[:-1])} or {more[-1]}.\n")

    def _checked(self, line: str | None) -> str:
        if line is None:
            self._write("\n")
            raise InputEnded
        return line

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()


def _summary(document: str) -> str:
    lines = clean(document).rstrip().splitlines()
    if len(lines) <= SUMMARY_LINES:
        return "\n".join(lines) + "\n"
    left = len(lines) - SUMMARY_LINES
    return "\n".join([*lines[:SUMMARY_LINES], "", f"({left} more lines: view)", ""])


def _chosen(answer: str, options: Sequence[str]) -> str | None:
    """The option meant by its number, its name, or the only one that starts like it."""
    if answer.isascii() and answer.isdigit():
        return options[int(answer) - 1] if 1 <= int(answer) <= len(options) else None
    wanted = answer.lower().replace(" ", "_")
    if wanted in options:
        return wanted
    starting = [option for option in options if wanted and option.startswith(wanted)]
    return starting[0] if len(starting) == 1 else None
