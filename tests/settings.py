"""Settings for tests: the product's own, in a home of their own that goes away with the process.

Taken at import, before any test runs: the product's settings read the environment once.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

for name in list(os.environ):  # what a developer has exported for her own server must not colour the tests
    if (name.startswith("EUSTRESS_") and name != "EUSTRESS_TEST_DATABASE_URL") or name in (
        "PORT",
        "REDIS_URL",
        "DATABASE_URL",
    ):
        del os.environ[name]
os.environ["EUSTRESS_HOME"] = _home = tempfile.mkdtemp(prefix="eustress-tests-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
# Tests on another database: EUSTRESS_TEST_DATABASE_URL=postgres://…
if os.environ.get("EUSTRESS_TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["EUSTRESS_TEST_DATABASE_URL"]

from webapp.settings import *  # noqa: E402, F403
from webapp.settings import DATABASES, STORAGES  # noqa: E402

STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast; the product keeps Django's default
STATIC_ROOT = os.path.join(_home, "static")  # whatever was collected before is not what is tested
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True

# A file, as in the product: a database in memory knows no readers beside a writer, and never closes.
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(_home, "tests.sqlite3")}
