"""Tools that know nothing of surveys: strict JSON, paging over several regions' rows, caches,
limits, local times, and the words for what happened to a request. Each module stands alone;
`freshness.py` has the type that most reads return.
"""
