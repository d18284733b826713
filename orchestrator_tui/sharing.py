"""Puts together what machines have of the same projects: one folder that all see, or a repository that all push to."""

from collections.abc import Awaitable, Callable

from orchestrator_tui.agents.environment import remote_environment
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.records import Lease, Project
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.folders import Folders
from orchestrator_tui.engine.remote import Remote
from orchestrator_tui.engine.sync import GitSync, Sync
from orchestrator_tui.preflight import new_projects_folder

RELAYS = "sync"
"""Below the data folder: what the engine's own repositories are in, from which it speaks to remotes."""


def folders_of(launch: Launch) -> Folders:
    """Where projects lie on this machine.

    Raises:
        SettingsError: what is to be shared is not said.
    """
    how = launch.settings().workspace
    if how.sync == "git" and how.remote is None:
        raise SettingsError(
            'workspace.sync = "git" needs workspace.remote.',
            hint="Name a folder that every worker reaches, or the address that its repositories are below.",
        )
    return Folders(workspace=new_projects_folder(launch).absolute(), are_shared=how.sync == "off")


def sync_of(
    launch: Launch,
    project: Project,
    checkout: Checkout,
    store: Store,
    lease: Lease,
    still_ours: Callable[[], Awaitable[None]],
) -> Sync:
    """What keeps `checkout`, the folder of `project`, in step with those of other machines while the lease holds."""
    how = launch.settings().workspace
    if how.sync == "off" or how.remote is None:
        return Sync(checkout)
    address = f"{how.remote.removeprefix('file://').rstrip('/')}/{project.slug}-{project.id[:8]}.git"
    remote = Remote(
        address,
        launch.paths.data / RELAYS / f"{project.id}.git",
        checkout.directory / ".git",
        remote_environment(launch.environ),
        timeout=how.timeout_seconds,
    )
    return GitSync(checkout, remote, store, lease, still_ours)
