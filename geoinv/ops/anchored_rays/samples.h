// A block of samples on its way through an anchored head: points -> anchor -> texels of the planes -> hidden units ->
// outputs.
#pragma once

#include "../products.h"
#include "../scratch.h"
#include "anchored_rays.h"

namespace geoinv {

// The channels of the anchor, and the decoder's outputs, of one sample.
typedef float Eight __attribute__((vector_size(32)));
typedef int32_t EightInts __attribute__((vector_size(32)));
typedef float AnyEight __attribute__((vector_size(32), aligned(4), may_alias));
#if GEOINV_LANES != 8
template <>
struct Twin<Eight> {
  using Int = EightInts;
};
#endif

namespace {

GEOINV_INLINE Eight load_eight(const float* at) { return *reinterpret_cast<const AnyEight*>(at); }
GEOINV_INLINE void store_eight(float* at, Eight value) { *reinterpret_cast<AnyEight*>(at) = value; }

constexpr int kCorners = 12;     // four texels of the slab that counts more, of the top and of the side
constexpr int kAllCorners = 16;  // and of the other slab, where it counts at all
constexpr int kOutputColumns = 16;

// Places of samples in one anchor volume.
struct Cells {
  int32_t* low;                        // floats from the head's first to the lowest of eight cells
  int32_t *step_x, *step_y, *step_z;   // floats to the next cell; 0 at the border
  float *share_x, *share_y, *share_z;  // of the next cell
};

// Up to `capacity` samples, a multiple of 16.
struct Samples {
  int64_t capacity;
  float *x, *y, *z;             // world
  float* face;                  // share of the face's volume
  Cells in_whole, in_face;
  float* anchor;                // [capacity, 8]
  float *c_x, *c_y, *c_z;       // on the average head
  float *distance, *part;
  int32_t* offsets;             // [16, capacity] floats from the head's first
  float* weights;               // [16, capacity]
};

constexpr int64_t samples_scratch(int64_t capacity) {
  return capacity * (3 + 1 + 2 * 7 + kAnchorChannels + 5 + 2 * kAllCorners);
}

GEOINV_INLINE Cells cells_in(float*& scratch, int64_t capacity) {
  Cells cells;
  for (int32_t** each : {&cells.low, &cells.step_x, &cells.step_y, &cells.step_z})
    *each = reinterpret_cast<int32_t*>(take(scratch, capacity));
  for (float** each : {&cells.share_x, &cells.share_y, &cells.share_z}) *each = take(scratch, capacity);
  return cells;
}

GEOINV_INLINE Samples samples_in(float*& scratch, int64_t capacity) {
  Samples samples;
  samples.capacity = capacity;
  for (float** each : {&samples.x, &samples.y, &samples.z, &samples.face, &samples.c_x, &samples.c_y, &samples.c_z,
                       &samples.distance, &samples.part})
    *each = take(scratch, capacity);
  samples.in_whole = cells_in(scratch, capacity), samples.in_face = cells_in(scratch, capacity);
  samples.anchor = take(scratch, kAnchorChannels * capacity);
  samples.offsets = reinterpret_cast<int32_t*>(take(scratch, kAllCorners * capacity));
  samples.weights = take(scratch, kAllCorners * capacity);
  return samples;
}

GEOINV_INLINE void find_cells(const Cells& cells, int64_t i, int32_t side, Vec x, Vec y, Vec z) {
  const Between<Vec> column = between(x, side), row = between(y, side), layer = between(z, side);
  store(cells.low + i, ((layer.low * side + row.low) * side + column.low) * kAnchorChannels);
  store(cells.step_x + i, (column.high - column.low) * kAnchorChannels);
  store(cells.step_y + i, (row.high - row.low) * (side * kAnchorChannels));
  store(cells.step_z + i, (layer.high - layer.low) * (side * side * kAnchorChannels));
  store(cells.share_x + i, column.share), store(cells.share_y + i, row.share), store(cells.share_z + i, layer.share);
}

GEOINV_INLINE Eight trilinear(const Cells& cells, int64_t i, const float* volume) {
  const float* at = volume + cells.low[i];
  const int64_t x = cells.step_x[i], y = cells.step_y[i], z = cells.step_z[i];
  const float by_x = cells.share_x[i], by_y = cells.share_y[i], by_z = cells.share_z[i];
  auto along_x = [&](const float* first) {
    const Eight low = load_eight(first);
    return low + (load_eight(first + x) - low) * by_x;
  };
  auto along_y = [&](const float* first) {
    const Eight low = along_x(first);
    return low + (along_x(first + y) - low) * by_y;
  };
  const Eight low = along_y(at);
  return low + (along_y(at + z) - low) * by_z;
}

// Reads the anchor at the first `count` samples; those up to the next multiple of the lanes get places, too.
static void read_anchors(const Samples& samples, int64_t count, const AnchorViews& anchor, int64_t head) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vec x = load(samples.x + i), y = load(samples.y + i), z = load(samples.z + i);
    find_cells(samples.in_whole, i, anchor.side, x * anchor.to_box, y * anchor.to_box, z * anchor.to_box);
    const Vec face_x = place_in_face(anchor, 0, x), face_y = place_in_face(anchor, 1, y);
    const Vec face_z = place_in_face(anchor, 2, z);
    store(samples.face + i, face_share(anchor, face_x, face_y, face_z));
    find_cells(samples.in_face, i, anchor.face_side, face_x, face_y, face_z);
  }
  const int64_t side = anchor.side, face_side = anchor.face_side;
  const float* whole = anchor.whole + head * side * side * side * kAnchorChannels;
  const float* face = anchor.face + head * face_side * face_side * face_side * kAnchorChannels;
  for (int64_t i = 0; i < count; ++i) {
    const float share = samples.face[i];
    Eight value;
    if (share >= 1.0f) {
      value = trilinear(samples.in_face, i, face);
    } else {
      value = trilinear(samples.in_whole, i, whole);
      if (share > 0.0f) value += (trilinear(samples.in_face, i, face) - value) * share;
    }
    store_eight(samples.anchor + i * kAnchorChannels, value);
    samples.c_x[i] = samples.x[i] + value[0], samples.c_y[i] = samples.y[i] + value[1];
    samples.c_z[i] = samples.z[i] + value[2];
    samples.distance[i] = value[3], samples.part[i] = value[7];
  }
}

