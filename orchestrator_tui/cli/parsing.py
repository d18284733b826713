"""Turns arguments into an invocation, and an invocation's options back into arguments."""

import argparse
from collections.abc import Sequence

from orchestrator_tui import __version__
from orchestrator_tui.cli.checks import check, is_given
from orchestrator_tui.cli.invocations import (
    DEFAULT_API_PORT,
    DEFAULT_HOST,
    DEFAULT_PORT,
    DOCTOR,
    INTERRUPT,
    PERMISSIONS,
    POLICY,
    PROGRAM,
    QUOTED,
    SCOPES,
    STEPPING,
    TOKEN,
    TRACKER,
    CheckPolicy,
    ContinueProject,
    Doctor,
    ImportFolder,
    Invocation,
    ManageTokens,
    Options,
    Serve,
    ServeWeb,
    ShowLogs,
    ShowPermissions,
    ShowStatus,
    ShowText,
    StartProject,
    StepIn,
    StopRunning,
    UseTracker,
    UseWorkers,
    Work,
)
from orchestrator_tui.cli.options import make_parser
from orchestrator_tui.domain.errors import UsageError


def parse(arguments: Sequence[str]) -> Invocation:
    """What the arguments (without the program's name) ask for.

    Raises:
        UsageError: they cannot be understood or contradict each other.
    """
    parser = make_parser()
    try:
        given = parser.parse_intermixed_args(arguments)
    except UsageError as error:
        if [word for word in arguments if not word.startswith("-")][:2] == [POLICY, "check"]:
            # Most likely they are the options of the command that is asked about.
            raise UsageError(error.message, hint=QUOTED) from error
        raise
    if given.help:
        return ShowText(text=parser.format_help())
    if given.version:
        return ShowText(text=f"{PROGRAM} {__version__}\n")
    check(given)
    return _invocation(given)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether errors should be told as JSON too; works for arguments that cannot be parsed."""
    return "--json" in arguments


def dashboard_arguments(served: ServeWeb) -> list[str]:
    """The arguments that give a browser tab's dashboard the same options."""
    scenario = [] if served.rehearsal is None else [f"--rehearsal={served.rehearsal}"]
    return scenario + option_arguments(served.options)


def option_arguments(options: Options) -> list[str]:
    """The arguments that give another invocation on this machine the same options."""
    named = {
        "config": options.config,
        "model": options.model,
        "autonomy": options.autonomy,
        "log-level": options.log_level,
    }
    arguments = [f"--{name}={value}" for name, value in named.items() if value is not None]
    arguments += ["--no-sandbox"] * options.no_sandbox
    return arguments + [f"--set={text}" for text in options.settings]


def _invocation(given: argparse.Namespace) -> Invocation:
    options = Options(
        config=given.config,
        settings=tuple(given.set),
        model=given.model,
        autonomy=given.autonomy,
        log_level=given.log_level,
        json=given.json,
        no_sandbox=given.no_sandbox,
        connect=given.connect,
    )
    interactive = not (given.no_interactive or given.json)
    if given.web:
        return ServeWeb(
            host=DEFAULT_HOST if given.host is None else given.host,
            port=DEFAULT_PORT if given.port is None else given.port,
            public_url=given.public_url,
            rehearsal=given.rehearsal,
            options=options,
        )
    if given.words and given.words[0] == POLICY:
        return CheckPolicy(command=given.words[2], directory=given.directory, options=options)
    if given.words and given.words[0] == TRACKER:
        return UseTracker(
            action=given.words[1],
            reference=given.words[2] if len(given.words) > 2 else None,
            to=given.to,
            dry_run=given.dry_run,
            force=given.force,
            options=options,
        )
    if given.words == [DOCTOR]:
        return Doctor(options=options)
    if given.words and given.words[0] == PERMISSIONS:
        reference = given.words[1] if len(given.words) > 1 else None
        return ShowPermissions(reference=reference, remove=given.remove, options=options)
    if given.serve:
        return Serve(
            host=DEFAULT_HOST if given.host is None else given.host,
            port=DEFAULT_API_PORT if given.port is None and not given.background else given.port,
            background=given.background,
            public_url=given.public_url,
            tls_cert=given.tls_cert,
            tls_key=given.tls_key,
            rehearsal=given.rehearsal,
            options=options,
        )
    if given.worker:
        return Work(concurrency=given.concurrency, options=options)
    if given.workers or given.drain is not None:
        return UseWorkers(drain=given.drain, options=options)
    if given.words and given.words[0] == TOKEN:
        _, action, *name = given.words
        return ManageTokens(action=action, name="".join(name), scope=given.scope or SCOPES[0], options=options)
    if given.words:
        return ImportFolder(folder=given.words[1], new_repository=given.new_repository, options=options)
    if given.status is not None:
        return ShowStatus(reference=given.status or None, options=options)
    if given.stop is not None:
        return StopRunning(reference=given.stop or None, all=given.all, options=options)
    for action in STEPPING:
        if is_given(given, action):
            return StepIn(
                action=action,
                text=getattr(given, action) if action != INTERRUPT else "",
                reference=given.project,
                agent=given.agent,
                item=given.item,
                options=options,
            )
    if given.logs is not None:
        return ShowLogs(reference=given.logs or None, follow=given.follow, options=options)
    if given.resume is not None:
        return ContinueProject(
            reference=given.resume or None,
            approve=given.approve,
            changes=given.request_changes,
            rehearsal=given.rehearsal,
            interactive=interactive,
            console=given.console,
            options=options,
        )
    return StartProject(
        idea=given.idea,
        idea_file=given.idea_file,
        rehearsal=given.rehearsal,
        name=given.name,
        directory=given.directory,
        interactive=interactive,
        console=given.console,
        options=options,
    )
