"""The table of the tallies: regional, never replicated."""

from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute

from failover.gateway import RegionalModel
from polls.common.models import StoredJSON


class TallyRow(RegionalModel):
    """What the ballots of one shard come to, as this region's replica holds them; every region counts its own.

    `counts` is the tally as plain data, `counted_at` seconds since the epoch. The row "compared" says when the round's
    tallies were last held against its ballots.
    """

    class Meta:
        table_name = "survey-tallies"

    replicated = False

    round_key = UnicodeAttribute(hash_key=True)
    shard = UnicodeAttribute(range_key=True)
    version = UnicodeAttribute()
    voters = NumberAttribute(null=True)
    counts = StoredJSON()
    counted_at = NumberAttribute()
    expires_at = TTLAttribute()
