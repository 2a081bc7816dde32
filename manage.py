#!/usr/bin/env python3
"""Django's command line. In the lab it needs no environment: the settings find the running demo through LAB_DIR."""

import os
import sys


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = os.environ.get("DJANGO_SETTINGS_MODULE") or "surveyapp.settings.lab"
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A setting that is wrong is one clear line for the person who set it, not a traceback.
        sys.exit(f"configuration error: {error}")


if __name__ == "__main__":
    main()
