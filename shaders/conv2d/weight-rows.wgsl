// The rows of the product that makes the gradient of the weights: row number (ky kw + kx) cin + ci belongs to a tap and a channel of
// x, in the order of w. It meets pixel (n, oy, ox) of dy with x[n, oy stride_y + y, ox stride_x + x, ci], whose number is
// ((n height + oy stride_y) width + ox stride_x) cin + at.
//
// A shader that requires this binds x twice, as array<vec4<T>> and, as x_scalars, as array<T>.

// 4 divides the channels of x, so 4 neighbouring rows lie in one vec4 of x.
override PACKED: bool = true;

struct Row { y: i32, x: i32, at: i32 }

fn row_at(index: u32) -> Row {
  let tap = index / params.in_channels;
  let y = input_y(0u, tap / params.kernel_width);
  let left = input_x(0u, tap % params.kernel_width);
  let pixel = y * i32(params.width) + left;
  return Row(y, left, pixel * i32(params.in_channels) + i32(index % params.in_channels));
}

// 4 neighbouring rows; those past the last one are copies of it.
alias FourRows = array<Row, 4>;

fn four_rows_at(index: u32, rows: u32) -> FourRows {
  let last = rows - 1u;
  return FourRows(
    row_at(min(index, last)),
    row_at(min(index + 1u, last)),
    row_at(min(index + 2u, last)),
    row_at(min(index + 3u, last)),
  );
}

// The number in x of the element that a row meets at pixel p of dy.
struct Met { at: u32, inside: bool }

fn met(r: Row, p: Pixel, is_real: bool) -> Met {
  let y = p.y * params.stride_y;
  let left = p.x * params.stride_x;
  let is_inside = is_real && inside(i32(y) + r.y, params.height) && inside(i32(left) + r.x, params.width);
  let first = ((p.image * params.height + y) * params.width + left) * params.in_channels;
  return Met(select(0u, u32(i32(first) + r.at), is_inside), is_inside);
}

fn met_scalar(r: Row, p: Pixel, is_real: bool) -> f32 {
  let m = met(r, p, is_real);
  return select(0.0, f32(x_scalars[m.at]), m.inside);
}

// What 4 rows meet at pixel p of dy: zeros outside the image, and where p is not real.
fn met_by(rows: FourRows, p: Pixel, is_real: bool) -> vec4f {
  if (PACKED) {
    let m = met(rows[0], p, is_real);
    return select(vec4f(), vec4f(x[m.at / 4u]), m.inside);
  }
  return vec4f(
    met_scalar(rows[0], p, is_real),
    met_scalar(rows[1], p, is_real),
    met_scalar(rows[2], p, is_real),
    met_scalar(rows[3], p, is_real),
  );
}
