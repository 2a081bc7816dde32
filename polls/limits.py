"""The one rate limit of this process, shared by the page and the API."""

from failover import gateway

from .rate import RateLimit

votes = RateLimit(lambda: gateway.clock.monotonic())
