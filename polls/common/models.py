"""Shared by the models of every table: a page of rows, and the database's errors."""

import logging
from typing import Any, NamedTuple, TypeVar

from pynamodb.exceptions import PynamoDBException

from failover.gateway import RegionalModel

ModelT = TypeVar("ModelT", bound=RegionalModel)

DatabaseError = PynamoDBException
"""The base of every error that a region or the SDK raises."""

PAGE_ITEMS = 500  # read at once: 60 ms of a local engine on a busy laptop, well within one attempt
log = logging.getLogger(__name__)


class Page(NamedTuple):
    """A part of a long reading, as the database gave it. The next part begins at `next`; None at
    the end.
    """

    items: list[dict[str, Any]]
    next: dict[str, Any] | None

    def rows(self, model: type[ModelT]) -> list[ModelT]:
        """The items as models. This is work for this process, so it is not done within the time of
        an attempt.
        """
        return [model.from_raw_data(item) for item in self.items]
