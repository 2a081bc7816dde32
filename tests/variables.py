"""Run by `test_variables`: loads the settings in many environments, each in a fork of one process.

The process has loaded every module before it forks; starting a process for each environment would
take minutes. Reads JSON `[[program, environment], ...]`, of which the first must be valid, and
writes `[[exit code, output], ...]`.
"""

import contextlib
import functools
import gc
import io
import json
import multiprocessing
import os
import runpy
import ssl
import sys
import traceback
from pathlib import Path

import botocore.session
from django.conf import settings
from django.utils.functional import empty

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 2
"""Forks side by side, one for each core of a small machine: a case computes and never waits."""


def outcome(program: str, environment: dict[str, str]) -> tuple[int, str]:
    """The exit code and the output of `manage.py check`, or of the web server's configuration, in
    an environment.
    """
    settings._wrapped = empty
    for name in [name for name in sys.modules if name.startswith("surveyapp.settings.")]:
        del sys.modules[name]
    os.environ.clear()
    os.environ.update(environment)
    output = io.StringIO()
    code: object = 0
    sys.argv = [program, "check"]
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            runpy.run_path(str(ROOT / program), run_name="__main__")
        except SystemExit as error:
            code = error.code
            if isinstance(code, str):
                output.write(code)
        except BaseException:
            traceback.print_exc(file=output)
            code = 1
    return int(bool(code)), output.getvalue()


def main() -> None:
    """Forks once for each case."""
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    ssl.create_default_context = functools.cache(ssl.create_default_context)  # a load for each file of authorities
    cases = json.load(sys.stdin)
    for program in ("manage.py", "deploy/gunicorn.conf.py"):
        code, output = outcome(program, cases[0][1])
        assert not code, output
    gc.freeze()  # a collection would copy every page that a fork shares with this process
    with multiprocessing.get_context("fork").Pool(AT_ONCE, maxtasksperchild=1) as pool:
        results = pool.starmap(outcome, cases, chunksize=1)
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
