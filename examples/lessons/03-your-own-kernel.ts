/**
 * Lesson 3: a kernel of your own, from the shader to the gradient.
 *
 *     node --import ./tools/register.mjs examples/lessons/03-your-own-kernel.ts
 *
 * At the bottom of every model are kernels: small programs in the shader language WGSL that the GPU runs once for each element.
 * The ops of the engine are made of them, and you make yours in the same way. This one is softsign, x / (1 + |x|), whose shader
 * is the file 03-softsign.wgsl. Read it first.
 */
import {
  abs,
  defineKernel,
  defineOp,
  DTypeError,
  gradcheck,
  linearGrid,
  mul,
  square,
  sub,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import source from "./03-softsign.wgsl";

// The kernel: the shader made callable. What it binds and what its parameters are called is read from the WGSL; what WGSL cannot
// say is how many workgroups cover the problem. Here: one invocation for each element, 64 of them in a workgroup.
const kernel = defineKernel({
  name: "softsign",
  source,
  grid: ({ size }) => linearGrid(size as number, 64),
});

// The op: the kernel with its place on the tape.
const softsignOp = defineOp<readonly [Tensor], undefined>({
  name: "softsign",
  // The shape of the result, known before anything runs. Wrong inputs are refused here.
  output: ([x]) => {
    if (x.dtype !== "f32")
      throw new DTypeError("softsign", `it takes f32: ${String(x)}`, "Cast it");
    return { shape: x.shape };
  },
  // Fills the result, for which the engine has found memory.
  forward: ([x], out) => {
    kernel({ x, out }, { size: x.size });
    return {};
  },
  // The chain rule: `dy` is the gradient of the result, and the derivative of softsign is 1 / (1 + |x|)^2 = (1 - |out|)^2.
  gradient: (dy, { out }) => [mul(dy, square(sub(1, abs(out))))],
});

/** `x / (1 + |x|)`. */
function softsign(x: Tensor): Tensor {
  return softsignOp([x], undefined);
}

export async function main(print: (line: string) => void = console.log) {
  const device = await openNodeDevice();

  const values = [-3, -1, -0.5, 0, 0.5, 1, 3];
  const results = await softsign(tensor(values)).data();
  print("       x    softsign(x)    computed in JavaScript");
  values.forEach((x, i) => {
    const expected = x / (1 + Math.abs(x));
    print(
      `${x.toFixed(1).padStart(8)} ${results[i]?.toFixed(6).padStart(14)} ${expected.toFixed(6).padStart(25)}`,
    );
  });

  // A gradient rule is quickly wrong and a model with a wrong one still learns, only worse. So check each that you write.
  const report = await gradcheck(softsign, [tensor(values)]);
  print(`\n${String(report)}`);

  await device.close();
  return { values, results, passed: report.passed };
}

if (process.argv[1] === import.meta.filename) await main();
