"""What does not go together on the command line, and what is missing there."""

import argparse
from collections.abc import Sequence

from orchestrator_tui.cli.invocations import (
    DOCTOR,
    IMPORT,
    INTERRUPT,
    PERMISSIONS,
    POLICY,
    PROGRAM,
    QUOTED,
    STEPPING,
    TOKEN,
    TRACKER,
    TRACKER_ACTIONS,
)
from orchestrator_tui.domain.errors import UsageError


def check(given: argparse.Namespace) -> None:
    """Raises UsageError for options that contradict each other, or lack something."""
    starting = ("idea", "idea_file", "name", "directory")
    answering = ("approve", "request_changes")
    _check_words(given)
    _exclude(given, ("idea", "idea_file"))
    _exclude(given, answering)
    looking = ("status", "stop", "logs", *STEPPING)
    for number, look in enumerate(looking):
        for flag in (*looking[number + 1 :], *starting, "resume", "rehearsal", *answering):
            _exclude(given, (look, flag))
    if given.all and given.stop != "":
        raise UsageError("--all stops everything that runs.", hint=f"{PROGRAM} --stop --all")
    if given.follow and given.logs is None:
        raise UsageError("--follow goes on showing what happens.", hint="Add --logs, or --logs ID.")
    for flag in starting:
        _exclude(given, ("resume", flag))
    _check_stepping(given)
    _check_web(given)
    _check_workers(given)
    if given.resume is None and any(is_given(given, flag) for flag in answering):
        flag = next(flag for flag in answering if is_given(given, flag))
        raise UsageError(f"{_flag(flag)} answers a project that waits.", hint="Add --resume, or --resume ID.")
    if given.request_changes is not None and not given.request_changes.strip():
        raise UsageError("--request-changes needs words.", hint="Say what should be different.")
    for flag in ("name", "directory"):
        if is_given(given, flag) and not getattr(given, flag).strip():
            raise UsageError(f"{_flag(flag)} is empty.", hint="Leave it out, and it is made from the idea.")
    _check_text(given)


def _check_words(given: argparse.Namespace) -> None:
    """Beside options there is one command, with what it is about; or none but it."""
    moving = next((flag for flag in ("to", "dry_run", "force") if is_given(given, flag)), None)
    if moving is not None and given.words[:2] != [TRACKER, "move"]:
        raise UsageError(
            f"{_flag(moving)} is about moving work items.", hint=f"{PROGRAM} {TRACKER} move [ID] --to KIND"
        )
    if given.remove is not None and given.words[:1] != [PERMISSIONS]:
        raise UsageError(
            "--remove takes back a command that was allowed.", hint=f"{PROGRAM} {PERMISSIONS} ID --remove PATTERN"
        )
    if given.new_repository and given.words[:1] != [IMPORT]:
        raise UsageError(
            "--new-repository is about a project whose .git is lost.",
            hint=f"{PROGRAM} {IMPORT} FOLDER --new-repository",
        )
    if TOKEN not in given.words[:1]:
        _need(given, ("scope",), False, f"{TOKEN} create", "is what a new token allows")
    if not given.words:
        return
    command, *rest = given.words
    if command == POLICY:
        _check_policy(given)
        return
    if command == TOKEN:
        _check_token(given, rest)
        return
    if command not in (IMPORT, PERMISSIONS, TRACKER, DOCTOR):
        raise UsageError(
            f"Unrecognized arguments: {' '.join(given.words)}.",
            hint=f'To say what to build, use --idea "…". {PROGRAM} --help lists what is possible.',
        )
    if command == DOCTOR and rest:
        raise UsageError(f"{DOCTOR} takes no words.", hint=f"{PROGRAM} {DOCTOR}")
    if command == IMPORT and (len(rest) != 1 or not rest[0].strip()):
        raise UsageError(f"{IMPORT} takes one folder.", hint=f"{PROGRAM} {IMPORT} FOLDER")
    if command == TRACKER:
        _check_tracker(given, rest)
    if command == PERMISSIONS and len(rest) > 1:
        raise UsageError(f"{PERMISSIONS} takes one project.", hint=f"{PROGRAM} {PERMISSIONS} ID")
    _check_alone(given, command)


_OF_PROJECTS = ("idea", "idea_file", "name", "directory", "status", "stop", "logs", "resume", *STEPPING)


def _check_alone(given: argparse.Namespace, command: str) -> None:
    for flag in (*_OF_PROJECTS, "rehearsal", "approve", "request_changes", "web", "serve", "console", "connect"):
        if is_given(given, flag):
            raise UsageError(f"{command} and {_flag(flag)} exclude each other.", hint="Leave one of them out.")


def _check_tracker(given: argparse.Namespace, rest: Sequence[str]) -> None:
    actions = ", ".join(TRACKER_ACTIONS)
    if not 1 <= len(rest) <= 2 or rest[0] not in TRACKER_ACTIONS:
        raise UsageError(f"{TRACKER} takes one of {actions}, and a project.", hint=f"{PROGRAM} {TRACKER} status [ID]")
    if rest[0] == "move" and not (given.to or "").strip():
        raise UsageError(
            "It is not said where to move the work items.", hint="Add --to json, --to linear or --to database."
        )


