// Runs a network and its ancestor in ONNX Runtime Web, in turns, away from the page. Asked once by a message {runtime,
// wasm, own, ancestor?} of addresses, it answers with messages {step, ...} and at the end {result} or {failure}.
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
  const addresses = ancestor ? [own, ancestor] : [own];
  const files = [];
  for (const [i, address] of addresses.entries()) files.push(await fetched(address, i, addresses.length));
  postMessage({ step: "starting" });
  const ort = await prepared(runtime, wasm);
  const runs = [await runner(ort, files[0])];
  let alone = "";
  try {
    if (ancestor) runs.push(await runner(ort, files[1]));
  } catch (error) {
    if (kindOf(error) !== "memory") throw error;
    alone = "memory"; // that it does not fit is a finding, too
  }
  files.length = 0;
  postMessage({ step: "warming" });
  const { medians, rounds } = await inTurns(runs, { told: (far) => postMessage({ step: "timing", ...far }) });
  return { ms: medians[0], ancestor: medians[1] ?? null, rounds, alone };
}

async function fetched(address, index, of) {
  const response = await fetch(address, { headers: { "X-Requested-With": "fetch" } }).catch(() => {
    throw new Failure("connection");
  });
  if (!response.ok) throw new Failure("gone");
  const total = Number(response.headers.get("Content-Length")) || 0;
  const pieces = [];
  let received = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Failure("connection");
    });
    if (done) break;
    pieces.push(value);
    received += value.length;
    if (total) postMessage({ step: "fetching", done: (index + received / total) / of });
  }
  const file = new Uint8Array(received); // throws where the device has no such room
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
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
