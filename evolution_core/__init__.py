"""Eustress's engine: stress-induced evolutionary synthesis of small networks.

Importing this package is cheap and pulls in no PyTorch: the dashboard imports
:mod:`evolution_core.spec` from it on every page.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("eustress")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0.1.0"
