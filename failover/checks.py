"""Numbered system checks: a bad setting is one line with a hint, before anything starts.

failover.E001  a failover setting is missing or malformed
failover.E002  a variable or a file of the AWS SDK's own cannot be used
failover.W001  only one region is configured: there is nowhere to fail over to
failover.W002  botocore may use account-specific endpoint names, which the monitor does not watch
"""

import os
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from failover.adapters.sdk_settings import sdk_problems
from failover.conf import ConfigurationError, FailoverConfig


@register(Tags.compatibility)
def check_failover_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Validates `settings.FAILOVER`, all of it at once."""
    try:
        config = FailoverConfig.parse(settings.FAILOVER)
    except ConfigurationError as error:
        return [Error(f"{p.variable} {p.message}.", hint=p.hint, id="failover.E001") for p in error.problems]
    messages: list[CheckMessage] = [
        Error(f"{p.variable}: {p.message}.", hint=p.hint, id="failover.E002") for p in sdk_problems(config)
    ]
    if len(config.regions) < 2:
        messages.append(
            Warning(
                "FAILOVER_REGIONS names one region: there is nowhere to fail over to.",
                hint="Add the regions that hold replicas of the tables.",
                id="failover.W001",
            )
        )
    if not config.endpoints and os.environ.get("AWS_ACCOUNT_ID_ENDPOINT_MODE") != "disabled":
        messages.append(
            Warning(
                "AWS_ACCOUNT_ID_ENDPOINT_MODE is not 'disabled': the SDK may call "
                "<account>.ddb.<region>.amazonaws.com, a name that the monitor does not watch.",
                hint="Set AWS_ACCOUNT_ID_ENDPOINT_MODE=disabled in the environment.",
                id="failover.W002",
            )
        )
    return messages
