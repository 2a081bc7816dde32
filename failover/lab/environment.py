"""Keeps a person's AWS, proxy and Python settings out of the lab.

Everything that the lab talks to is on this machine. A profile of AWS, a stray `AWS_*` variable, a
school's proxy or `GUNICORN_CMD_ARGS` would change where its requests go, or whether it starts at
all. Such variables are removed by their prefix: a list of names would miss the next one.
"""

from __future__ import annotations

import os
import zoneinfo
from collections.abc import Mapping, MutableMapping

import tzlocal

REMOVED = (
    *("AWS_", "BOTO", "PYNAMODB_", "SSL", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("FAILOVER_ENDPOINTS", "FAILOVER_NAMESERVER"),
)
"""What botocore, PynamoDB and OpenSSL read, and addresses of other regions: the lab sets its own.
Proxies are removed too, in upper and lower case.
"""
OURS = ("DJANGO_", "FAILOVER_", "SURVEY_", "LAB_")
DEMO = ("PORT", "HOST", "ENGINE", "STACKS", "WORKERS", "BIND", "DEMO_PASSWORD", "DYNAMODB_LOCAL_DIR")
KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_", "TZ", "TMPDIR", "PYTHONUNBUFFERED")
"""What a child process gets of the rest.

`PYTHONPATH` and the like, and what gunicorn reads, are not in it.
"""
NO_CLOUD = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "BOTO_CONFIG": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
}
"""Makes botocore use no file below `~/.aws`, no metadata service and no account's endpoint name."""


def isolate(environ: MutableMapping[str, str]) -> None:
    """Remove, in place, what must not reach the lab.

    An empty variable of ours is removed too: it means unset.
    """
    for name, value in list(environ.items()):
        is_ours = name.startswith(OURS) or name in DEMO
        if _is_foreign(name) or (is_ours and not value.strip()):
            del environ[name]
    environ.update(NO_CLOUD)


def for_child(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of `environ` that a child process of the lab gets."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith((*OURS, *KEPT)) or name in DEMO or name in NO_CLOUD
    }


def time_zone() -> str:
    """The name of this computer's time zone, or UTC where it has none that Python knows."""
    try:
        name: str = tzlocal.get_localzone_name()
        zoneinfo.ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # odd settings, or a zone that is a file without a name
        return "UTC"
    return name


def _is_foreign(name: str) -> bool:
    upper = name.upper()
    return upper.startswith(REMOVED) or upper.endswith("_PROXY")
