"""The limits of this process, shared by the pages and the API."""

from failover import gateway
from polls.common.guesses import Guesses
from polls.common.rate import RateLimit

votes = RateLimit(lambda: gateway.clock.monotonic())
guesses = Guesses(lambda: gateway.clock.monotonic())
