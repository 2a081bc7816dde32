"""What others do when a region fails: small applications with the ballot API of ours, for the same
students and the same faults.

`catalogue.py` names them, `deciders.py` chooses the region of a vote, `stores.py` writes it,
`app.py` is the WSGI application, and `server.py` the configuration of the gunicorn that serves it.
"""
