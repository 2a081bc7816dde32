"""Finds the `AWS_*` variables and files below `~/.aws` that the SDK cannot use, before the first
call.

botocore reads some forty variables and two files, and its exception for a wrong one names neither.
Here a client is made and a request is built, which sends nothing. If that fails, each variable and
file is tried alone to find the culprits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import botocore.session
from boto3.session import Session
from botocore.credentials import EnvProvider

from failover.adapters.clients import make_client
from failover.conf import FailoverConfig, Problem

READ = ("AWS_", "REQUESTS_CA_BUNDLE", "SSL")
FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
HINT = "the AWS SDK cannot be used with it: put it right, or unset it"


def sdk_problems(config: FailoverConfig) -> list[Problem]:
    """Each variable or file that keeps the SDK from building a request; an empty list when it can.

    Call it before there are other threads: the search changes the environment for a while.
    """
    if config.loopback_only or _trouble(config) is None:
        return []  # with `loopback_only` a person's own settings have no effect
    given = {name: os.environ[name] for name in sorted(os.environ) if name.startswith(READ)}
    nothing = dict.fromkeys(FILES, os.devnull)
    if trouble := _trouble_with(
        config, nothing
    ):  # the remaining suspect is a person's own data, which no variable names
        return [Problem("~/.aws/models", trouble, HINT)]
    problems: list[Problem] = []
    usable = dict(nothing)
    for name, default in FILES.items():
        path = given.pop(name, default)
        if trouble := _trouble_with(config, {**nothing, name: os.path.expanduser(path)}):
            problems.append(Problem(path, trouble, HINT))
        else:
            usable[name] = os.path.expanduser(path)
    pairs = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    keys = {name: given.pop(name) for name in pairs if name in given}
    if trouble := _trouble_with(config, {**usable, **keys}):
        problems.append(Problem(" and ".join(pairs), trouble, HINT))
        keys = {}
    for name, value in given.items():
        if trouble := _trouble_with(config, {**usable, **keys, name: value}):
            problems.append(Problem(name, trouble, HINT))
    return problems or [Problem("AWS_*", _trouble(config) or "", HINT)]


def _trouble(config: FailoverConfig) -> str | None:
    """The SDK's error when it builds a request, in one line, or None."""
    try:
        EnvProvider().load()
        session = botocore.session.Session()
        session.get_component("credential_provider")  # reads its variables, and connects to nothing
        session.set_credentials("unused", "unused")  # real ones may need the network, which a check does not use
        client = make_client(config, config.regions[0], connections=1, session=Session(botocore_session=session))
        client.generate_presigned_url("list_tables")
    except Exception as error:
        return " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return None


def _trouble_with(config: FailoverConfig, variables: Mapping[str, str]) -> str | None:
    with _only(variables):
        return _trouble(config)


@contextmanager
def _only(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: value for name, value in os.environ.items() if name.startswith(READ)}
    try:
        for name in before:
            del os.environ[name]
        os.environ.update(variables)
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)
