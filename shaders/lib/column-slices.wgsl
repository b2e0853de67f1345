// How a matrix of `rows` rows and `columns` vectors a row is shared out, so that each invocation works on one column
// and loads what belongs to the column once; see engine/ops/column-slices.ts.
//
// A slice of a column is one invocation's work. The rows of `group` slices alternate, so that neighbouring invocations
// load neighbouring memory even where rows are short; together they have `rows_per_group` consecutive rows.

struct Slice {
  column: u32,
  slice: u32,
  first: u32, // row
  end: u32,   // row
  step: u32,  // rows
}

// The slice of an invocation: `index` counts column, then slice. Rows past the end make it empty: first >= end.
fn slice_of(index: u32, rows: u32, columns: u32, group: u32, rows_per_group: u32) -> Slice {
  let slice = index / columns;
  let block = slice / group;
  let begin = block * rows_per_group;
  return Slice(index - slice * columns, slice, begin + slice - block * group, min(begin + rows_per_group, rows), group);
}

fn rows_in(slice: Slice) -> u32 {
  if (slice.first >= slice.end) { return 0u; }
  return (slice.end - slice.first + slice.step - 1u) / slice.step;
}
