/** @file The convolution and its gradients in plain float64: their definition, for the cases. */
import { hostTensor, type HostTensor } from "../host-tensor.ts";
import { sizeOf } from "../shape.ts";
import { inputShape, outputShape, weightShape, type Geometry } from "./conv2d-geometry.ts";

type Visit = (x: number, w: number, out: number) => void;

/** Visits every product of the convolution: positions of its element of x, of w, and of the result that it is part of. */
function forEachProduct(g: Geometry, visit: Visit): void {
  const groupIn = g.inChannels / g.groups;
  const groupOut = g.outChannels / g.groups;
  let out = 0;
  for (let n = 0; n < g.batch; n++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      for (let ox = 0; ox < g.outWidth; ox++) {
        for (let co = 0; co < g.outChannels; co++, out++) {
          for (let ky = 0; ky < g.kernel[0]; ky++) {
            const y = oy * g.stride[0] + ky * g.dilation[0] - g.pad[0];
            if (y < 0 || y >= g.height) continue;
            for (let kx = 0; kx < g.kernel[1]; kx++) {
              const x = ox * g.stride[1] + kx * g.dilation[1] - g.pad[1];
              if (x < 0 || x >= g.width) continue;
              const pixel = (n * g.height + y) * g.width + x;
              const tap = ky * g.kernel[1] + kx;
              const first = Math.floor(co / groupOut) * groupIn;
              for (let c = 0; c < groupIn; c++) {
                visit(
                  pixel * g.inChannels + first + c,
                  (tap * groupIn + c) * g.outChannels + co,
                  out,
                );
              }
            }
          }
        }
      }
    }
  }
}

function at(data: Float64Array, index: number): number {
  return data[index] ?? NaN;
}

/** `x * w`, plus the bias of each channel. */
export function forwardReference(
  g: Geometry,
  x: HostTensor,
  w: HostTensor,
  bias?: HostTensor,
): HostTensor {
  const out = new Float64Array(sizeOf(outputShape(g)));
  if (bias !== undefined) {
    for (let i = 0; i < out.length; i++) out[i] = at(bias.data, i % g.outChannels);
  }
  forEachProduct(g, (i, j, o) => {
    out[o] = at(out, o) + at(x.data, i) * at(w.data, j);
  });
  return hostTensor(outputShape(g), out);
}

/** The gradient with respect to x. */
export function inputGradientReference(g: Geometry, dy: HostTensor, w: HostTensor): HostTensor {
  const dx = new Float64Array(sizeOf(inputShape(g)));
  forEachProduct(g, (i, j, o) => {
    dx[i] = at(dx, i) + at(dy.data, o) * at(w.data, j);
  });
  return hostTensor(inputShape(g), dx);
}

/** The gradient with respect to w. */
export function weightGradientReference(g: Geometry, x: HostTensor, dy: HostTensor): HostTensor {
  const dw = new Float64Array(sizeOf(weightShape(g)));
  forEachProduct(g, (i, j, o) => {
    dw[j] = at(dw, j) + at(dy.data, o) * at(x.data, i);
  });
  return hostTensor(weightShape(g), dw);
}
