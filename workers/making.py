"""The frame of what is made of a measured network on request: its ONNX form, that form's figures, a look inside.

Whatever it is, a row says that it was requested, one process at a time is at it, and attempts that killed their process
are counted, so that work which takes all memory is given up with a word.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.core.files.storage import default_storage
from django.db.models import F, FileField, Q, QuerySet
from django.db.models.functions import Greatest

from evolution_core.spec import EustressError
from webapp.networks.models import Network
from workers import materials, pace
from workers.claims import Interrupted, patiently

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Making:
    """`name` is that of the fields `name`_state, `name`_message and `name`_attempts; `doing` begins the sentence on an
    attempt that ended its worker; `possible` are the networks that it can be made of.

    Each counts its own attempts: several are at work on one network at once, and one power cut ends them all."""

    name: str
    doing: str
    possible: Q = field(default_factory=lambda: Q(state=Network.State.MEASURED) & ~Q(file=""))

    def make(self, network_id: int, work: Callable[[Network], Mapping[str, Any] | None]) -> bool:
        """Where it was requested and no other process is at it (the sweeper may ask again): work(network) gives the
        fields that hold it, or None when it has put them down itself. Whether it is there now, by this call."""
        network = Network.objects.select_related("run__dataset").filter(pk=network_id).first()
        if network is None:
            return False
        with (
            suppress(materials.InUse),
            materials.alone(materials.run_folder(network.run), f"{network.name}.{self.name}"),
        ):
            return self._make_alone(network, work)
        return False

    def _make_alone(self, network: Network, work: Callable[[Network], Mapping[str, Any] | None]) -> bool:
        wanted = self._wanted(network.pk)
        if not wanted.filter(**{f"{self._attempts}__lt": pace.ATTEMPTS}).update(**self._counted(+1)):
            # attempts that killed their processes left their count behind; who asks again starts a new one
            message = f"{self.doing} ended its worker, most likely for want of memory."
            wanted.update(**self._told(Network.Made.FAILED, message), **{self._attempts: 0})
            return False
        try:
            made = work(network)
        except (Interrupted, materials.InUse):  # an orderly stop is no failed attempt, nor is giving way to another
            wanted.update(**self._counted(-1))
        except EustressError as refusal:
            self.settle(network.pk, **self._told(Network.Made.FAILED, str(refusal)))
        except Exception:
            log.exception("%s failed for network %s", self.doing, network.pk)
            message = "An unexpected error; the worker's log has the details."
            self.settle(network.pk, **self._told(Network.Made.FAILED, message))
        else:
            if made is not None:
                self.settle(network.pk, **self._told(Network.Made.READY), **made)
            return True
        return False

    @patiently
    def settle(self, network_id: int, **fields: Any) -> None:
        """Put fields of a network down; the next attempt is a first one again. Where its run has been deleted
        meanwhile, so are the files that the fields name."""
        if not Network.objects.filter(pk=network_id).update(**fields, **{self._attempts: 0}):
            for name, value in fields.items():
                if value and isinstance(Network._meta.get_field(name), FileField):
                    default_storage.delete(value)

    @property
    def _attempts(self) -> str:
        return f"{self.name}_attempts"

    def _counted(self, change: int) -> dict[str, Any]:
        return {self._attempts: Greatest(F(self._attempts) + change, 0)}

    def _wanted(self, network_id: int) -> QuerySet[Network]:
        return Network.objects.filter(self.possible, pk=network_id, **{f"{self.name}_state": Network.Made.REQUESTED})

    def _told(self, state: str, message: str = "") -> dict[str, str]:
        return {f"{self.name}_state": state, f"{self.name}_message": message}
