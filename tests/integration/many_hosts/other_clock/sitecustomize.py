"""A wrong clock for a Python that has this folder on its PYTHONPATH.

Its time of day is `CLOCK_AHEAD_S` seconds ahead of the machine's (behind it, if negative). `time.monotonic` and sleeps
are unchanged. Python imports a module of this name before any other, so none has taken the true clock yet.
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


class TrueDatetimesToo(type):
    """The C library makes true datetimes; `isinstance` must accept them."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, TrueDatetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, TrueDatetime)


class ShiftedDatetime(TrueDatetime, metaclass=TrueDatetimesToo):
    """`datetime.datetime` with the wrong clock."""

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
