"""Networks in the formats that devices run."""

from .detector import export_detector
from .onnx_file import export_onnx
from .quantized import quantize

__all__ = ["export_detector", "export_onnx", "quantize"]
