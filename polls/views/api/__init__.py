"""The JSON API below /api/v1/: it takes no cookie and no CSRF token, and every error is an RFC 9457
problem document.
"""
