"""Runs several routes side by side, each in a thread with its own cursor: one that waits holds up no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from videodb_cli.app.forward.forwarder import Stop
from videodb_cli.app.forward.run import ForwardObserver, ForwardRequest, forward_until
from videodb_cli.eventlog.log import EventLog
from videodb_cli.process.gc_tuning import tune_for_long_running
from videodb_cli.process.signals import ask_on_signals

_LOOK_S = 0.1


def run_routes(
    log_of: Callable[[], EventLog],
    routes: Sequence[ForwardRequest],
    observer_of: Callable[[ForwardRequest], ForwardObserver],
) -> None:
    """Follows every route until a signal ends them.

    Args:
        log_of: Opens the log, once for each route.
        routes: What is forwarded.
        observer_of: Returns the observer of a route. It is called from the thread of that route.

    Raises:
        Exception: The error of the first route that failed, once all the others have ended.
    """
    stop = Stop()
    errors: list[Exception] = []

    def follow(route: ForwardRequest) -> None:
        observer = observer_of(route)
        try:
            forward_until(stop, log_of(), route, observer)
        except Exception as error:  # noqa: BLE001 - it is raised in the main thread; the other routes go on
            errors.append(error)
            observer.trouble(f"this route has ended: {error}")

    threads = [threading.Thread(target=follow, args=(route,), name=route.name, daemon=True) for route in routes]
    tune_for_long_running()
    with ask_on_signals(stop.ask):
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(_LOOK_S)
    if errors:
        raise errors[0]
