"""The web server: it reads requests and writes replies outside the threads that serve them. Start
with `worker`.
"""
