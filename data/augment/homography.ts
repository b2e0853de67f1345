/**
 * @file Homographies: 3 x 3 matrices that move points of the plane, (x, y) to (X / W, Y / W) with (X, Y, W) = M (x, y, 1). In float64 on
 * the host. Unit coordinates run from -1 to 1 over an image, x to the right, y down. No GPU.
 *
 * Each matrix says where a pixel of the result is looked up, so it is the inverse of what is seen. Source of the formulas: fastai,
 * vision/augment.py (flip_mat, dihedral_mat, rotate_mat, zoom_mat, _WarpCoord, _prepare_mat), and affine_grid of PyTorch.
 */

type Row = readonly [number, number, number];

/** By rows. */
export type Matrix3 = readonly [Row, Row, Row];

/** Height and width in pixels. */
export type ImageSize = readonly [height: number, width: number];

/** A part of an image, in whole pixels. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

export const identity: Matrix3 = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

/** `first` is what a point meets last: (A B C) p = A (B (C p)). */
export function compose(first: Matrix3, ...others: readonly Matrix3[]): Matrix3 {
  return others.reduce(product, first);
}

function product(a: Matrix3, b: Matrix3): Matrix3 {
  const row = (r: Row): Row => [dot(r, b, 0), dot(r, b, 1), dot(r, b, 2)];
  return [row(a[0]), row(a[1]), row(a[2])];
}

function dot([x, y, z]: Row, b: Matrix3, column: 0 | 1 | 2): number {
  return x * b[0][column] + y * b[1][column] + z * b[2][column];
}

/**
 * The eight symmetries of the square: bit 0 mirrors x, bit 1 mirrors y, bit 2 exchanges both. 0 is the identity, 1 the horizontal flip.
 */
export function dihedral(index: number): Matrix3 {
  const x = (index & 1) === 0 ? 1 : -1;
  const y = (index & 2) === 0 ? 1 : -1;
  return (index & 4) === 0
    ? [
        [x, 0, 0],
        [0, y, 0],
        [0, 0, 1],
      ]
    : [
        [0, x, 0],
        [y, 0, 0],
        [0, 0, 1],
      ];
}

/** `[cos t, sin t; -sin t, cos t]`: what is seen turns clockwise for t > 0. */
export function rotation(degrees: number): Matrix3 {
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [
    [cos, sin, 0],
    [-sin, cos, 0],
    [0, 0, 1],
  ];
}

/**
 * `s p + (1 - s) (2 c - 1)` for s = 1 / zoom: enlarges around the point of the image at the parts `c` of its width and height, which
 * stays where it is.
 */
export function zooming(zoom: number, centerX: number, centerY: number): Matrix3 {
  const s = 1 / zoom;
  return [
    [s, 0, (1 - s) * (2 * centerX - 1)],
    [0, s, (1 - s) * (2 * centerY - 1)],
    [0, 0, 1],
  ];
}

/**
 * The perspective that shows the corners of the image at
 *
 *     (-1 - y, -1 - x)   (1 + y, -1 + x)
 *     (-1 + y,  1 + x)   (1 - y,  1 - x)
 *
 * fastai solves eight equations for it. Their solution from the image to what is seen is
 *
 *     [1 - y², -x y, x;  -x y, 1 - x², y;  x, y, 1]
 *
 * and this is its inverse (times a number, which changes nothing). The corners are those of a convex quadrangle for |x| + |y| < 1.
 */
export function warping(x: number, y: number): Matrix3 {
  const q = 1 - x * x - y * y;
  const u = -x * (1 - x * x + y * y);
  const v = -y * (1 + x * x - y * y);
  return [
    [q, 2 * x * y, u],
    [2 * x * y, q, v],
    [u, v, q],
  ];
}

/** Turns a matrix for a square into one that does the same to pixels of an image which is not. */
export function forAspect([row0, row1, row2]: Matrix3, [height, width]: ImageSize): Matrix3 {
  return [
    [row0[0], (row0[1] * height) / width, row0[2]],
    [(row1[0] * width) / height, row1[1], row1[2]],
    row2,
  ];
}

/**
 * From pixels to unit coordinates. The centres of the outermost pixels are at -1 and 1 with aligned corners, else their outer edges. One
 * pixel alone is in the middle.
 */
export function toUnit([height, width]: ImageSize, alignCorners: boolean): Matrix3 {
  const axis = (size: number): [number, number] => {
    if (size === 1) return [0, 0];
    return alignCorners ? [2 / (size - 1), -1] : [2 / size, 1 / size - 1];
  };
  return scaling(axis(width), axis(height));
}

/** From unit coordinates to pixels. */
export function fromUnit([height, width]: ImageSize, alignCorners: boolean): Matrix3 {
  const axis = (size: number): [number, number] =>
    alignCorners ? [(size - 1) / 2, (size - 1) / 2] : [size / 2, (size - 1) / 2];
  return scaling(axis(width), axis(height));
}

/** From unit coordinates of a part of an image to those of the whole. */
export function cropping(
  { top, left, height, width }: Box,
  image: ImageSize,
  alignCorners: boolean,
): Matrix3 {
  const move = scaling([1, left], [1, top]);
  return compose(toUnit(image, alignCorners), move, fromUnit([height, width], alignCorners));
}

function scaling(x: readonly [number, number], y: readonly [number, number]): Matrix3 {
  return [
    [x[0], 0, x[1]],
    [0, y[0], y[1]],
    [0, 0, 1],
  ];
}

/** Far below what moves a pixel visibly, far above the rounding of float64. */
const snap = 1e-9;

/**
 * The same homography with W = 1 at the point (x, y), and with whole numbers where rounding has missed them by less than 1e-9: so the
 * identity, flips and right angles are exact.
 */
export function normalized(matrix: Matrix3, x: number, y: number): Matrix3 {
  const [w0, w1, w2] = matrix[2];
  const depth = w0 * x + w1 * y + w2;
  const entry = (value: number): number => {
    const whole = Math.round(value / depth);
    return Math.abs(value / depth - whole) < snap ? whole : value / depth;
  };
  // Not so in the last row, where a strong perspective of a large image has small numbers.
  const row = (r: Row): Row => [entry(r[0]), entry(r[1]), entry(r[2])];
  const last: Row = w0 === 0 && w1 === 0 ? [0, 0, 1] : [w0 / depth, w1 / depth, w2 / depth];
  return [row(matrix[0]), row(matrix[1]), last];
}
