"""What keeps the survey up when a region fails: routing, health, drills and the local cloud."""
