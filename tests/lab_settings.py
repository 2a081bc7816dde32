"""The lab's settings, with a test's own endpoints of the regions, run directory and database of accounts.

`tests.processes` chooses this module for a process that is given a variable of `OWN`.
"""

import os

from tests.processes import OWN

own = {name: os.environ[name] for name in OWN if os.environ.get(name)}

from surveyapp.settings.lab import *  # noqa: E402, F403  (importing it overwrites these variables)
from surveyapp.settings.lab import DATABASES, FAILOVER  # noqa: E402  (as above)

FAILOVER["CLOSED"] = ""
FAILOVER |= {name.removeprefix("FAILOVER_"): text for name, text in own.items() if name.startswith("FAILOVER_")}
DATABASES["default"]["NAME"] = own.get("DJANGO_SQLITE_PATH", DATABASES["default"]["NAME"])
