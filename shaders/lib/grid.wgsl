// Position in a grid that spills from x into y when it needs more than 65,535 workgroups; see linearGrid in engine/kernel.ts.

fn linear_workgroup(workgroup_id: vec3u, num_workgroups: vec3u) -> u32 {
  return workgroup_id.x + workgroup_id.y * num_workgroups.x;
}
