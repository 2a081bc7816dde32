"""Resolvers of one endpoint name."""

from __future__ import annotations

from failover.adapters import dns

HOST = "dynamodb.us-east-1.amazonaws.com"
TIMEOUT_S = 0.2
LONG_S = 30.0


def resolver(nameserver: tuple[str, int] | None) -> dns.Resolver:
    return dns.Resolver([HOST], nameserver, timeout=TIMEOUT_S)
