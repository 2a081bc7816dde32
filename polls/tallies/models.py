"""The table of the tallies: regional, never replicated."""

from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute

from failover.gateway import RegionalModel, StoredJSON


class TallyRow(RegionalModel):
    """The tally of one shard's ballots, as this region's replica holds them; each region counts its
    own replica.

    `counts` is the tally as plain data, `counted_at` seconds since the epoch. The row "compared"
    says when the round's tallies were last compared with its ballots.
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
