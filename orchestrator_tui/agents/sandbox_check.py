"""Whether the OS sandbox works on this machine: found out by running something in it."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestrator_tui.agents.bubblewrap import Bubblewrap

_SECONDS = 20.0
_PROBE = '[ ! -e "$1" ] && : >written && ! (: >/usr/orchestrator-probe) 2>/dev/null'
_INSTALL = "Install bubblewrap (apt install bubblewrap, dnf install bubblewrap, pacman -S bubblewrap)"
_WITHOUT = "or run without it: --no-sandbox"


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """Whether the sandbox works; if not, why, and what to do about it."""

    works: bool
    problem: str = ""
    hint: str = ""


def check_sandbox(sandbox: Bubblewrap | None) -> SandboxReport:
    """Run a small command in `sandbox` and see that it is shut in; None is a machine without one. Blocks."""
    if sandbox is None:
        return SandboxReport(False, "bubblewrap is not installed", f"{_INSTALL}, {_WITHOUT}.")
    try:
        with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
            return _probe(sandbox, Path(folder))
    except (OSError, subprocess.TimeoutExpired) as error:
        return _broken(str(error))


def _probe(sandbox: Bubblewrap, folder: Path) -> SandboxReport:
    inside, secret = folder / "project", folder / "secret"
    inside.mkdir()
    secret.touch()
    ended = subprocess.run(
        sandbox.command(["/bin/sh", "-c", _PROBE, "probe", str(secret)], inside),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        env={"PATH": "/usr/bin:/bin"},
        check=False,
    )
    if ended.returncode == 0 and (inside / "written").exists():
        return SandboxReport(True)
    said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    return _broken(said[-1] if said else "what ran in it was not shut in")


def _broken(reason: str) -> SandboxReport:
    hint = (
        "It needs user namespaces: allow them (sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also "
        "kernel.apparmor_restrict_unprivileged_userns=0; a container needs --security-opt seccomp=unconfined, "
        "apparmor=unconfined and systempaths=unconfined), "
    )
    return SandboxReport(False, f"bubblewrap does not work here: {reason}", hint + _WITHOUT + ".")
