"""What the figures were taken on: enough to judge them, nothing that names the machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path


def describe() -> dict[str, str]:
    """Processor, cores, Python, kernel and the libraries that are compared."""
    return {
        "cpu": _cpu(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "Python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        **{name: version(name) for name in ("pynamodb", "botocore", "Django", "gunicorn")},
    }


def load() -> str:
    """How many processes wanted a core over the last minute: another's work is what makes figures noisy."""
    return f"{os.getloadavg()[0]:.1f}"


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass  # not Linux: the platform module knows a little
    return platform.processor() or "unknown"
