// A network that lives, or whose ONNX form is being made, or its ancestor's: its page is kept fresh until nothing more
// will change.

import "./devices/panel.js";
import { keepFresh } from "./fresh.js";
import "./keeping.js";
import "./predictions.js";

keepFresh("network-head", 3000);
