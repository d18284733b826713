"""Starts the Claude CLI in exactly the environment that was built for it; run as a script, standard library only.

The SDK merges its environment over the one of this program, so whatever a shell had exported would reach the CLI.
This launcher stands between the two: it takes one variable, `ORCHESTRATOR_CLI_ENV`, and drops everything else.
"""

import json
import os
import signal
import sys

VARIABLE = "ORCHESTRATOR_CLI_ENV"
FROM_SDK = ("CLAUDE_CODE_ENTRYPOINT", "CLAUDE_AGENT_SDK_VERSION", "PWD")
REFUSED = 78
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def pack(cli: str, environment: dict[str, str], parent: int) -> str:
    """The value of `ORCHESTRATOR_CLI_ENV`: path of the CLI, its whole environment, pid of the program that wants it."""
    return json.dumps({"cli": cli, "environment": environment, "parent": parent})


def main(arguments: list[str]) -> int:
    """Become the CLI; returns only when it cannot, with the exit code."""
    if arguments in (["-v"], ["--version"]):
        sys.stdout.write("launcher of orchestrator-tui\n")
        return 0
    try:
        packed = json.loads(os.environ[VARIABLE])
        cli, environment, parent = str(packed["cli"]), dict(packed["environment"]), int(packed["parent"])
    except (KeyError, ValueError, TypeError):
        sys.stderr.write(f"refused: {VARIABLE} does not say which environment the CLI is to run in\n")
        return REFUSED
    environment.update({name: os.environ[name] for name in FROM_SDK if name in os.environ})
    _leave_terminal()
    _die_with(parent)
    try:
        os.execve(cli, [cli, *arguments], environment)
    except (OSError, TypeError, ValueError) as error:
        sys.stderr.write(f"{cli} could not be started: {type(error).__name__}\n")
    return REFUSED


def _leave_terminal() -> None:
    """Ctrl+C on the terminal is for the program that started this one; it then ends its sessions in good order."""
    if os.getpid() != os.getsid(0):
        os.setsid()


def _die_with(parent: int) -> None:
    """Have the kernel end this process when `parent` dies, even by SIGKILL, and give it what its children leave behind,
    so that it can be found below it; elsewhere than on Linux nothing is done."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(REFUSED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
