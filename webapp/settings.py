"""All settings, read from the environment with safe defaults. The README's table documents each variable.

A bad value is refused at start by name (see :mod:`webapp.environment`).
"""

from __future__ import annotations

import socket
import tomllib
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from webapp import environment

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]

# -- what the environment says
EUSTRESS_HOME = environment.folder("EUSTRESS_HOME", BASE_DIR / "var")
PORT = environment.integer("PORT", 8000, minimum=0, maximum=65535)  # 0: any that is free
EUSTRESS_BIND = environment.read("EUSTRESS_BIND", "127.0.0.1", str)  # the address that is listened on
EUSTRESS_PROXIES = environment.networks("EUSTRESS_PROXIES", ["127.0.0.1", "::1"])  # their X-Forwarded-… is believed
EUSTRESS_URL = environment.address("EUSTRESS_URL")
EUSTRESS_OWNER_EMAIL = environment.email("EUSTRESS_OWNER_EMAIL")
EUSTRESS_OWNER_PASSWORD = environment.read("EUSTRESS_OWNER_PASSWORD", "", str)
EUSTRESS_DEMO = environment.flag("EUSTRESS_DEMO", True)
EUSTRESS_WORKERS = environment.integer("EUSTRESS_WORKERS", environment.processors(), minimum=1, maximum=256)
EUSTRESS_MAX_UPLOAD = environment.size("EUSTRESS_MAX_UPLOAD", 20 * 1000**3)
DEBUG = environment.flag("EUSTRESS_DEBUG", False)  # for developers: plain static files and Django's error pages

if bool(EUSTRESS_OWNER_EMAIL) != bool(EUSTRESS_OWNER_PASSWORD):
    raise ImproperlyConfigured("EUSTRESS_OWNER_EMAIL and EUSTRESS_OWNER_PASSWORD must be set together or not at all.")

SECRET_KEY = environment.secret_key(EUSTRESS_HOME / "secret-key")
HTTPS = EUSTRESS_URL.startswith("https://")
ALLOWED_HOSTS = environment.hosts(
    "EUSTRESS_ALLOWED_HOSTS", ["localhost", ".localhost", "127.0.0.1", "[::1]", socket.gethostname()]
)
if EUSTRESS_URL and "*" not in ALLOWED_HOSTS:
    ALLOWED_HOSTS.append(urlsplit(EUSTRESS_URL).hostname or "")

# -- the house
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django.forms",  # our form renderer finds the widgets' templates there
    "allauth",
    "allauth.account",
    "axes",
    "csp",
    "django_htmx",
    "webapp.teams",
    "webapp.uploads",
    "webapp.datasets",
    "webapp.runs",
    "webapp.networks",
    "webapp.devices",
    "webapp.live",
    "webapp.sharing",
    "webapp.server",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "webapp.static_files.StaticFilesMiddleware",
    "webapp.server.middleware.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "webapp.server.middleware.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "webapp.teams.middleware.TeamMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it turns a locked-out sign-in into its own answer
]

ROOT_URLCONF = "webapp.urls"
ASGI_APPLICATION = "webapp.asgi.application"
WSGI_APPLICATION = "webapp.wsgi.application"

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
                "webapp.teams.context.teams",
            ],
        },
    },
]
FORM_RENDERER = "webapp.forms.Renderer"

# -- the database: the truth about everything
DATABASE_URL = environment.url(
    "DATABASE_URL",
    f"sqlite:///{EUSTRESS_HOME / 'database.sqlite3'}",
    ("sqlite", "postgres", "postgresql"),
)
DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=0, conn_health_checks=True)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # IMMEDIATE takes the write lock when a transaction starts, so that none fails half-way with "database is
        # locked"; WAL lets pages be read while a worker writes. A request opens a connection, whose cache is empty:
        # mapped into memory, the file is read without being copied into it page by page.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000; "
        f"PRAGMA mmap_size={256 * 1024**2};",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- the broker: carries messages only, nothing true lives there
REDIS_SOCKET: Path | None = environment.socket_path(EUSTRESS_HOME / "redis", "redis.sock")
REDIS_URL = environment.url("REDIS_URL", "", ("redis", "rediss", "unix", "redis+socket"))
if REDIS_URL:
    REDIS_SOCKET = None  # somebody else's Redis: we start none
    REDIS_URL = REDIS_URL.replace("redis+socket://", "unix://", 1)
else:
    REDIS_URL = f"unix://{REDIS_SOCKET}"

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)  # the same place in Celery's spelling
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Long work (training, the final test) has a queue of its own, so that an upload never waits behind it.
CELERY_TASK_DEFAULT_QUEUE = "short"
CELERY_TASK_ROUTES = {"workers.live": {"queue": "live"}, "workers.finish": {"queue": "live"}}
# A worker holds no message but the one it works on: late acknowledgement with prefetch 1.
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 7 * 24 * 3600, "queue_order_strategy": "priority"}

# -- files
MEDIA_ROOT = EUSTRESS_HOME / "media"
MEDIA_URL = "/no-media-is-served-from-here/"  # every file goes through a view that asks whose it is
WORK_ROOT = EUSTRESS_HOME / "work"  # checkpoints and caches: can be deleted when nothing runs
FILE_UPLOAD_TEMP_DIR = WORK_ROOT / "uploads"  # same disk as the media, so that keeping an upload is a rename
FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
FILE_UPLOAD_HANDLERS = ["webapp.uploads.handlers.HashingUploadHandler"]
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
DATA_UPLOAD_MAX_NUMBER_FILES = 64
LARGE_UPLOAD_PATHS = ["/datasets/", "/runs/"]  # where files may be sent; anywhere else a body is small
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1000**2  # fields other than files

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "webapp" / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "webapp.static_files.NodeModulesFinder",
]
NODE_MODULES = BASE_DIR / "node_modules"
# The files of npm packages that pages use, served below /static/vendor/; maps go along because the files name them.
NODE_MODULES_FILES = [
    "bootstrap/dist/css/bootstrap.min.css",
    "bootstrap/dist/css/bootstrap.min.css.map",
    "htmx.org/dist/htmx.min.js",
    "chart.js/dist/chart.umd.min.js",
    "chart.js/dist/chart.umd.min.js.map",
    "tus-js-client/dist/tus.min.js",
    "tus-js-client/dist/tus.min.js.map",
    # 14 MB, fetched only by who times a network on her device: see webapp/static/js/devices/
    "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "webapp.static_files.ManifestStorage"
    },
}
WHITENOISE_MAX_AGE = 3600

# -- people
AUTH_USER_MODEL = "teams.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"

ACCOUNT_ADAPTER = "webapp.teams.adapter.Adapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # people come by invitation links; no mail server is needed
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_LOGOUT_REDIRECT_URL = LOGOUT_REDIRECT_URL
ACCOUNT_FORMS = {"change_password": "webapp.teams.forms.PasswordForm"}
# Failures are counted by axes, in the database, for all processes together.
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": False}

AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "webapp.teams.adapter.name_tried"
AXES_LOCKOUT_TEMPLATE = "account/locked_out.html"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

INVITATION_LIFETIME = timedelta(days=7)
SIGN_IN_LINK_LIFETIME = timedelta(days=1)

# -- security
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "eustress_session"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True  # our scripts read the token from the page
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "eustress_csrf"
CSRF_TRUSTED_ORIGINS = [EUSTRESS_URL] if EUSTRESS_URL else []
CSRF_FAILURE_VIEW = "webapp.errors.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if HTTPS else 0
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # Bootstrap's style sheet draws its form marks as data: images
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

# -- language, time, log
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"django.server": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
}