def _check_policy(given: argparse.Namespace) -> None:
    if given.words[1:2] != ["check"] or len(given.words) != 3:
        raise UsageError(f"{POLICY} check takes one command.", hint=QUOTED)
    for flag in (
        "idea",
        "idea_file",
        "name",
        "rehearsal",
        "status",
        "stop",
        "logs",
        "resume",
        "web",
        "console",
        *STEPPING,
    ):
        if is_given(given, flag):
            raise UsageError(f"{POLICY} and {_flag(flag)} exclude each other.", hint="Leave one of them out.")


def _check_token(given: argparse.Namespace, words: Sequence[str]) -> None:
    hint = f"{PROGRAM} {TOKEN} create NAME --scope read|operate|admin, {TOKEN} list, or {TOKEN} revoke ID"
    match words:
        case ["create" | "revoke", name] if name.strip():
            pass
        case ["list"]:
            pass
        case _:
            raise UsageError(f"{TOKEN} makes, lists or revokes.", hint=hint)
    _need(given, ("scope",), words[0] == "create", f"{TOKEN} create", "is what a new token allows")
    _check_alone(given, TOKEN)


def _need(given: argparse.Namespace, flags: Sequence[str], condition: bool, what: str, meaning: str) -> None:
    """Raises UsageError when a flag is given that has a meaning with `what` only."""
    for flag in flags:
        if is_given(given, flag) and not condition:
            raise UsageError(f"{_flag(flag)} {meaning}.", hint=f"Add {what}.")


def _check_stepping(given: argparse.Namespace) -> None:
    for flag in ("steer", "note"):
        if getattr(given, flag) is not None and not getattr(given, flag).strip():
            raise UsageError(f"{_flag(flag)} needs words.", hint="Say what the agent should know.")
    wanted = any(is_given(given, action) for action in STEPPING)
    _need(given, ("project",), wanted, "--steer, --note or --interrupt", "says whose agents are meant")
    to_one = is_given(given, "steer") or is_given(given, INTERRUPT)
    _need(given, ("agent",), to_one, "--steer or --interrupt", "says which agent is meant")
    _need(given, ("item",), is_given(given, "note"), "--note", "says whose next session is told")


def _check_web(given: argparse.Namespace) -> None:
    for flag in (*_OF_PROJECTS, "json", "no_interactive", "console", "serve", "connect"):
        _exclude(given, ("web", flag))
    for flag in (*_OF_PROJECTS, "no_interactive", "console", "connect"):
        _exclude(given, ("serve", flag))
    _need(given, ("host", "port", "public_url"), given.web or given.serve, "--web or --serve", "says where to serve")
    _need(given, ("tls_cert", "tls_key"), given.serve, "--serve", "is for TLS")
    _need(given, ("background",), given.serve, "--serve", "is about a server")
    for flag in ("host", "public_url", "tls_cert"):
        _exclude(given, ("background", flag))
    if (given.tls_cert is None) != (given.tls_key is None):
        raise UsageError("TLS needs a certificate and its key.", hint="Give both --tls-cert and --tls-key.")
    if given.connect is not None and ("/" in (given.rehearsal or "") or (given.rehearsal or "").endswith(".toml")):
        raise UsageError(
            "A scenario's file on this machine is of no use to the server.",
            hint="Name one that comes with the program.",
        )
    if given.port is not None and not 0 <= given.port <= 65_535:
        raise UsageError(
            f"--port {given.port} is no port.", hint="Ports go from 0, which takes any free one, to 65535."
        )


def _check_workers(given: argparse.Namespace) -> None:
    others = (*_OF_PROJECTS, "rehearsal", "approve", "request_changes", "no_interactive", "console", "web", "serve")
    for flag in (*others, "connect", "workers", "drain", "json"):
        _exclude(given, ("worker", flag))
    for flag in others:
        _exclude(given, ("workers", flag))
        _exclude(given, ("drain", flag))
    _exclude(given, ("workers", "drain"))
    _need(given, ("concurrency",), given.worker, "--worker", "says how many projects a worker runs")
    if given.concurrency is not None and not 1 <= given.concurrency <= 1000:
        raise UsageError(f"--concurrency {given.concurrency} cannot be.", hint="Use a number from 1 to 1000.")
    if given.drain is not None and not given.drain.strip():
        raise UsageError("--drain needs a worker.", hint="Name one; --workers lists them.")


def _check_text(given: argparse.Namespace) -> None:
    """Names of files that are only read may hold any bytes, and an idea is checked with more words."""
    for flag, value in vars(given).items():
        texts = value if isinstance(value, list) else [value]
        if flag not in ("idea", "idea_file", "config") and not all(map(_is_text, texts)):
            raise UsageError(f"{_flag(flag)} is not text in UTF-8.", hint="Write it in UTF-8.")


def _is_text(value: object) -> bool:
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def _exclude(given: argparse.Namespace, pair: tuple[str, str]) -> None:
    first, second = pair
    if is_given(given, first) and is_given(given, second):
        raise UsageError(f"{_flag(first)} and {_flag(second)} exclude each other.", hint="Leave one of them out.")


def is_given(given: argparse.Namespace, name: str) -> bool:
    """Whether an option stands on the command line."""
    value = getattr(given, name)
    return value is not None and value is not False


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
