// Runs a network and its ancestor in ONNX Runtime Web, in turns, away from the page. Asked once by a message {runtime,
// wasm, own, ancestor?} of addresses, the networks' with the bytes that are to come as {url, size}, it answers with
// messages {step, ...} and at the end {result} or {failure}.
// This file's own content policy, and no page's, allows WebAssembly: see webapp/static_files.py.

import { inTurns } from "./turns.js";

class Failure extends Error {
  constructor(kind, detail = "") {
    super(detail);
    this.kind = kind;
  }
}

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ result: await timed(data) });
  } catch (error) {
    postMessage({ failure: { kind: error.kind ?? kindOf(error), detail: String(error?.message ?? error).slice(0, 300) } });
  }
});

async function timed({ runtime, wasm, own, ancestor }) {
  if (typeof WebAssembly !== "object") throw new Failure("wasm");
  const total = own.size + (ancestor?.size ?? 0);
  const told = (bytes) => postMessage({ step: "fetching", done: bytes / total });
  const files = [await fetched(own, told)];
  if (ancestor) files.push(await ifItFits(() => fetched(ancestor, (bytes) => told(own.size + bytes))));
  postMessage({ step: "starting" });
  const ort = await prepared(runtime, wasm);
  const runs = [await runner(ort, files.shift())]; // let go as soon as the runtime has it
  const other = files[0] ? await ifItFits(() => runner(ort, files.shift())) : null;
  if (other) runs.push(other);
  postMessage({ step: "warming" });
  const { medians, rounds } = await inTurns(runs, { told: (far) => postMessage({ step: "timing", ...far }) });
  return { ms: medians[0], ancestor: medians[1] ?? null, rounds, alone: Boolean(ancestor) && !other };
}

// Null where the memory does not suffice: that an ancestor does not fit into a device is a finding, too.
async function ifItFits(make) {
  try {
    return await make();
  } catch (error) {
    if (kindOf(error) !== "memory") throw error;
    return null;
  }
}

async function fetched({ url, size }, told) {
  const response = await fetch(url, { headers: { "X-Requested-With": "fetch" } }).catch(() => {
    throw new Failure("connection");
  });
  if (!response.ok) throw new Failure("gone");
  const file = new Uint8Array(size); // throws where the device has no such room
  let received = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Failure("connection");
    });
    if (done) break;
    if (received + value.length > size) throw new Failure("gone"); // another file than the page told of
    file.set(value, received);
    received += value.length;
    told(received);
  }
  if (received < size) throw new Failure("connection");
  return file;
}

async function prepared(runtime, wasm) {
  const ort = await import(runtime).catch(() => {
    throw new Failure("connection");
  });
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm };
  ort.env.logLevel = "error";
  return ort;
}

// A function that runs the network once, on noise: zeros may be faster than any picture.
async function runner(ort, file) {
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  const [input] = session.inputMetadata;
  const shape = input.shape.map((side) => (typeof side === "number" && side > 0 ? side : 1)); // a free batch is 1
  const pixels = new Float32Array(shape.reduce((a, b) => a * b, 1));
  let seed = 1;
  for (let i = 0; i < pixels.length; i += 1) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    pixels[i] = seed >>> 24; // 0 to 255
  }
  const feeds = { [input.name]: new ort.Tensor("float32", pixels, shape) };
  return () => session.run(feeds);
}

function kindOf(error) {
  const words = String(error?.message ?? error);
  if (error instanceof RangeError || /bad_alloc|out of memory|memory access|could not allocate|failed to allocate|array buffer allocation/i.test(words)) return "memory";
  if (/no available backend|webassembly|wasm.*(compile|instantiat|support)/i.test(words)) return "wasm";
  return "network";
}
