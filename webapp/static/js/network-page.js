// A network that lives, or whose ONNX form is being made: its page is kept fresh until nothing more will change.

import { keepFresh } from "./fresh.js";
import "./keeping.js";
import "./predictions.js";

keepFresh("network-head", 3000);
