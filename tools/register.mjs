/**
 * @file All that Node needs to run the TypeScript of this repository: `node --import ./tools/register.mjs FILE.ts`.
 * Types are taken away, `.wgsl` files can be imported, and `WGRAD_ADAPTER` chooses the adapter.
 */
import "../shaders/loader/register.mjs";
import { adapterEnvironment } from "./adapters.mjs";

Object.assign(process.env, adapterEnvironment(process.env["WGRAD_ADAPTER"]));
