"""What every installation shares. Each variable read here is described in `.env.example`.

Values that the failover engine needs are kept as text and validated once, by `failover.conf`, so
that a bad one is a numbered system check with a hint and not a traceback.
"""

from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF

from surveyapp import logs
from surveyapp.settings import values

values.refuse_harm()
values.unset_empty("AWS_")  # botocore takes an empty AWS_CA_BUNDLE for a file without a name
BASE_DIR = Path(__file__).resolve().parent.parent.parent

DEBUG = False
SECRET_KEY = values.text("DJANGO_SECRET_KEY")
ALLOWED_HOSTS = values.hosts("DJANGO_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = values.origins("DJANGO_CSRF_TRUSTED_ORIGINS")

# Only what these say of scheme, host and address reaches Django (surveyapp/proxies.py).
TRUSTED_PROXIES = values.networks("SURVEY_TRUSTED_PROXIES")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_X_FORWARDED_HOST = True

INSTALLED_APPS = [
    "surveyapp.apps.SurveyAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "corsheaders",
    "csp",
    "django_htmx",  # for htmx itself, which `{% htmx_script %}` loads
    "failover",
    "failover.dashboard",
    "polls",
]

MIDDLEWARE = [
    "surveyapp.middleware.ProblemMiddleware",
    # Before all that follow: whatever reads an address, a scheme or a host reads what is true.
    "surveyapp.proxies.TrustedProxyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "surveyapp.middleware.PolicyMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "failover.web.middleware.ServedByMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "surveyapp.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "surveyapp.middleware.SlidingSessionMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "surveyapp.lockout.KnownBrowserMiddleware",
    # axes asks to stand last: it turns a lockout raised below it into a reply.
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "surveyapp.urls"
WSGI_APPLICATION = "surveyapp.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# SQLite holds only instructors' accounts and the login lockout: no SQL server can take the survey
# down.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": values.file("DJANGO_SQLITE_PATH", default=str(BASE_DIR / "db.sqlite3")),
        "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL;", "timeout": 5, "transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Every cookie's name carries the installation.
INSTALLATION = values.installation(SECRET_KEY, values.text("SURVEY_INSTALLATION"))
SESSION_COOKIE_NAME = f"sessionid_{INSTALLATION}"
CSRF_COOKIE_NAME = f"csrftoken_{INSTALLATION}"
LANGUAGE_COOKIE_NAME = f"django_language_{INSTALLATION}"
MESSAGES_COOKIE_NAME = f"messages_{INSTALLATION}"
VOTER_COOKIE_NAME = f"voter_{INSTALLATION}"
KNOWN_BROWSER_COOKIE_NAME = f"known_{INSTALLATION}"
RECEIPT_COOKIE_NAME = f"receipt_{INSTALLATION}"
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
MESSAGE_STORAGE = "surveyapp.messages.InstallationStorage"

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
CSRF_FAILURE_VIEW = "polls.views.csrf.refused"
LOGIN_URL = "admin:login"
# surveyapp/lockout.py says by whom and from where tries are counted.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=1)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # who types on during the pause does not make it longer
AXES_USERNAME_CALLABLE = "surveyapp.lockout.username"
AXES_LOCKOUT_PARAMETERS = "surveyapp.lockout.parameters"
AXES_CLIENT_IP_CALLABLE = "surveyapp.lockout.address"
AXES_LOCKOUT_CALLABLE = "surveyapp.lockout.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = values.time_zone("DJANGO_TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"

# A definition is at most 200 KB; the builder's form carries it as typed and, signed, as it was.
# Nothing larger is read into memory, and of a ballot no more than 64 KB.
DATA_UPLOAD_MAX_MEMORY_SIZE = 768 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
DATA_UPLOAD_MAX_NUMBER_FILES = 1

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"

# Other stacks of this survey, whose pages may send a ballot here when their own stack does not
# answer.
CORS_ALLOWED_ORIGINS = values.origins("SURVEY_STACK_ORIGINS")
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_CREDENTIALS = False

# The address that students type and that the QR code holds; empty: the one the request came to.
SURVEY_PUBLIC_URL = values.web_address("SURVEY_PUBLIC_URL")

# Text on purpose: `failover.conf` parses and validates it, and names every mistake at once.
FAILOVER = {
    "REGIONS": values.text("FAILOVER_REGIONS"),
    "ENDPOINTS": values.text("FAILOVER_ENDPOINTS"),
    "NAMESERVER": values.text("FAILOVER_NAMESERVER"),
    "RUN_DIR": values.text("FAILOVER_RUN_DIR"),
    "DEADLINE_S": values.text("FAILOVER_DEADLINE_S"),
    "CONNECT_TIMEOUT_S": values.text("FAILOVER_CONNECT_TIMEOUT_S"),
    "READ_TIMEOUT_S": values.text("FAILOVER_READ_TIMEOUT_S"),
    "HEARTBEAT_S": values.text("FAILOVER_HEARTBEAT_S"),
    "HOLD_S": values.text("FAILOVER_HOLD_S"),
    "LAG_LIMIT_MS": values.text("FAILOVER_LAG_LIMIT_MS"),
    "THREADS": values.text("FAILOVER_THREADS"),
    "DNS_STALE_S": values.text("FAILOVER_DNS_STALE_S"),
    "TABLES": values.text("FAILOVER_TABLES"),
}

# Counters without a name, an address or an answer; where they are not open, a token opens them.
METRICS_TOKEN = values.text("SURVEY_METRICS_TOKEN")
METRICS_OPEN = False

LOG_LEVEL = values.log_level("SURVEY_LOG_LEVEL", default="INFO")
LOG_FORMAT = values.word("SURVEY_LOG_FORMAT", default="line", known=tuple(logs.FORMATTERS))
LOGGING_CONFIG = "surveyapp.logs.configure"
LOGGING = logs.configuration(LOG_FORMAT, LOG_LEVEL)
