// A data set that waits, or is being inspected: its page is kept fresh until a worker has said what it found.

import { keepFresh } from "./fresh.js";
import "./keeping.js";

keepFresh("dataset", 2000);
