// The inner step of the matrix products and convolutions that run on tiles in workgroup memory:
//
//   sums[r, c] += sum over 16 steps of k of a[r, k] b[k, c]
//
// A workgroup of 8 x 8 makes a tile of 64 rows x 64 columns, an invocation 8 rows x 8 columns of it: rows y, y + 8, ..., and the
// column groups (4 columns) x and x + 8, so that neighbours read neighbours. With OWN_ROWS = 4 it is 32 x 64.
//
// Arithmetic, for each 16 steps of k and an invocation: 8 vec4s from global memory and 8 into the tiles, 64 vec4s out of the
// tiles, 1024 multiplications; 64 x 64 x 16 multiplications for 8 KiB from global memory, 16 flops a byte. Workgroup memory:
// 9.3 KiB. Registers: 64 sums, 40 of the two operands, some 20 for places: about 128, which leaves room for 8 such
// workgroups (512 invocations) among 65,536 registers, and for 6 in 64 KiB of workgroup memory.
//
// Banks: 8 invocations, which read a vec4 each, fill the 32 banks once. Those of one x read the same vec4 of a; the rows of the others
// are PITCH_A = 5 vec4s apart, and 5 y modulo 8 are all different. The vec4s of b lie side by side. PITCH_B = 17 spreads the
// stores of those who turn b round.

const SIDE = 8u;           // invocations of a workgroup in each direction
const INVOCATIONS = 64u;   // SIDE * SIDE
const STEP = 16u;          // of k, between two barriers
const STEP_GROUPS = 4u;    // vec4s in a step
const TILE_COLUMNS = 64u;
const COLUMN_GROUPS = 16u; // vec4s in a row of the tile
const PITCH_A = 5u;        // STEP_GROUPS + 1
const PITCH_B = 17u;       // COLUMN_GROUPS + 1

// Rows of an invocation: 8, or 4 where there are too few tiles to fill a device.
override OWN_ROWS: u32 = 8u;

var<workgroup> a_tile: array<vec4f, 320>; // [row, 4 steps of k]: 64 x PITCH_A
var<workgroup> b_tile: array<vec4f, 272>; // [k, 4 columns]: STEP x PITCH_B

// An invocation's sums: its row i at [2 i] and [2 i + 1].
alias Sums = array<vec4f, 16>;

fn tile_rows() -> u32 {
  return SIDE * OWN_ROWS;
}

// The invocation's row i, counted from the first of the tile.
fn own_row(local_id: vec3u, i: u32) -> u32 {
  return local_id.y + SIDE * i;
}

// The invocation's column group j of 2, counted from the first of the tile.
fn own_group(local_id: vec3u, j: u32) -> u32 {
  return local_id.x + SIDE * j;
}

fn set_a(row: u32, group: u32, value: vec4f) {
  a_tile[row * PITCH_A + group] = value;
}

fn set_b(k: u32, group: u32, value: vec4f) {
  b_tile[k * PITCH_B + group] = value;
}

// Steps from `first` to before `end`, each 16 of k.
struct Steps { first: u32, end: u32 }

// A sum over k that is long and has few tiles is cut into parts, for workgroups of their own; another kernel adds them up.
fn steps_of_part(k: u32, part: u32, parts: u32) -> Steps {
  let steps = (k + STEP - 1u) / STEP;
  let each = (steps + parts - 1u) / parts;
  return Steps(min(part * each, steps), min((part + 1u) * each, steps));
}

// Between filling the tiles and filling them again, with a barrier before and after.
fn multiply_tiles(sums: ptr<function, Sums>, local_id: vec3u) {
  for (var group = 0u; group < STEP_GROUPS; group++) {
    var a: array<vec4f, 8>;
    for (var i = 0u; i < OWN_ROWS; i++) { a[i] = a_tile[own_row(local_id, i) * PITCH_A + group]; }
    for (var k = 0u; k < 4u; k++) {
      let at = (4u * group + k) * PITCH_B;
      let b0 = b_tile[at + own_group(local_id, 0u)];
      let b1 = b_tile[at + own_group(local_id, 1u)];
      for (var i = 0u; i < OWN_ROWS; i++) {
        (*sums)[2u * i] = fma(vec4f(a[i][k]), b0, (*sums)[2u * i]);
        (*sums)[2u * i + 1u] = fma(vec4f(a[i][k]), b1, (*sums)[2u * i + 1u]);
      }
    }
  }
}
