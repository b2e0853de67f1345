// How vec4s, rows or other items are shared out to invocations: each takes up to VECTORS of them, WORKGROUP apart, so that neighbours
// load neighbours; see engine/ops/vectors.ts. To be walked by a loop:
//
//   let span = span_of(workgroup_id, num_workgroups, local_index, count);
//   for (var i = span.first; i < span.end; i += WORKGROUP) { ... }
//
// requires: lib/grid.wgsl

override WORKGROUP: u32 = 64u;

// Few where thousands of invocations hide latency, many where each costs as much to start as several loads.
override VECTORS: u32 = 4u;

struct Span {
  first: u32,
  end: u32,
}

fn span_of(workgroup_id: vec3u, num_workgroups: vec3u, local_index: u32, count: u32) -> Span {
  return span_of_many(workgroup_id, num_workgroups, local_index, count, VECTORS);
}

// The same for a number of items that is no override.
fn span_of_many(workgroup_id: vec3u, num_workgroups: vec3u, local_index: u32, count: u32, vectors: u32) -> Span {
  let begin = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP * vectors;
  return Span(begin + local_index, min(begin + WORKGROUP * vectors, count));
}
