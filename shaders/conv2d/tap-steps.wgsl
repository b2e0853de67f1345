// The sum of a convolution as one sequence, kh kw cin long, in the order in which w is stored: for few channels, where a tap has less
// than a vec4. Needs conv2d/geometry.wgsl.
//
// requires: conv2d/geometry.wgsl

// A step of the sum: a tap and a channel. Past the last step ky is kernel_height.
struct Step { ky: u32, kx: u32, channel: u32 }

fn next(step: Step) -> Step {
  let last_channel = step.channel + 1u == params.in_channels;
  let last_x = last_channel && step.kx + 1u == params.kernel_width;
  return Step(
    step.ky + select(0u, 1u, last_x),
    select(step.kx + select(0u, 1u, last_channel), 0u, last_x),
    select(step.channel + 1u, 0u, last_channel),
  );
}

// A value of x, and whether there is one: outside the image, and past the last step, there is none.
struct Source { at: u32, inside: bool }

fn source_of(p: Pixel, step: Step) -> Source {
  let y = input_y(p.y, step.ky);
  let x = input_x(p.x, step.kx);
  let is_inside =
    p.image < params.batch && step.ky < params.kernel_height && inside(y, params.height) && inside(x, params.width);
  let pixel = (p.image * params.height + u32(y)) * params.width + u32(x);
  return Source(select(0u, pixel * params.in_channels + step.channel, is_inside), is_inside);
}
