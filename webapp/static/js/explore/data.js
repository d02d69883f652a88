// A run's networks as objects, from the columns that the server sends; later answers bring only what changed.

// Returns { networks, byName, ... } as the charts read it, or null where `before` lacks what the answer builds on.
export function decode(answer, before = null) {
  const networks = before ? before.networks.slice(0, answer.count) : [];
  const keys = Object.keys(answer.columns);
  answer.rows.forEach((index, at) => {
    const network = { index };
    for (const key of keys) network[key] = answer.columns[key][at];
    network.state = answer.states[network.state];
    network.parentIndices = network.parents;
    network.url = answer.network_url.replace("/NAME/", `/${encodeURIComponent(network.name)}/`);
    networks[index] = network;
  });
  for (let i = 0; i < answer.count; i += 1) if (!networks[i]) return null;
  const ancestor = answer.ancestor == null ? null : networks[answer.ancestor];
  const byName = new Map(networks.map((network) => [network.name, network]));
  const children = networks.map(() => []);
  for (const network of networks) {
    network.parents = network.parentIndices.map((index) => networks[index].name);
    network.smaller = ancestor?.parameters && network.parameters ? ancestor.parameters / network.parameters : null;
    for (const parent of network.parentIndices) children[parent].push(network.index);
  }
  const generations = [];
  for (const network of networks) (generations[network.generation] ??= []).push(network.index);
  return { ...answer, columns: null, networks, byName, children, byGeneration: generations, onPath: new Set(answer.path), means: answer.generations };
}

export const isOpen = (network) => network.state === "living" || network.state === "waiting";
export const isLost = (network) => network.state === "refused" || network.state === "errored" || network.state === "cancelled";
