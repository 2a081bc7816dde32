"""Behind TLS, against DynamoDB Global Tables. Imports nothing of the lab: a fault can never be
injected here.
"""

from django.core.exceptions import ImproperlyConfigured

from surveyapp import logs
from surveyapp.settings import values
from surveyapp.settings.base import *  # noqa: F403  (Django's own way to layer settings)
from surveyapp.settings.base import ALLOWED_HOSTS, BASE_DIR, LOG_LEVEL

SECRET_KEY = values.secret("DJANGO_SECRET_KEY")
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("DJANGO_ALLOWED_HOSTS: names no host, as in survey.example.org")

STATIC_ROOT = BASE_DIR / "staticfiles"  # filled by collectstatic
STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}

SECURE_SSL_REDIRECT = values.flag("DJANGO_SSL_REDIRECT", default=True)
# The load balancer and Prometheus ask each host over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz/", r"^metrics$"]
SECURE_HSTS_SECONDS = values.whole("DJANGO_HSTS_SECONDS", default=31_536_000, low=0, high=10**9)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
LANGUAGE_COOKIE_SECURE = True

LOG_FORMAT = values.word("SURVEY_LOG_FORMAT", default="json", known=tuple(logs.FORMATTERS))
LOGGING = logs.configuration(LOG_FORMAT, LOG_LEVEL)
