/** @file No time without a right result: who of the peers is right, by float64 where it can be had, else by agreement. */
import { difference, referenceDifference, toleranceOf, type Fingerprint } from "./fingerprint.ts";
import type { PeerName } from "./peer.ts";
import type { Work } from "./work.ts";

export type Results = ReadonlyMap<PeerName, readonly Fingerprint[]>;

/** For every peer with a wrong result, what is wrong. */
export function wrongResults(work: Work, results: Results): ReadonlyMap<PeerName, string> {
  const wrong = new Map<PeerName, string>();
  const tolerance = toleranceOf(work);
  for (const [name, result] of results) {
    const found = referenceDifference(work, result, tolerance);
    if (found !== undefined) wrong.set(name, `wrong ${found}`);
  }
  const right = new Map([...results].filter(([name]) => !wrong.has(name)));
  const [judge] = mostAgreed(right, tolerance);
  const expected = judge === undefined ? undefined : right.get(judge);
  if (judge === undefined || expected === undefined) return wrong;
  for (const [name, result] of right) {
    const found = difference(result, expected, tolerance);
    if (found !== undefined) wrong.set(name, `differs from ${judge}: ${found}`);
  }
  return wrong;
}

/** The peers, that with whom most of the others agree first, and among equals the earlier one. */
function mostAgreed(results: Results, tolerance: number): PeerName[] {
  const agreeing = (one: readonly Fingerprint[]): number =>
    [...results.values()].filter((other) => difference(other, one, tolerance) === undefined).length;
  const counted = Array.from(results, ([name, result]) => ({ name, count: agreeing(result) }));
  return counted.sort((a, b) => b.count - a.count).map(({ name }) => name);
}
