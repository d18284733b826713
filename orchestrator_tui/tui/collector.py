"""Keeps Python's garbage collector from stopping a screen that is open all day."""

import gc

FULL_EVERY = 50
"""Collections of the middle generation before a full one; Python's own 10 means one every half second under load."""


def settle_collector() -> None:
    """Call once, when everything is imported and built: what is there now is never looked at again.

    A full collection looks at every object there is. With Textual, the database and the settings loaded those are
    hundreds of thousands, and each look costs as much as ten repaints (measured: 70 to 100 ms).
    """
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_EVERY)
