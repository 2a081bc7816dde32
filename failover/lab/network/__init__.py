"""What lies between the application and a region's engine: DNS and a TCP proxy, the "front".

Start with ``gate.py``, which opens, shuts and slows a front from any thread, then read
``front.py``, the proxy itself. ``manners.py`` names the ways in which a front can treat a new
connection and ``pipe.py`` adds the distance. ``dns.py`` is the nameserver, ``certificates.py`` the
certificate authority of a lab with TLS, ``wire.py`` the little HTTP that a front speaks,
``sockets.py`` the socket options.
"""
