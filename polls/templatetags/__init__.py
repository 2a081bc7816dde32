"""Filters of the survey's templates."""
