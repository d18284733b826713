"""From a command line to a start: folders, settings and log; what goes wrong is told in words."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from orchestrator_tui import cli
from orchestrator_tui.config.address import check_public_url
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.layers import merge, parse_assignment
from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.config.settings import LogLevel, LogSettings
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.logs import LOG_FILE, configure_logging

if TYPE_CHECKING:
    from orchestrator_tui.agents.rehearsal.scenario import Scenario

logger = logging.getLogger(__name__)

Invocation = (
    cli.StartProject
    | cli.ContinueProject
    | cli.Aside
    | cli.CheckPolicy
    | cli.Doctor
    | cli.ServeWeb
    | cli.Serve
    | cli.Work
    | cli.ManageTokens
)


class Unexpected(OrchestratorError):
    """Something nobody planned for happened."""

    title = "Internal error"


def given(invocation: Invocation, environ: Mapping[str, str]) -> Launch:
    """What the command line and the environment say; no file is read yet."""
    overrides, flags = _overrides(invocation)
    config, connect = invocation.options.config, invocation.options.connect
    environ = dict(environ)
    return Launch(
        paths=find_paths(environ),
        environ=environ,
        cwd=Path.cwd(),
        config_file=Path(config) if config is not None else None,
        overrides=overrides,
        flags=flags,
        scenario=getattr(invocation, "rehearsal", None),
        connect=None if connect is None else check_public_url(connect, "--connect"),
    )


@contextmanager
def in_words(launch: Launch, invocation: Invocation) -> Iterator[None]:
    """Keeps the log while open; an error nobody planned for goes there, and comes out as `Unexpected`.

    Raises:
        OrchestratorError: whatever ended it, in words for people.
    """
    try:
        with keeping_log(launch, invocation):
            yield
    except (OrchestratorError, BrokenPipeError):
        raise
    except Exception as error:
        # The edge of the program.
        raise told(error, launch) from error


@contextmanager
def keeping_log(launch: Launch, invocation: Invocation) -> Iterator[None]:
    """Keeps the log while open.

    Raises:
        SettingsError, DirectoryUnusable: it cannot be kept.
    """
    level = cast("LogLevel | None", invocation.options.log_level)
    with configure_logging(launch.settings().log, launch.paths.logs, level, secrets=read_secrets(launch.environ)):
        yield


def told(error: Exception, launch: Launch) -> OrchestratorError:
    """The error meant for people inside an exception; of one nobody planned for the log has the details."""
    return _known(error) or _unexpected(error, launch)


def scenario(name: str | None) -> "Scenario | None":
    """The scenario of a rehearsal; a name with a slash, or a `.toml`, is a path.

    Raises:
        ScenarioBroken: it is not there, or cannot be used.
    """
    from orchestrator_tui.agents.rehearsal.scenario import load_scenario, shipped_scenario

    if name is None:
        return None
    is_path = "/" in name or name.endswith(".toml")
    if not is_path:
        return load_scenario(shipped_scenario(name))
    # Unlike `Path.expanduser`, it leaves the home of an unknown user alone.
    return load_scenario(Path(os.path.expanduser(name)))  # noqa: PTH111


def _overrides(invocation: Invocation) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """The settings given on the command line, and which flag each came from when it was not `--set`."""
    options = invocation.options
    overrides: dict[str, Any] = {}
    for text in options.settings:
        overrides = merge(parse_assignment(text), overrides)
    named = {"--autonomy": ("autonomy.mode", options.autonomy), "--model": ("agent.model", options.model)}
    if options.no_sandbox:
        named["--no-sandbox"] = ("sandbox.mode", "off")
    if isinstance(invocation, cli.StartProject):
        directory = invocation.directory
        here = options.connect is None
        folder = str(Path(directory).expanduser().absolute()) if directory is not None and here else directory
        named |= {"--name": ("project.name", invocation.name), "--directory": ("project.directory", folder)}
    flags = {}
    for flag, (key, value) in named.items():
        if value is not None:
            group, name = key.split(".")
            overrides = merge({group: {name: value}}, overrides)
            flags[key] = flag
    return overrides, flags


def _known(error: BaseException) -> OrchestratorError | None:
    """The error meant for people inside nested groups, when there is nothing else in them."""
    if isinstance(error, BaseExceptionGroup):
        known = [_known(inner) for inner in error.exceptions]
        return known[0] if known and all(known) else None
    return error if isinstance(error, OrchestratorError) else None


def _unexpected(error: Exception, launch: Launch) -> Unexpected:
    """Write the traceback to the log, and only there; returns what to tell people."""
    secrets = read_secrets(launch.environ)
    text = " ".join(secrets.mask(f"{type(error).__name__}: {error}").split())
    try:
        with configure_logging(LogSettings(), launch.paths.logs, secrets=secrets):
            logger.error("the program broke", exc_info=error)
    except OrchestratorError as no_log:
        return Unexpected(f"{text}.", hint=no_log.line())
    return Unexpected(f"{text}.", hint=f"Details are in {launch.paths.logs / LOG_FILE}.")
