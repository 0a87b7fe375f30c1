// A block of samples on its way through the decoder: points -> pixels of the planes -> hidden units -> outputs.
#pragma once

#include "../products.h"
#include "../scratch.h"
#include "render_rays.h"
#include "tasks.h"

namespace geoinv {
namespace {

constexpr int kCorners = 12;  // four pixels of each of three planes

// Where up to `capacity` samples read the planes.
struct Samples {
  int64_t capacity;  // a multiple of 16
  float *x, *y, *z;  // scaled to [-1, 1]
  int32_t* offsets;  // [12, capacity], floats from the head's first
  float* weights;    // [12, capacity], thirds: the planes are averaged
};

constexpr int64_t samples_scratch(int64_t capacity) {
  return capacity * (3 + 2 * kCorners);
}

GEOINV_INLINE Samples samples_in(float*& scratch, int64_t capacity) {
  Samples samples;
  samples.capacity = capacity;
  samples.x = take(scratch, capacity), samples.y = take(scratch, capacity), samples.z = take(scratch, capacity);
  samples.offsets = reinterpret_cast<int32_t*>(take(scratch, kCorners * capacity));
  samples.weights = take(scratch, kCorners * capacity);
  return samples;
}

// Fills offsets and weights of the first `count` samples; those up to the next multiple of 16 get some, too.
static void find_corners(const Samples& samples, int64_t count, const PlaneViews& planes) {
  const int32_t row_stride = static_cast<int32_t>(planes.row_stride);
  const int32_t pixel_stride = static_cast<int32_t>(planes.pixel_stride);
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vec x = load(samples.x + i), y = load(samples.y + i), z = load(samples.z + i);
    for (int plane = 0; plane < 3; ++plane) {
      Vec column, row;
      plane_axes(plane, planes.third_is_zx, x, y, z, column, row);
      const AxisPixels<Vec> columns = axis_pixels(column, planes.side), rows = axis_pixels(row, planes.side);
      const IntVec left = columns.low * pixel_stride, right = columns.high * pixel_stride;
      const IntVec base = IntVec{} + static_cast<int32_t>(plane * planes.plane_stride);
      const IntVec top = rows.low * row_stride + base, bottom = rows.high * row_stride + base;
      const Vec top_weight = rows.low_weight * (1.0f / 3.0f), bottom_weight = rows.high_weight * (1.0f / 3.0f);
      int32_t* offsets = samples.offsets + plane * 4 * samples.capacity + i;
      float* weights = samples.weights + plane * 4 * samples.capacity + i;
      store(offsets, top + left), store(weights, top_weight * columns.low_weight);
      store(offsets + samples.capacity, top + right);
      store(weights + samples.capacity, top_weight * columns.high_weight);
      store(offsets + 2 * samples.capacity, bottom + left);
      store(weights + 2 * samples.capacity, bottom_weight * columns.low_weight);
      store(offsets + 3 * samples.capacity, bottom + right);
      store(weights + 3 * samples.capacity, bottom_weight * columns.high_weight);
    }
  }
}

template <int VECS>
GEOINV_INLINE void gather_panel(const Samples& samples, int64_t count, const float* head, int64_t channels, int64_t c,
                                const float* bias, float* out) {
  Vec start[VECS] = {};
  for (int v = 0; bias && v < VECS; ++v) start[v] = load(bias + c + v * kLanes);
  for (int64_t i = 0; i < count; ++i) {
    Vec sums[VECS];
    for (int v = 0; v < VECS; ++v) sums[v] = start[v];
#pragma GCC unroll 12
    for (int k = 0; k < kCorners; ++k) {
      const float weight = samples.weights[k * samples.capacity + i];
      const float* pixel = head + samples.offsets[k * samples.capacity + i] + c;
#pragma GCC unroll 4
      for (int v = 0; v < VECS; ++v) sums[v] += load(pixel + v * kLanes) * weight;
    }
#pragma GCC unroll 4
    for (int v = 0; v < VECS; ++v) store(out + i * channels + c + v * kLanes, sums[v]);
  }
}

// out [count, channels]: the weighted sum of twelve pixels for each sample, and `bias` [channels] where there is one.
static void gather_pixels(const Samples& samples, int64_t count, const float* head, int64_t channels,
                          const float* bias, float* out) {
  int64_t c = 0;
  for (; c + 4 * kLanes <= channels; c += 4 * kLanes)
    gather_panel<4>(samples, count, head, channels, c, bias, out);
  for (; c + 2 * kLanes <= channels; c += 2 * kLanes)
    gather_panel<2>(samples, count, head, channels, c, bias, out);
  for (; c < channels; c += kLanes) gather_panel<1>(samples, count, head, channels, c, bias, out);
}

// Adds v_features [count, channels] to the pixels that they came from.
static void scatter_features(const Samples& samples, int64_t count, const float* v_features, float* v_head,
                             int64_t channels) {
  for (int64_t i = 0; i < count; ++i) {
    const float* in = v_features + i * channels;
    for (int k = 0; k < kCorners; ++k) {
      const float weight = samples.weights[k * samples.capacity + i];
      if (weight == 0.0f) continue;
      float* pixel = v_head + samples.offsets[k * samples.capacity + i];
      for (int64_t c = 0; c < channels; c += kLanes) store(pixel + c, load(pixel + c) + load(in + c) * weight);
    }
  }
}

// hidden [count, hidden], before the softplus -> after it, and raw density [count]; with `slopes` also d after / d before.
static void activate_hidden(float* hidden, int64_t count, const DecoderViews& decoder, float* raw,
                            float* slopes = nullptr) {
  const float* density_row = decoder.output_rows + decoder.features * decoder.hidden;
  for (int64_t i = 0; i < count; ++i) {
    float* row = hidden + i * decoder.hidden;
    Vec sum = {};
    for (int64_t h = 0; h < decoder.hidden; h += kLanes) {
      const Vec before = load(row + h), small = exp_of_minus_abs(before);
      const Vec after = softplus_from(before, small);
      if (slopes) store(slopes + i * decoder.hidden + h, sigmoid_from(before, small));
      store(row + h, after);
      sum += after * load(density_row + h);
    }
    raw[i] = sum_of(sum) + decoder.density_bias;
  }
}

// hidden [count, hidden] -> colours [count, feature_columns].
static void decode_colors(const float* hidden, int64_t count, const DecoderViews& decoder, float* colors) {
  const int64_t columns = decoder.feature_columns;
  product<Start::bias>(hidden, decoder.hidden, 1, count, decoder.feature_matrix, columns, decoder.hidden, columns,
                       colors, columns, decoder.feature_bias);
  for (int64_t i = 0; i < count * columns; i += kLanes) store(colors + i, color_of(load(colors + i)));
}

}  // namespace
}  // namespace geoinv
