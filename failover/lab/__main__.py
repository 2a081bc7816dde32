"""The lab without Django: ``python -m failover.lab --lab-dir DIR --specs TABLES.json``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from failover.lab import environment
from failover.lab.config import LabConfig
from failover.lab.errors import LabError
from failover.lab.lab import run_lab
from failover.lab.tables import tables_from_json


def main() -> int:
    """Run until stopped; returns 1 when the lab could not start or could not save its tables."""
    parser = argparse.ArgumentParser(prog="python -m failover.lab", description=__doc__)
    parser.add_argument("--lab-dir", type=Path, help="where its state is kept (LAB_DIR, else .lab)")
    parser.add_argument("--specs", type=Path, required=True, help="a JSON list of tables")
    options = parser.parse_args()
    environment.isolate(os.environ)

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    try:
        config = LabConfig.from_env(lab_dir=options.lab_dir)
        run_lab(config, tables_from_json(options.specs), say=say)
    except LabError as error:
        sys.stderr.write(f"lab: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
