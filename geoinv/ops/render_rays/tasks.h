// What the kernels get: plain pointers, the same for every instruction set.
#pragma once

#include <cstdint>

#include "wave_task.h"

namespace geoinv {

// Feature planes [heads, 3, side, side, channels] of any strides but the last, which is 1; counted in floats.
struct PlaneViews {
  const float* data;
  int64_t head_stride, plane_stride, row_stride, pixel_stride;
  int64_t heads;
  int32_t side, channels;  // channels are a multiple of 16
  float scale;             // world units to [-1, 1]
  bool third_is_zx;
};

// The decoder's weights with gains applied, padded with zeros to multiples of 16 hidden units and features.
struct DecoderViews {
  int32_t hidden, features, feature_columns;  // feature_columns: features, padded
  const float* hidden_columns;                // [channels, hidden]
  const float* hidden_rows;                   // [hidden, channels]
  const float* hidden_bias;                   // [hidden]
  const float* feature_matrix;                // [hidden, feature_columns]
  const float* feature_bias;                  // [feature_columns]
  const float* output_rows;                   // [features + 1, hidden]: the features, then density
  float density_bias;
};

// Rays of all heads and given ascending samples of each.
struct MarchTask {
  PlaneViews planes;
  DecoderViews decoder;
  int64_t rays, samples;  // rays of one head, samples of one ray
  const float* origins;     // [heads, rays, 3]
  const float* directions;  // [heads, rays, 3]
  const float* distances;   // [heads, rays, samples]
  const float* film;        // [heads, rays, 2, hidden] scale and shift of the hidden units that colours read, or null
  float* features;          // [heads, rays, features]
  float* alpha;             // [heads, rays]
  float* distance;          // [heads, rays]
  float* weights;           // [heads, rays, samples - 1]
};

// Gradients of the outputs (null where there is none) and of the inputs (null where they are not wanted), which are
// added to; that of film is written.
struct MarchGradients {
  const float* v_features;   // [heads, rays, features]
  const float* v_alpha;      // [heads, rays]
  const float* v_distance;   // [heads, rays]
  const float* v_weights;    // [heads, rays, samples - 1]
  float* v_planes;           // of one head, strides as the planes'; of this task alone
  float* v_hidden_columns;   // [channels, hidden], and so on: of this task alone
  float* v_hidden_bias;      // [hidden]
  float* v_output_rows;      // [features + 1, hidden]
  float* v_output_bias;      // [features + 1]
  float* v_origins;          // [heads, rays, 3]
  float* v_directions;
  float* v_distances;        // [heads, rays, samples]
  float* v_film;             // [heads, rays, 2, hidden]
};

// What the gradient of film alone is made of: density and so the weights do not depend on it.
struct FilmGradient {
  const float* weights;     // [heads, rays, samples - 1] of the forward pass
  const float* v_features;  // [heads, rays, features]
  float* v_film;            // [heads, rays, 2, hidden]
};

// Making of what all rays of a head share; see prepare.h.
struct PrepareTask {
  PlaneViews planes;      // of features
  DecoderViews decoder;
  float* hidden_planes;   // [heads, 3, side, side, hidden]
  int32_t cells;          // along a side of the grid of bounds
  float* column_maxima;   // [heads, 3, cells, cells, hidden], see prepare.h
  const float* coarse;    // [heads, cells / 2 ^ 3] bounds of the grid before, or null
  float limit;            // below it a cell's children need no bound of their own
  float* bounds;          // [heads, cells, cells, cells] (z, y, x)
};

// Two-pass rendering of rays of prepared heads.
struct RenderTask : WaveTask {
  PlaneViews planes;  // hidden planes: `channels` are the decoder's hidden units
  DecoderViews decoder;
};

// One instruction set's versions. Scratch is counted in floats, aligned to 64 bytes.
struct Kernels {
  int64_t (*march_scratch)(const MarchTask&);
  void (*march_forward)(const MarchTask&, int64_t head, int64_t ray_begin, int64_t ray_end, float* scratch);
  void (*march_backward)(const MarchTask&, const MarchGradients&, int64_t head, int64_t ray_begin, int64_t ray_end,
                         float* scratch);
  int64_t (*film_scratch)(const MarchTask&);
  void (*film_backward)(const MarchTask&, const FilmGradient&, int64_t head, int64_t ray_begin, int64_t ray_end,
                        float* scratch);
  void (*prepare_row)(const PrepareTask&, int64_t head, int64_t plane, int64_t row);
  void (*prepare_maxima)(const PrepareTask&, int64_t head, int64_t plane, int64_t row);
  void (*prepare_bounds)(const PrepareTask&, int64_t head, int64_t z);
  int64_t (*render_scratch)(const RenderTask&);
  void (*render_packet)(const RenderTask&, int64_t head, int64_t packet, float* scratch);
};

extern const Kernels kernels_generic;
#if defined(__x86_64__)
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif

}  // namespace geoinv
