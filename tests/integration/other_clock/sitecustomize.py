"""A wrong clock: a Python with this folder on its PYTHONPATH tells a time of day that is `CLOCK_AHEAD_S` seconds ahead
of the machine's, or behind it where that is negative. Durations (`time.monotonic`) and sleeps are as they were.

Python imports a module of this name before anything else, so nothing has taken the true clock yet.
"""

import datetime
import os
import time

AHEAD_S = float(os.environ["CLOCK_AHEAD_S"])
true_time, true_time_ns = time.time, time.time_ns
true_gmtime, true_localtime, true_strftime, true_ctime = time.gmtime, time.localtime, time.strftime, time.ctime
TrueDatetime = datetime.datetime

time.time = lambda: true_time() + AHEAD_S
time.time_ns = lambda: true_time_ns() + round(AHEAD_S * 1e9)
time.gmtime = lambda seconds=None: true_gmtime(time.time() if seconds is None else seconds)
time.localtime = lambda seconds=None: true_localtime(time.time() if seconds is None else seconds)
time.ctime = lambda seconds=None: true_ctime(time.time() if seconds is None else seconds)
time.strftime = lambda text, when=None: true_strftime(text, time.localtime() if when is None else when)


class TrueOnesToo(type):
    """What the C library makes of its own is a datetime as well."""

    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, TrueDatetime)

    def __subclasscheck__(cls, one: type) -> bool:
        return issubclass(one, TrueDatetime)


class ShiftedDatetime(TrueDatetime, metaclass=TrueOnesToo):
    """`datetime.datetime`, by the wrong clock."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> TrueDatetime:
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def today(cls) -> TrueDatetime:
        return cls.now()

    @classmethod
    def utcnow(cls) -> TrueDatetime:
        return cls.now(datetime.UTC).replace(tzinfo=None)


datetime.datetime = ShiftedDatetime
