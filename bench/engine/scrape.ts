/** Single values from a role's /metrics. */

/** In the order of `names`. Throws where the role does not answer or has no such metric. */
export async function scrapeValues(target: string, names: readonly string[]): Promise<number[]> {
  const answer = await fetch(`http://${target}/metrics`);
  const text = await answer.text();
  return names.map((name) => {
    // Without labels: a gauge of the role as a whole.
    const value = new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1];
    if (value === undefined) throw new Error(`${target} has no ${name}`);
    return Number(value);
  });
}
