"""Networks in the formats that devices run."""

from .onnx_file import export_onnx

__all__ = ["export_onnx"]
