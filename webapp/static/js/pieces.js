// Sends files one after another by the tus protocol: in pieces, and on from where they stood after a broken connection.
/* global tus */

const PIECE = 8_000_000; // bytes; the server takes no larger form from anybody
const DELAYS = [500, 1000, 3000, 5000, 10_000, 15_000, 30_000, 30_000, 60_000, 60_000]; // ms, anew after each success
const HEAD = 64; // bytes that tell what kind of file it is

export class Stopped extends Error {}

// What the server would not take: its own sentence, or only a status.
export class NotSent extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
    this.sentence = sentence;
  }
}

// What the server can judge a file by before it is sent.
export async function announce(file) {
  const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  return { name: file.name, size: file.size, head: btoa(String.fromCharCode(...head)) };
}

// `purpose` (data or base) is what they are for. `underWay` holds what was begun earlier ({url, name, size, modified}) and
// grows. `done` gives the ids of the whole uploads, or throws Stopped, NotSent, or another error when the connection is
// gone for good.
export function sendFiles(files, { address, purpose, token, underWay, progressed, waiting }) {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let before = 0;
  let upload = null;
  let halt = null;

  const send = (file) =>
    new Promise((resolve, reject) => {
      halt = () => upload.abort().then(() => reject(new Stopped()));
      const same = (other) => other.name === file.name && other.size === file.size && other.modified === file.lastModified;
      const known = underWay.find(same);
      upload = new tus.Upload(file, {
        endpoint: address,
        uploadUrl: known?.url ?? null,
        chunkSize: PIECE,
        retryDelays: DELAYS,
        storeFingerprintForResuming: false, // the server knows what is under way, in any browser
        headers: { "X-CSRFToken": token, Accept: "application/json" },
        metadata: { filename: file.name, modified: String(file.lastModified), purpose },
        onUploadUrlAvailable: () => {
          if (known) known.url = upload.url;
          else underWay.push({ url: upload.url, name: file.name, size: file.size, modified: file.lastModified });
        },
        onProgress: (sent) => progressed(before + sent, total),
        onShouldRetry: (error) => {
          const status = error.originalResponse?.getStatus() ?? 0;
          const passes = status === 0 || status === 409 || status === 423 || (status >= 500 && status !== 507);
          if (passes) waiting();
          return passes;
        },
        onSuccess: () => {
          before += file.size;
          resolve(new URL(upload.url, location.href).pathname.split("/").at(-2));
        },
        onError: (error) => {
          const response = error.originalResponse;
          if (!response) return reject(error);
          const isPlain = response.getHeader("content-type")?.startsWith("text/plain");
          const tooLarge = "A proxy between you and the server takes only small requests: it must let 10 MB pass.";
          const sentence = isPlain ? response.getBody() : response.getStatus() === 413 ? tooLarge : "";
          reject(new NotSent(response.getStatus(), sentence));
        },
      });
      upload.start();
    });

  const all = async () => {
    const ids = [];
    for (const file of files) ids.push(await send(file));
    return ids;
  };
  return { done: all(), stop: () => halt?.() };
}
