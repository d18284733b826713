"""The command `orchestrator-tui`: everything that needs no engine is answered before anything heavy is imported."""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path

from orchestrator_tui import cli
from orchestrator_tui.adapters.idea import check_idea, read_idea_file
from orchestrator_tui.domain.errors import BadIdea, OrchestratorError, UsageError
from orchestrator_tui.domain.text import clean

FAILED = 1
USAGE = 2
INTERRUPTED = 130
FRAMES = "120"
"""How often a second the dashboard may paint at most."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line (the process's own by default); returns the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    _replace_closed_streams()
    _accept_any_text()
    code = 0
    try:
        code = _run(given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _silence_stdout()
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        _silence_stdout()
        if code == 0:
            _complain(f"{cli.PROGRAM}: The output could not be written: {error.strerror or error}.")
        return code or FAILED


def _run(given: Sequence[str]) -> int:
    try:
        match cli.parse(given):
            case cli.ShowText(text=text):
                sys.stdout.write(text)
                return 0
            case cli.CheckPolicy() as asked:
                return _check_policy(asked)
            case cli.ServeWeb() as served:
                return _serve(served)
            case cli.Doctor() as asked:
                return _examine(asked)
            case cli.Serve() as served:
                from orchestrator_tui.serve import serve_api

                return serve_api(served)
            case cli.Work() as work:
                from orchestrator_tui.work import work_for_cluster

                return work_for_cluster(work)
            case cli.ManageTokens() as managed:
                from orchestrator_tui.tokens import manage_tokens

                return manage_tokens(managed)
            case cli.StartProject() as start:
                return _launch(replace(start, idea=_idea(start)))
            case invocation:
                return _launch(invocation)
    except OrchestratorError as error:
        report(error, as_json=cli.wants_json(given))
        return USAGE if isinstance(error, UsageError) else FAILED


def _launch(invocation: cli.StartProject | cli.ContinueProject | cli.Aside) -> int:
    # Imported here: --help, --version and usage errors must not wait for it.
    try:
        if not isinstance(invocation, cli.Aside) and _wants_dashboard(invocation):
            # A key is shown up to one frame later; Textual reads this when it is imported.
            os.environ.setdefault("TEXTUAL_FPS", FRAMES)
            from orchestrator_tui.tui.typed_ahead import unseen

            # The imports take a while.
            with unseen(sys.stdin.fileno()) as seen:
                from orchestrator_tui.dashboard import open_dashboard

                return open_dashboard(invocation, seen)
        from orchestrator_tui.launch import launch
    except ImportError as error:
        raise OrchestratorError(f"The installation is incomplete: {error}.", hint="Install it again.") from error
    return launch(invocation)


def _check_policy(asked: cli.CheckPolicy) -> int:
    """Its exit codes are answers, so an error has one of its own."""
    from orchestrator_tui.policy_check import check_policy

    try:
        return check_policy(asked)
    except OrchestratorError as error:
        report(error, as_json=asked.options.json)
    except Exception as error:
        # Whoever asked counts on one of its exit codes.
        broken = OrchestratorError(f"The command could not be checked: {error}.", hint="Agents would be denied it.")
        report(broken, as_json=asked.options.json)
    return USAGE


def _serve(served: cli.ServeWeb) -> int:
    # Imported here for the same reason.
    from orchestrator_tui.web.serve import serve_dashboard

    return serve_dashboard(served)


def _examine(asked: cli.Doctor) -> int:
    # Imported here for the same reason.
    from orchestrator_tui.doctor import examine

    return examine(asked)


def _wants_dashboard(invocation: cli.StartProject | cli.ContinueProject) -> bool:
    """Whether a person is there to look at it, on a terminal that can show it or in a browser."""
    if not invocation.interactive or invocation.console:
        return False
    if isinstance(invocation, cli.ContinueProject) and (invocation.approve or invocation.changes is not None):
        return False
    if os.environ.get("TEXTUAL_DRIVER"):
        return True
    return on_terminal() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def _idea(start: cli.StartProject) -> str | None:
    """The checked idea; None when a rehearsal has its own or a person can be asked for one.

    Raises:
        BadIdea: there is none and nobody to ask, or it cannot be used.
    """
    if start.idea is not None:
        return check_idea(start.idea)
    if start.idea_file is not None:
        return read_idea_file(start.idea_file, sys.stdin.buffer)
    if start.rehearsal is not None or _wants_dashboard(start) or (start.interactive and on_terminal()):
        return None
    raise BadIdea(
        "No idea was given, and there is no terminal to ask on." if start.interactive else "No idea was given.",
        hint='Use --idea "…" or --idea-file FILE, or try --rehearsal --autonomy full.',
    )


def on_terminal() -> bool:
    """Whether a person sits at both ends."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def report(error: OrchestratorError, *, as_json: bool) -> None:
    """Tell an error: a line on standard error for each line it has, and a JSON line on standard output if wanted."""
    for line in clean(f"{error.message} {error.hint}").splitlines():
        if line.strip():
            _complain(f"{cli.PROGRAM}: {error.title}: {' '.join(line.split())}")
    if as_json:
        told = {"type": "error", "title": error.title, "message": error.message, "hint": error.hint}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def _complain(line: str) -> None:
    """Say it on standard error, where somebody reads that."""
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _replace_closed_streams() -> None:
    """Put the null device in place of streams that were closed when the program was started."""
    # In the order of their descriptors: each takes the lowest free one, which is its own.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _accept_any_text() -> None:
    """Never fail to print a character that the terminal's encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _silence_stdout() -> None:
    """Let the interpreter's last flush go nowhere; the reader is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave_out_this_folder() -> None:
    """`python -m` looks for modules in the present folder first; an agent may have written there what has a library's
    name."""
    if sys.path[:1] in ([""], [os.getcwd()]):  # noqa: PTH109
        del sys.path[0]


if __name__ == "__main__":
    _leave_out_this_folder()
    sys.exit(main())
