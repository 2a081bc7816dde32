"""Loaded before Django's settings (`-p tests.environment`): tests never touch the checkout's own lab directory."""

import atexit
import os
import shutil
import tempfile

os.environ["LAB_DIR"] = tempfile.mkdtemp(prefix="surveyapp-tests-")
os.environ.pop("DJANGO_SQLITE_PATH", None)
os.environ["TZ"] = "UTC"  # the lab shows times in the zone of the machine
atexit.register(shutil.rmtree, os.environ["LAB_DIR"], ignore_errors=True)
