"""Practice: students who vote over HTTP, and the ledger that counts what became of every
acknowledged vote.
"""
