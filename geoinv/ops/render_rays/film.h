// Film: for each ray, a scale and a shift of the hidden units that its colours read. Density reads them as they are, so
// that samples, weights, alpha and distance do not depend on it; and where film alone is trained, its gradient is that
// of the samples that count, whose weights the forward pass has kept.
#pragma once

#include "../film_units.h"
#include "samples.h"

namespace geoinv {
namespace {

constexpr int64_t kFilmBlock = 60;  // samples, at which a block is full

// The samples that count of a few rays.
struct FilmBlock {
  Samples samples;
  float* share;      // [capacity] how much each counts
  float* raw;        // [capacity]
  float* features;   // [capacity, channels] of the planes
  float* hidden;     // [capacity, hidden]
  float* modulated;  // [capacity, hidden], then the gradients to it
  float* colors;     // [capacity, feature_columns], then the gradients to their logits
  float* v_seen;     // [feature_columns] of one ray
  int64_t count, rays;
  int64_t ray[kFilmBlock], end[kFilmBlock];  // each ray, and where its samples end
};

GEOINV_INLINE int64_t film_capacity(const MarchTask& task) { return rounded_up(kFilmBlock + task.samples, 16); }

static int64_t film_scratch(const MarchTask& task) {
  const DecoderViews& decoder = task.decoder;
  const int64_t by_sample = 2 + task.planes.channels + 2 * decoder.hidden + decoder.feature_columns;
  return samples_scratch(film_capacity(task)) + film_capacity(task) * by_sample + decoder.feature_columns + 16 * 32;
}

GEOINV_INLINE void set_film_block(FilmBlock& block, const MarchTask& task, float* scratch) {
  const int64_t capacity = film_capacity(task), hidden = task.decoder.hidden;
  block.samples = samples_in(scratch, capacity);
  block.share = take(scratch, capacity), block.raw = take(scratch, capacity);
  block.features = take(scratch, capacity * task.planes.channels);
  block.hidden = take(scratch, capacity * hidden), block.modulated = take(scratch, capacity * hidden);
  block.colors = take(scratch, capacity * task.decoder.feature_columns);
  block.v_seen = take(scratch, task.decoder.feature_columns);
  block.count = block.rays = 0;
}

// Adds the samples of a ray that count to the block.
GEOINV_INLINE void choose_samples(const MarchTask& task, const float* weights, int64_t ray, FilmBlock& block) {
  const float *o = task.origins + ray * 3, *d = task.directions + ray * 3, *t = task.distances + ray * task.samples;
  const float scale = task.planes.scale;
  float total = 0.0f, before = 0.0f;
  for (int64_t s = 0; s + 1 < task.samples; ++s) total += weights[s];
  for (int64_t s = 0; s < task.samples; ++s) {
    const float after = s + 1 < task.samples ? weights[s] : 0.0f, share = 0.5f * (before + after);
    before = after;
    if (share <= total * kLeastFilmShare) continue;  // what is not a number counts, and is seen in the gradient
    const int64_t at = block.count++;
    block.share[at] = share;
    block.samples.x[at] = (o[0] + d[0] * t[s]) * scale;
    block.samples.y[at] = (o[1] + d[1] * t[s]) * scale;
    block.samples.z[at] = (o[2] + d[2] * t[s]) * scale;
  }
  block.ray[block.rays] = ray, block.end[block.rays++] = block.count;
}

// Writes the gradients of the block's rays.
static void film_block_backward(const MarchTask& task, const FilmGradient& gradient, const FilmBlock& block,
                                const float* head) {
  const DecoderViews& decoder = task.decoder;
  const int64_t channels = task.planes.channels, hidden = decoder.hidden, columns = decoder.feature_columns;
  const int64_t count = block.count;
  find_corners(block.samples, count, task.planes);
  gather_pixels(block.samples, count, head, channels, nullptr, block.features);
  product<Start::bias>(block.features, channels, 1, count, decoder.hidden_columns, hidden, channels, hidden,
                       block.hidden, hidden, decoder.hidden_bias);
  activate_hidden(block.hidden, count, decoder, block.raw);
  for (int64_t i = 0, first = 0; i < block.rays; first = block.end[i++])
    modulate_hidden(block.hidden + first * hidden, block.end[i] - first, task.film + block.ray[i] * 2 * hidden, hidden,
                    block.modulated + first * hidden);
  decode_colors(block.modulated, count, decoder, block.colors);
  for (int64_t i = 0, first = 0; i < block.rays; first = block.end[i++]) {
    for (int64_t c = 0; c < columns; ++c)
      block.v_seen[c] = c < decoder.features ? gradient.v_features[block.ray[i] * decoder.features + c] : 0.0f;
    for (int64_t s = first; s < block.end[i]; ++s) {
      float* color = block.colors + s * columns;
      for (int64_t c = 0; c < columns; c += kLanes)
        store(color + c, load(block.v_seen + c) * color_slope(load(color + c)) * block.share[s]);
    }
  }
  product<Start::zero>(block.colors, columns, 1, count, decoder.output_rows, hidden, decoder.features, hidden,
                       block.modulated, hidden);
  for (int64_t i = 0, first = 0; i < block.rays; first = block.end[i++])
    sum_film(block.hidden + first * hidden, block.modulated + first * hidden, block.end[i] - first, hidden,
             gradient.v_film + block.ray[i] * 2 * hidden);
}

static void film_backward(const MarchTask& task, const FilmGradient& gradient, int64_t head, int64_t ray_begin,
                          int64_t ray_end, float* scratch) {
  FilmBlock block;
  set_film_block(block, task, scratch);
  const float* head_planes = task.planes.data + head * task.planes.head_stride;
  for (int64_t i = ray_begin; i < ray_end; ++i) {
    const int64_t ray = head * task.rays + i;
    choose_samples(task, gradient.weights + ray * (task.samples - 1), ray, block);
    if (block.count < kFilmBlock && block.rays < kFilmBlock && i + 1 < ray_end) continue;
    film_block_backward(task, gradient, block, head_planes);
    block.count = block.rays = 0;
  }
}

}  // namespace
}  // namespace geoinv
