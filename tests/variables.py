"""Run by `test_variables`: tries many environments, each in a fork of one process that has loaded everything, since a
process a case would take minutes. Reads JSON `[[program, environment], ...]`, the first of which must be good, and
writes `[[exit code, what was said], ...]`.
"""

import contextlib
import functools
import io
import json
import os
import runpy
import sys
import traceback
from pathlib import Path

import botocore.session
from django.conf import settings
from django.utils.functional import empty

ROOT = Path(__file__).resolve().parent.parent


def outcome(program: str, environment: dict[str, str]) -> tuple[int, str]:
    """What `manage.py check`, or the web server's configuration, says in this environment."""
    settings._wrapped = empty
    for name in [name for name in sys.modules if name.startswith("surveyapp.settings.")]:
        del sys.modules[name]
    os.environ.clear()
    os.environ.update(environment)
    said = io.StringIO()
    code: object = 0
    sys.argv = [program, "check"]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            runpy.run_path(str(ROOT / program), run_name="__main__")
        except SystemExit as error:
            code = error.code
            if isinstance(code, str):
                said.write(code)
        except BaseException:
            traceback.print_exc(file=said)
            code = 1
    return int(bool(code)), said.getvalue()


def main() -> None:
    """One fork for each."""
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    cases = json.load(sys.stdin)
    for program in ("manage.py", "deploy/gunicorn.conf.py"):
        code, said = outcome(program, cases[0][1])
        assert not code, said
    results = []
    for program, environment in cases:
        reading, writing = os.pipe()
        if os.fork() == 0:
            with os.fdopen(writing, "w") as answer:
                json.dump(outcome(program, environment), answer)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            results.append(json.loads(answer.read()))
        os.wait()
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
