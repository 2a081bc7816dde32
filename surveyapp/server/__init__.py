"""How requests are read and replies are written: outside the threads that serve them. gunicorn runs `worker.Worker`."""
