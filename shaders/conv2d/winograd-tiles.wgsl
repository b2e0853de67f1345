// Where the tiles of Winograd's convolution are, for the kernels that go from images to tiles and back; see winograd.wgsl.
//
// A batch of images is cut into tiles of TILE x TILE pixels of the result, row by row. A dispatch works on `rows` rows of tiles, as
// many as the workspace holds, on rows below the last image too: these are zero. One invocation goes along a strip of a
// row, for 4 channels or one (E): on a software adapter the whole row, because neighbouring patches share two columns of pixels,
// which are loaded once; on a GPU a strip is one tile, because there many invocations count for more.

struct Params {
  images: u32,
  height: u32, // of the images that are loaded or stored
  width: u32,
  channels: u32, // in units of E
  pad_top: i32,  // rows and columns above and left of the image that the first tile begins at
  pad_left: i32,
  tiles_y: u32, // rows of tiles of an image
  tiles_x: u32, // tiles of a row
  first_row: u32,
  rows: u32,
  strip: u32,  // tiles of a strip, fewer in the last one
  strips: u32, // strips of a row
  side: u32,   // TILE + 2, for loops that must not be unrolled: see winograd.wgsl
  position: u32, // from the matrix of one position to the next
  packing: vec4<u32>, // of these matrices: rows are tiles, columns channels; see `place` of winograd.wgsl
  quad: u32,
}

struct Strip {
  channel: u32,
  row: u32, // of the dispatch
  first: u32, // tile of the row
  count: u32,
  image: u32,
  top: u32, // first row of pixels
}

// Strip number `index`: channels first, so that neighbours load neighbours. One that does not exist has no tiles.
fn strip_at(index: u32) -> Strip {
  let strips = index / params.channels;
  let row = strips / params.strips;
  let first = (strips - row * params.strips) * params.strip;
  let image = (params.first_row + row) / params.tiles_y;
  let tile_y = params.first_row + row - image * params.tiles_y;
  let count = select(0u, min(params.strip, params.tiles_x - first), row < params.rows);
  return Strip(index - strips * params.channels, row, first, count, image, tile_y * TILE);
}

// A tile of a strip's row at position 0. Transformed tiles are stored [position, tile, channel], position (TILE + 2) row + column, so
// that each position is a matrix.
fn place_of(strip: Strip, tile: u32) -> u32 {
  return place(params.packing, params.quad, strip.row * params.tiles_x + tile, strip.channel);
}
