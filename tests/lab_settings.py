"""The lab's settings, but where the regions are and what a host keeps where is the test's word and not the lab's.

`tests.processes` names this module for a command that is told one of `OWN`: a host of its own way to the regions.
"""

import os

from tests.processes import OWN

told = {name: os.environ[name] for name in OWN if os.environ.get(name)}

from surveyapp.settings.lab import *  # noqa: E402, F403  (it replaces what was told)
from surveyapp.settings.lab import DATABASES, FAILOVER  # noqa: E402  (the same order)

FAILOVER["CLOSED"] = ""
FAILOVER |= {name.removeprefix("FAILOVER_"): text for name, text in told.items() if name.startswith("FAILOVER_")}
DATABASES["default"]["NAME"] = told.get("DJANGO_SQLITE_PATH", DATABASES["default"]["NAME"])
