"""The failover engine's pure heart: only the standard library, an injected clock, no I/O and no threads of its own.

Health (what the canaries say), circuit (whether traffic is let through) and routing (which region comes first) are
three separate things, in three separate modules: `health`, `breaker` and `policy`. `router` puts them together for
one worker's calls, `watch` for a host's monitor.
"""