// Fills four corners from corner `first` on, of plane `plane` with this weight.
GEOINV_INLINE void find_corners_of(const Samples& samples, int64_t i, int first, const CanonicalViews& planes, IntVec plane,
                                   const Between<Vec>& columns, const Between<Vec>& rows, Vec weight) {
  const int32_t row_stride = planes.side * kPlanes * planes.channels, pixel_stride = kPlanes * planes.channels;
  const IntVec left = columns.low * pixel_stride, right = columns.high * pixel_stride;
  const IntVec base = plane * planes.channels;
  const IntVec top = rows.low * row_stride + base, bottom = rows.high * row_stride + base;
  const Vec bottom_weight = rows.share * weight, top_weight = weight - bottom_weight;
  int32_t* offsets = samples.offsets + first * samples.capacity + i;
  float* weights = samples.weights + first * samples.capacity + i;
  const int64_t next = samples.capacity;
  const Vec top_right = top_weight * columns.share, bottom_right = bottom_weight * columns.share;
  store(offsets, top + left), store(weights, top_weight - top_right);
  store(offsets + next, top + right), store(weights + next, top_right);
  store(offsets + 2 * next, bottom + left), store(weights + 2 * next, bottom_weight - bottom_right);
  store(offsets + 3 * next, bottom + right), store(weights + 3 * next, bottom_right);
}

// Where the planes are read for the first `count` samples, whose anchors are known.
static void find_corners(const Samples& samples, int64_t count, const SpaceViews& space, const CanonicalViews& planes) {
  constexpr float third = 1.0f / 3.0f;
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vec c_z = load(samples.c_z + i), front = front_share(space, c_z);
    const Between<Vec> x = between(foveated(space, 0, load(samples.c_x + i)), planes.side);
    const Between<Vec> y = between(foveated(space, 1, load(samples.c_y + i)), planes.side);
    const Between<Vec> z = between(foveated(space, 2, c_z), planes.side);
    const IntVec slab = front >= 0.5f ? IntVec{} : IntVec{} + 1;
    const Vec larger = front >= 0.5f ? front : 1.0f - front;
    find_corners_of(samples, i, 0, planes, slab, x, y, larger * third);
    find_corners_of(samples, i, 4, planes, IntVec{} + 2, x, z, Vec{} + third);
    find_corners_of(samples, i, 8, planes, IntVec{} + 3, z, y, Vec{} + third);
    find_corners_of(samples, i, 12, planes, 1 - slab, x, y, (1.0f - larger) * third);
  }
}

// Whether sample i reads both slabs.
GEOINV_INLINE bool is_between_slabs(const Samples& samples, int64_t i) {
  const int64_t n = samples.capacity;
  return samples.weights[12 * n + i] + samples.weights[13 * n + i] + samples.weights[14 * n + i] +
             samples.weights[15 * n + i] > 0.0f;
}

template <int VECS>
GEOINV_INLINE void gather_panel(const Samples& samples, int64_t count, const float* head, int64_t c, float* out,
                                int64_t out_stride) {
  for (int64_t i = 0; i < count; ++i) {
    Vec sums[VECS] = {};
    auto add = [&](int k) {
      const float weight = samples.weights[k * samples.capacity + i];
      const float* texel = head + samples.offsets[k * samples.capacity + i] + c;
#pragma GCC unroll 8
      for (int v = 0; v < VECS; ++v) sums[v] += load(texel + v * kLanes) * weight;
    };
#pragma GCC unroll 12
    for (int k = 0; k < kCorners; ++k) add(k);
    if (is_between_slabs(samples, i)) {
#pragma GCC unroll 4
      for (int k = kCorners; k < kAllCorners; ++k) add(k);
    }
#pragma GCC unroll 8
    for (int v = 0; v < VECS; ++v) store(out + i * out_stride + c + v * kLanes, sums[v]);
  }
}

