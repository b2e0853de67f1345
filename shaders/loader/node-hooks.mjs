/** @file Node's module hook for `.wgsl` files; registered by register.mjs, runs in Node's loader thread. */
import { fileURLToPath } from "node:url";
import { loadWgsl, moduleText } from "./load-wgsl.mjs";

/** @type {import("node:module").ResolveHook} */
export async function resolve(specifier, context, nextResolve) {
  if (!isWgsl(specifier) || context.parentURL === undefined) return nextResolve(specifier, context);
  if (!/^(?:\.{0,2}\/|file:)/.test(specifier)) return nextResolve(specifier, context);
  return { url: new URL(specifier, context.parentURL).href, format: "module", shortCircuit: true };
}

/** @type {import("node:module").LoadHook} */
export async function load(url, context, nextLoad) {
  if (!isWgsl(url)) return nextLoad(url, context);
  const { source } = loadWgsl(fileURLToPath(url));
  return { format: "module", source: moduleText(source), shortCircuit: true };
}

/** @param {string} specifier */
function isWgsl(specifier) {
  return /\.wgsl(?:[?#].*)?$/.test(specifier);
}
