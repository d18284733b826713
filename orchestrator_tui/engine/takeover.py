"""Takes a project's lease, from nobody or from an owner that is gone."""

import asyncio

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events, owner
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import AlreadyOwned
from orchestrator_tui.domain.records import Lease, PipelineState
from orchestrator_tui.engine.silence import Silence, patience

LOOK_SECONDS = 0.5


async def take_lease(
    store: Store,
    state: PipelineState,
    me: str,
    *,
    lease_seconds: float,
    giving_up: asyncio.Event | None = None,
    keeps_stop: bool = False,
) -> Lease:
    """Become the owner of the project in `state`.

    An owner whose process is known to be gone, or whose lease a worker has seen lapse, is followed at once, any other
    only after its lease, or ours if that is longer, ran out on our own monotonic clock without being renewed: wall
    clocks of two hosts may differ, and jump. Once `giving_up` is set that is not waited for any longer. With
    `keeps_stop` a stop that was asked of the owner before is still due after that.

    Raises:
        AlreadyOwned: another process runs the project, or may do so.
    """
    over = None
    if state.owner is not None and state.owner != me:
        if not (state.lapsed or owner.is_gone(state.owner)):
            await _watch(store, state, patience(state, lease_seconds), giving_up or asyncio.Event())
        over = state
    async with store.transaction() as unit:
        lease = await unit.take_lease(
            state.project_id, me, lease_seconds=lease_seconds, over=over, keeps_stop=keeps_stop
        )
        taken_from = over.owner if over else None
        unit.record(state.project_id, events.LeaseTaken(owner=me, epoch=lease.epoch, over=taken_from))
    return lease


async def was_owner(store: Store, project_id: str, owner: str) -> bool:
    """Whether an owner has ever held the project's lease; by the stored events, which are looked through for it."""
    after = 0
    while page := await store.events(project_id=project_id, after_seq=after, limit=1000):
        if any(isinstance(one.event, events.LeaseTaken) and one.event.owner == owner for one in page):
            return True
        after = page[-1].seq
    return False


async def _watch(store: Store, state: PipelineState, lease_seconds: float, giving_up: asyncio.Event) -> None:
    """Wait until the lease has run out; a fresh one is believed at once."""
    assert state.owner is not None
    age = (now() - state.heartbeat).total_seconds() if state.heartbeat else lease_seconds
    if 0 <= age < lease_seconds:
        raise AlreadyOwned(state.owner)
    async with store.transaction() as unit:
        unit.record(state.project_id, events.TakeoverAwaited(owner=state.owner, seconds=lease_seconds))
    silence = Silence(grace=LOOK_SECONDS)
    silence.look([state])
    while silence.seconds(state) < lease_seconds:
        await asyncio.sleep(LOOK_SECONDS)
        seen = await store.pipeline_state(state.project_id)
        silence.look([seen])
        if giving_up.is_set() or (seen.epoch, seen.heartbeat) != (state.epoch, state.heartbeat):
            raise AlreadyOwned(seen.owner or state.owner)