// out [count, channels]: the weighted sum of the texels of each sample.
static void gather_texels(const Samples& samples, int64_t count, const float* head, int64_t channels, float* out,
                          int64_t out_stride) {
  int64_t c = 0;
  for (; c + 4 * kLanes <= channels; c += 4 * kLanes) gather_panel<4>(samples, count, head, c, out, out_stride);
  for (; c + 2 * kLanes <= channels; c += 2 * kLanes) gather_panel<2>(samples, count, head, c, out, out_stride);
  for (; c < channels; c += kLanes) gather_panel<1>(samples, count, head, c, out, out_stride);
}

// Adds v_features [count, channels] to the texels that they came from.
static void scatter_features(const Samples& samples, int64_t count, const float* v_features, float* v_head,
                             int64_t channels) {
  for (int64_t i = 0; i < count; ++i) {
    const float* in = v_features + i * channels;
    const int corners = is_between_slabs(samples, i) ? kAllCorners : kCorners;
    for (int k = 0; k < corners; ++k) {
      const float weight = samples.weights[k * samples.capacity + i];
      float* texel = v_head + samples.offsets[k * samples.capacity + i];
      for (int64_t c = 0; c < channels; c += kLanes) store(texel + c, load(texel + c) + load(in + c) * weight);
    }
  }
}

GEOINV_INLINE const float* planes_of(const CanonicalViews& planes, int64_t head) {
  return planes.data + head * planes.side * planes.side * kPlanes * planes.channels;
}

GEOINV_INLINE int64_t told_stride(const Head& head) { return rounded_up(head.decoder.told, 16); }

// told [count, told_stride]: what the decoder is told of the first `count` samples.
static void tell(const Samples& samples, int64_t count, const Head& head, int64_t index, float* told) {
  const int64_t stride = told_stride(head), channels = head.planes.channels;
  const SpaceViews& space = head.space;
  read_anchors(samples, count, head.anchor, index);
  find_corners(samples, count, space, head.planes);
  gather_texels(samples, count, planes_of(head.planes, index), channels, told, stride);
  for (int64_t i = 0; i < count; ++i) {
    float* row = told + i * stride + channels;
    for (int k = 0; k < space.scales; ++k) row[k] = clamped(samples.distance[i] * space.by_scale[k], -1.0f, 1.0f);
    row[space.scales] = samples.part[i];
  }
}

// told -> hidden [count, hidden] after the softplus; with `slopes` [count, hidden] also d after / d before.
static void decode_hidden(int64_t count, const Head& head, int64_t index, const float* told, float* hidden,
                          float* slopes = nullptr) {
  const AnchoredDecoder& decoder = head.decoder;
  const int64_t units = decoder.hidden;
  product<Start::bias>(told, told_stride(head), 1, count, decoder.hidden_columns, units, decoder.told, units, hidden,
                       units, decoder.hidden_bias + index * units);
  for (int64_t i = 0; i < count * units; i += kLanes) {
    const Vec before = load(hidden + i), small = exp_of_minus_abs(before);
    if (slopes) store(slopes + i, sigmoid_from(before, small));
    store(hidden + i, softplus_from(before, small));
  }
}

constexpr int64_t kOutputLanes = kLanes > kOutputs ? kLanes : kOutputs;  // outputs in whole vectors

// hidden [count, hidden] -> outputs [count, 16], of which the first kOutputLanes are written.
static void decode_outputs(int64_t count, const AnchoredDecoder& decoder, const float* hidden, float* outputs) {
  product<Start::bias>(hidden, decoder.hidden, 1, count, decoder.output_columns, kOutputColumns, decoder.hidden,
                       kOutputLanes, outputs, kOutputColumns, decoder.output_bias);
}

// Raw density [count] of the first `count` samples, from their outputs [count, 16].
static void density_of(const Samples& samples, int64_t count, const Head& head, const float* outputs, float* raw) {
  for (int64_t i = 0; i < count; ++i) raw[i] = outputs[i * kOutputColumns + kFeatures];
  for (int64_t i = 0; i < count; i += kLanes)
    store(raw + i, raw_density(head.space, load(raw + i), load(samples.distance + i)));
}

GEOINV_INLINE EightInts eight_numbers() { return EightInts{0, 1, 2, 3, 4, 5, 6, 7}; }

// Albedo, gloss and normal of a sample, then 0, from the decoder's outputs and the anchor.
GEOINV_INLINE Eight features_of(const float* output, const float* anchor) {
  const Eight value = load_eight(output);
  const EightInts number = eight_numbers();
  const Eight normal = number < kFeatures ? value + load_eight(anchor) : Eight{};
  return number < 4 ? color_of(value) : normal;
}

}  // namespace
}  // namespace geoinv
