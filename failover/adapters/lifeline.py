"""Ends a process when its parent is gone, also when the parent was killed with -9.

The parent keeps the writing end of a pipe open and passes the number of the reading end in an
environment variable. When the parent ends, however that happens, the pipe ends.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Mapping

from failover.core.text import whole_number

VARIABLE = "SURVEY_LIFELINE_FD"


def hold(on_gone: Callable[[], None], environ: Mapping[str, str] = os.environ) -> None:
    """Calls `on_gone` from a daemon thread once the parent is gone. Without the variable it does
    nothing.
    """
    descriptor = whole_number(environ.get(VARIABLE, ""))
    if descriptor is None:
        return
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return  # another file has this number by chance: the variable came from another process
    except (OSError, OverflowError):
        return

    def wait() -> None:
        try:
            while os.read(descriptor, 1):
                pass
        except OSError:
            return  # no such descriptor: the variable came from another process
        on_gone()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
