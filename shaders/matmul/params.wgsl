// The sizes of a stack of matrix products; see naive.wgsl.
struct Params {
  m: u32, // rows of out
  n: u32, // columns of out
  k: u32, // length of the sums
  a_batch: u32, // elements from one matrix to the next; 0 where all share one
  b_batch: u32,
  batch: u32, // matrices of out, one for each workgroup_id.z
  parts: u32, // of each sum, in `tiled.wgsl`: see steps_of_part in lib/workgroup-tile.wgsl
}
