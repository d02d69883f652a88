#!/usr/bin/env python
"""Eustress's command line: `manage.py up` starts everything, `manage.py help` lists the rest."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        import webapp.settings  # noqa: F401  (before Django's own handling, which shows bad settings as a traceback)

        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        print(f"eustress: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
