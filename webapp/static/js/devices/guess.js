// What a device and its browser are most probably called, as `navigator` tells it. People may write something better.

const BROWSERS = [
  [/\bEdg(?:A|iOS)?\/(\d+)/, "Edge"],
  [/\bOPR\/(\d+)/, "Opera"],
  [/\bSamsungBrowser\/(\d+)/, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
  [/\b(?:HeadlessChrome|Chrome|CriOS)\/(\d+)/, "Chrome"],
  [/\bVersion\/(\d+(?:\.\d+)?).*Safari\//, "Safari"],
];

export function browserOf(agent) {
  for (const [pattern, name] of BROWSERS) {
    const found = agent.match(pattern);
    if (found) return `${name} ${found[1]}`;
  }
  return "";
}

// touches: maxTouchPoints, by which alone an iPad can be told from a Mac.
export function kindOf(agent, touches = 0) {
  if (/iPhone/.test(agent)) return "iPhone";
  if (/iPad/.test(agent) || (/Macintosh/.test(agent) && touches > 1)) return "iPad";
  if (/Android/.test(agent)) return /Mobile/.test(agent) ? "Android phone" : "Android tablet";
  if (/Macintosh/.test(agent)) return "Mac";
  if (/Windows/.test(agent)) return "Windows computer";
  if (/CrOS/.test(agent)) return "Chromebook";
  if (/Linux/.test(agent)) return /aarch64|armv/.test(agent) ? "Linux device (ARM)" : "Linux computer";
  return "Unknown device";
}

// Chromium tells a phone's model when it is asked.
export async function deviceName() {
  const kind = kindOf(navigator.userAgent, navigator.maxTouchPoints);
  try {
    const { model } = await navigator.userAgentData.getHighEntropyValues(["model"]);
    return model ? `${model} (${kind})`.slice(0, 60) : kind;
  } catch {
    return kind;
  }
}
