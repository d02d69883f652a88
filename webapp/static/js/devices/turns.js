// Times several networks in turns, so that whatever slows a device down meanwhile, heat or another program, slows all of
// them alike. No DOM and no ONNX here.

const SHORTEST = 20; // milliseconds of a burst
const TICKS = 20; // of the clock, at least, in a burst: browsers coarsen it to 0.1, 1 or even 100 milliseconds
const LONGEST = 500; // milliseconds
const WARM_UP = 300; // milliseconds

// runs: functions that run a network once and resolve. told({ done, rounds }): how far it is, 0 to 1, after each burst.
// Resolves to { medians: milliseconds of one run each, rounds }.
export async function inTurns(runs, { seconds = 6, rounds: least = 3, clock = () => performance.now(), told = () => {} } = {}) {
  const shortest = Math.max(SHORTEST, TICKS * tickOf(clock));
  const burst = async (run, times) => {
    const start = clock();
    for (let i = 0; i < times; i += 1) await run();
    return clock() - start;
  };
  const bursts = [];
  for (const run of runs) bursts.push({ run, once: await once(run, burst, shortest), taken: [] });
  // All bursts are about as long as the slowest network's run: a short one would slip in between two interruptions.
  const length = Math.max(shortest, Math.min(LONGEST, Math.max(...bursts.map((one) => one.once))));
  for (const one of bursts) one.times = Math.ceil(length / one.once);
  const start = clock();
  let rounds = 0;
  while (rounds < least || clock() - start < 1000 * seconds) {
    const order = rounds % 2 ? [...bursts].reverse() : bursts; // nobody always comes first
    for (const [i, one] of order.entries()) {
      one.taken.push((await burst(one.run, one.times)) / one.times);
      const share = Math.min((rounds + (i + 1) / order.length) / least, (clock() - start) / (1000 * seconds));
      told({ done: Math.min(1, share), rounds });
    }
    rounds += 1;
  }
  return { medians: bursts.map(({ taken }) => median(taken)), rounds };
}

// About how long one run takes, in milliseconds. Finding out warms the network up, too.
async function once(run, burst, shortest) {
  let spent = await burst(run, 1); // the first run prepares much, and says nothing
  let times = 1;
  for (;;) {
    const took = await burst(run, times);
    spent += took;
    if (took >= shortest && spent >= WARM_UP) return took / times;
    if (took < shortest) times = Math.min(10 * times, Math.ceil((1.5 * times * shortest) / Math.max(took, shortest / 100)));
  }
}

// The least step that the clock makes, in milliseconds.
function tickOf(clock) {
  let least = Infinity;
  for (let i = 0; i < 5; i += 1) {
    const start = clock();
    let now = start;
    while (now === start) now = clock();
    least = Math.min(least, now - start);
  }
  return least;
}

export function median(values) {
  const ordered = [...values].sort((a, b) => a - b);
  const middle = ordered.length >> 1;
  return ordered.length % 2 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2;
}
