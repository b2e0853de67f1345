/**
 * @file Lets Node run this repository's TypeScript: `node --import ./shaders/loader/register.mjs examples/mnist/main.ts`.
 * tsx takes the types away; the hooks here make `import source from "x.wgsl"` give a `WgslSource`.
 */
import { register } from "node:module";
import "tsx";

// After tsx, so that these hooks are asked first: tsx does not know `.wgsl`.
register("./node-hooks.mjs", import.meta.url);
