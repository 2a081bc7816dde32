"""The classroom survey: what students and instructors do. `failover.gateway` is its only door to
the regions.

Each package knows only those above it in this list: `common` (tools), `surveys` (what is asked),
`ballots` (what was answered), `tallies` (what the answers count up to), `results` and `builder`
(what is shown and written), `views` (the pages and the API), then `urls.py`, `admin_urls.py` and
`management`. To follow a vote, start at `views/public/ballot.py` and `ballots/services.py`.
"""
