// What the kernels get: plain pointers.
#pragma once

#include <cstdint>

#include "../render_rays/wave_task.h"

namespace geoinv {

constexpr int kFeatures = 7;         // albedo 3, gloss 1, normal 3
constexpr int kOutputs = 8;          // of the decoder: the features, then density
constexpr int kAnchorChannels = 8;   // displacement 3, signed distance, normal 3, part
constexpr int kPlanes = 4;           // front and back slab, top, side
constexpr int kMostScales = 8;       // of distances that the decoder is told

// What lies behind so small a transmittance is neither seen nor has a gradient, beyond the rounding of float32.
constexpr float kLeastTransmittance = 1e-8f;

// Anchor volumes of all heads, by cell (z, y, x) and channel.
struct AnchorViews {
  const float *whole, *face;  // [heads, side, side, side, 8]
  int32_t side, face_side;
  float to_box;                       // world units to [-1, 1] of the whole box
  float face_low[3], to_face[3];      // corner of the face's box, and world units to its [0, 2]
  float by_margin;                    // of an inset in the face's box in [0, 1], to the share of its volume
};

// geoinv.ops.anchored_rays.CanonicalSpace.
struct SpaceViews {
  float centre[3], strength[3], spread_low[3], spread_scale[3];
  float slab_border, by_slab_width;
  int32_t scales;
  float by_scale[kMostScales];
  float density, floor, by_softness, gain;
};

// Canonical planes [heads, side, side, 4, channels]; channels are a multiple of 16 on the CPU.
struct CanonicalViews {
  const float* data;
  int64_t heads;
  int32_t side, channels;
};

// The decoder's weights with gains applied; on the CPU padded with zeros to multiples of 16 hidden units and channels.
struct AnchoredDecoder {
  int32_t hidden, told;         // told: channels, then distances at all scales, then the part
  const float* hidden_columns;  // [told, hidden]
  const float* hidden_rows;     // [hidden, channels]
  const float* hidden_bias;     // [heads, hidden]
  const float* output_columns;  // [hidden, 16]: the features, density, and zeros
  const float* output_rows;     // [8, hidden]
  const float* output_bias;     // [16]
};

struct Head {
  AnchorViews anchor;
  SpaceViews space;
  CanonicalViews planes;
  AnchoredDecoder decoder;
};

// Rays of all heads, and given ascending samples of each.
struct AnchoredMarch {
  Head head;
  int64_t rays, samples;    // rays of one head, samples of one ray
  const float* origins;     // [heads, rays, 3]
  const float* directions;  // [heads, rays, 3]
  const float* distances;   // [heads, rays, samples]
  const float* film;        // [heads, rays, 2, hidden] scale and shift of the hidden units that all but density read, or null
  float* features;          // [heads, rays, 7]
  float* alpha;             // [heads, rays]
  float* distance;          // [heads, rays]
  float* weights;           // [heads, rays, samples - 1]
  int32_t* seen;            // [heads, rays] samples before which not all light is taken; later ones have no gradient
};

// Gradients of the outputs (null where there is none) and of the inputs: of one head, added to.
struct AnchoredGradients {
  const float* v_features;  // [heads, rays, 7]
  const float* v_alpha;     // [heads, rays]
  const float* v_distance;  // [heads, rays]
  const float* v_weights;   // [heads, rays, samples - 1]
  float* v_planes;          // [side, side, 4, channels]
  float* v_hidden_columns;  // [told, hidden]
  float* v_hidden_bias;     // [hidden]
  float* v_output_rows;     // [8, hidden]
  float* v_output_bias;     // [8]
};

// Two-pass rendering of rays of all heads.
struct AnchoredRender : WaveTask {
  Head head;
};

// The raw density at the corners of all cells of a grid of the box.
struct CornerTask {
  Head head;
  int32_t cells;   // along a side
  float box_side;
  float* raw;      // [heads, cells + 1, cells + 1, cells + 1] (z, y, x)
};

constexpr int64_t kFilmPoints = 64;  // at most, at a time

// By how much films change what points look like.
struct FilmChange {
  Head head;
  int64_t points;       // of one head
  const float* places;  // [heads, points, 3] world
  const float* film;    // [heads, points, 2, hidden]
  float* change;        // [heads, points, 7] of albedo, gloss and normal
};

int64_t march_scratch(const AnchoredMarch& task);  // floats, aligned to 64 bytes
void march_forward(const AnchoredMarch& task, int64_t head, int64_t ray_begin, int64_t ray_end, float* scratch);
void march_backward(const AnchoredMarch& task, const AnchoredGradients& gradients, int64_t head, int64_t ray_begin,
                    int64_t ray_end, float* scratch);
int64_t render_scratch(const AnchoredRender& task);
void render_packet(const AnchoredRender& task, int64_t head, int64_t packet, float* scratch);
int64_t corners_scratch(const CornerTask& task);
void corners_layer(const CornerTask& task, int64_t head, int64_t z, float* scratch);
int64_t film_change_scratch(const FilmChange& task);
void film_change(const FilmChange& task, int64_t head, int64_t begin, int64_t end, float* scratch);

}  // namespace geoinv
