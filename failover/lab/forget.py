"""``python -m failover.lab.forget``: removes LAB_DIR with everything in it, after a question.

Needs no installed package, so that it works after ``make clean`` too.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from failover.lab.config import PROJECT
from failover.lab.errors import LabError
from failover.lab.files import DEMO_LOCK, SECRETS, is_running


def forget(environ: Mapping[str, str], *, interactive: bool) -> str:
    """Remove the directory LAB_DIR and return a line that says so.

    Raises LabError with nothing removed.

    It is refused (1) where no lab made the directory, (2) where it holds the project or the home
    directory, (3) while a lab works in it, and (4) unless YES=1 is set or a person types yes.
    """
    lab_dir = Path(environ.get("LAB_DIR", "").strip() or ".lab").absolute()
    if not lab_dir.exists():
        return f"There is nothing to forget: LAB_DIR={lab_dir} does not exist."
    inside = (lab_dir / name for name in ("manage.py", ".git"))
    if lab_dir.is_symlink() or not (lab_dir / SECRETS).is_file() or any(path.exists() for path in inside):
        raise LabError(f"LAB_DIR={lab_dir} was not made by a lab: nothing was removed")
    if any(above.is_relative_to(lab_dir.resolve()) for above in (PROJECT, Path.home().resolve())):
        raise LabError(f"LAB_DIR={lab_dir} holds more than a lab: nothing was removed")
    if is_running(lab_dir) or is_running(lab_dir, DEMO_LOCK):
        raise LabError(f"a lab is running in LAB_DIR={lab_dir}: stop it first; nothing was removed")
    if environ.get("YES", "").strip() != "1":
        if not interactive:
            raise LabError(f"LAB_DIR={lab_dir}: nobody is there to ask, so say YES=1; nothing was removed")
        sys.stdout.write(f"Remove LAB_DIR={lab_dir} with all its surveys, votes and accounts? Type yes: ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() != "yes":
            raise LabError("nothing was removed")
    shutil.rmtree(lab_dir)
    return f"Removed LAB_DIR={lab_dir}."


def main() -> int:
    """Returns 1 when the directory is still there."""
    try:
        sys.stdout.write(forget(os.environ, interactive=sys.stdin.isatty()) + "\n")
    except (LabError, OSError) as error:
        sys.stderr.write(f"forget: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
