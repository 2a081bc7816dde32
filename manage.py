#!/usr/bin/env python3
"""Django's command line. In the lab it needs no environment: the settings find the running demo
through LAB_DIR.
"""

import errno
import io
import os
import sys

BROKEN_PIPE, INTERRUPTED = 128 + 13, 128 + 2
"""Exit codes as a shell gives them to a program that SIGPIPE or SIGINT ended."""


def main() -> None:
    """Runs a command. Letters that the terminal cannot show, or a closed pipe, end it in no
    traceback.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        elif stream is None:  # it was closed before we began
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  (it is for the whole process)
    os.environ["DJANGO_SETTINGS_MODULE"] = os.environ.get("DJANGO_SETTINGS_MODULE") or "surveyapp.settings.lab"
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        try:
            execute_from_command_line(sys.argv)
        finally:
            sys.stdout.flush()
    except ImproperlyConfigured as error:
        # A setting that is wrong is one clear line for the person who set it, not a traceback.
        sys.exit(f"configuration error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone, as after `| head`.
        _write_no_more()
        sys.exit(BROKEN_PIPE)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _write_no_more()
        sys.exit(f"the disk is full, and something could not be written: {error}")


def _write_no_more() -> None:
    """Sends the remaining output to nowhere, so that it does not fail again at the interpreter's
    end.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
