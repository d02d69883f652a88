"""What a network's page shows of devices: what can be timed there, and what has been."""

from __future__ import annotations

from typing import Any

from webapp.networks.downloads import stored_size
from webapp.networks.models import Network
from webapp.runs.addresses import RunUrls


def devices_context(network: Network, elder: Network | None, urls: RunUrls) -> dict[str, Any] | None:
    """Context of `devices/_panel.html`; None where there is nothing to time and nothing was. `elder` is its
    ancestor, itself for that.

    `own` and `ancestor` are {"network", "url", "size", "make_url"}: without `url` there is no ONNX file, and `make_url`
    asks for one.
    """
    if network.state != Network.State.MEASURED:
        return None
    rows = list(network.device_timings.select_related("timed_by"))
    if not rows and not network.file:
        return None
    is_ancestor = elder is None or elder.pk == network.pk
    own = _file(network, urls)
    ancestor = None if is_ancestor else _file(elder, urls)  # type: ignore[arg-type]
    return {
        "own": own,
        "ancestor": ancestor,
        "fetched": sum(one["size"] or 0 for one in (own, ancestor) if one),
        "awaited": any(one and one["network"].onnx_state == Network.OnnxState.REQUESTED for one in (own, ancestor)),
        "keep_url": urls.get("keep_timing", network.name),
        "rows": rows,
    }


def _file(network: Network, urls: RunUrls) -> dict[str, Any]:
    ready = network.onnx_state == Network.OnnxState.READY and bool(network.onnx)
    idle = network.onnx_state in (Network.OnnxState.NONE, Network.OnnxState.FAILED)
    return {
        "network": network,
        "url": urls.download(network.name, "onnx") if ready else "",
        "size": stored_size(network.onnx) if ready else None,
        "make_url": urls.get("export", network.name) if idle and network.file else "",
    }
