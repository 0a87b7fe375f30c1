// Rays with given samples: compositing, and its gradient. A block of whole rays is decoded at a time, so that what
// belongs to samples stays in the cache; the backward pass decodes again, but only the samples that are seen.
#pragma once

#include "../film_units.h"
#include "samples.h"

namespace geoinv {
namespace {

constexpr int64_t kBlock = 64;  // samples at which a block is full

struct MarchBlock {
  Samples samples;
  int64_t count, rays;
  int64_t ray[kBlock], first[kBlock + 1];  // number of each ray, and where its samples begin
  float* t;              // distances, [capacity + 16]
  float* alpha;          // [capacity + 16] of the interval after each sample
  float* transmittance;  // [capacity + 16] how much is seen of that interval
  float* raw;            // [capacity + 16]
  float* told;           // [capacity, told_stride]
  float* hidden;         // [capacity, hidden]
  float* modulated;      // [capacity, hidden] as features read it: `hidden` itself where there is no film
  float* features;       // [capacity, 16]
  // of the backward pass
  float* slopes;      // [capacity, hidden]
  float* v_output;    // [capacity, 8]
  float* v_hidden;    // [capacity, hidden]
  float* v_channels;  // [capacity, channels] of the planes
};

GEOINV_INLINE int64_t block_capacity(const AnchoredMarch& task) { return rounded_up(kBlock + task.samples, 16); }

GEOINV_INLINE void set_block(MarchBlock& block, const AnchoredMarch& task, float* scratch) {
  const int64_t capacity = block_capacity(task), hidden = task.head.decoder.hidden;
  block.samples = samples_in(scratch, capacity);
  for (float** each : {&block.t, &block.alpha, &block.transmittance, &block.raw}) *each = take(scratch, capacity + 16);
  block.told = take(scratch, capacity * told_stride(task.head));
  block.hidden = take(scratch, capacity * hidden);
  block.modulated = task.film ? take(scratch, capacity * hidden) : block.hidden;
  block.features = take(scratch, capacity * kOutputColumns);
  block.slopes = take(scratch, capacity * hidden);
  block.v_output = take(scratch, capacity * kOutputs);
  block.v_hidden = take(scratch, capacity * hidden);
  block.v_channels = take(scratch, capacity * task.head.planes.channels);
  block.count = block.rays = block.first[0] = 0;
}

// Adds the first `count` samples of a ray.
GEOINV_INLINE void add_ray(MarchBlock& block, const AnchoredMarch& task, int64_t ray, int64_t count) {
  const float *o = task.origins + ray * 3, *d = task.directions + ray * 3, *t = task.distances + ray * task.samples;
  for (int64_t s = 0; s < count; ++s) {
    const int64_t at = block.count + s;
    block.t[at] = t[s];
    block.samples.x[at] = o[0] + d[0] * t[s];
    block.samples.y[at] = o[1] + d[1] * t[s];
    block.samples.z[at] = o[2] + d[2] * t[s];
  }
  block.count += count;
  block.ray[block.rays++] = ray, block.first[block.rays] = block.count;
}

// Decodes all samples and fills what is not of the backward pass.
static void decode_block(const AnchoredMarch& task, const MarchBlock& block, int64_t head, float* slopes) {
  const int64_t count = block.count, hidden = task.head.decoder.hidden;
  tell(block.samples, count, task.head, head, block.told);
  decode_hidden(count, task.head, head, block.told, block.hidden, slopes);
  decode_outputs(count, task.head.decoder, block.hidden, block.features);
  density_of(block.samples, count, task.head, block.features, block.raw);
  for (int64_t i = 0; task.film && i < block.rays; ++i) {
    const int64_t first = block.first[i];
    modulate_hidden(block.hidden + first * hidden, block.first[i + 1] - first, task.film + block.ray[i] * 2 * hidden,
                    hidden, block.modulated + first * hidden);
  }
  if (task.film) decode_outputs(count, task.head.decoder, block.modulated, block.features);
  for (int64_t i = 0; i < count; ++i) {
    float* row = block.features + i * kOutputColumns;
    store_eight(row, features_of(row, block.samples.anchor + i * kAnchorChannels));
  }
  for (int64_t i = 0; i < count; i += kLanes)
    store(block.alpha + i, interval_alpha(load(block.raw + i), load(block.raw + i + 1),
                                          load(block.t + i + 1) - load(block.t + i)));
  for (int64_t i = 0; i < block.rays; ++i) {
    float transmittance = 1.0f;
    for (int64_t at = block.first[i]; at < block.first[i + 1]; ++at) {
      block.transmittance[at] = transmittance;
      transmittance = transmittance_after(transmittance, block.alpha[at]);
    }
  }
}

GEOINV_INLINE void composite_block(const AnchoredMarch& task, const MarchBlock& block) {
  const int64_t per_ray = task.samples;
  for (int64_t i = 0; i < block.rays; ++i) {
    const int64_t ray = block.ray[i], first = block.first[i];
    const float *t = block.t + first, *alpha = block.alpha + first, *transmittance = block.transmittance + first;
    const RaySums sums = ray_sums(t, alpha, transmittance, per_ray);
    task.alpha[ray] = sums.alpha, task.distance[ray] = sums.distance;
    Eight seen = {};
    for (int64_t s = 0; s < per_ray; ++s)
      seen += load_eight(block.features + (first + s) * kOutputColumns) * share_of(alpha, transmittance, s, per_ray);
    for (int c = 0; c < kFeatures; ++c) task.features[ray * kFeatures + c] = seen[c];
    int64_t count = per_ray;
    while (count > 1 && transmittance[count - 2] < kLeastTransmittance) --count;
    task.seen[ray] = static_cast<int32_t>(count);
    for (int64_t s = 0; s + 1 < per_ray; ++s) task.weights[ray * (per_ray - 1) + s] = alpha[s] * transmittance[s];
  }
}

// Gradients to the decoder's outputs at the samples of ray `i` of the block, from the last interval to the first.
GEOINV_INLINE void outputs_backward(const AnchoredMarch& task, const AnchoredGradients& gradients,
                                    const MarchBlock& block, int64_t i) {
  const int64_t ray = block.ray[i], first = block.first[i], count = block.first[i + 1] - first;
  const float *t = block.t + first, *alpha = block.alpha + first, *transmittance = block.transmittance + first;
  const float *raw = block.raw + first, *features = block.features + first * kOutputColumns;
  float* v_output = block.v_output + first * kOutputs;
  Eight v_seen = {};
  for (int c = 0; c < kFeatures; ++c) v_seen[c] = gradients.v_features ? gradients.v_features[ray * kFeatures + c] : 0.0f;
  const EightInts number = eight_numbers();
  for (int64_t s = 0; s < count; ++s) {
    const Eight value = load_eight(features + s * kOutputColumns), slope = number < 4 ? color_slope(value) : Eight{} + 1.0f;
    store_eight(v_output + s * kOutputs, v_seen * slope * share_of(alpha, transmittance, s, count));
  }
  const RaySums sums = ray_sums(t, alpha, transmittance, count);
  const float v_alpha_sum = gradients.v_alpha ? gradients.v_alpha[ray] : 0.0f;
  const float v_distance = gradients.v_distance && sums.alpha > kHitAlpha ? gradients.v_distance[ray] / sums.alpha : 0.0f;
  const float* v_weights = gradients.v_weights ? gradients.v_weights + ray * (task.samples - 1) : nullptr;
  auto v_share = [&](int64_t s) { return sum_of_lanes<8>(v_seen * load_eight(features + s * kOutputColumns)); };
  auto v_raw = [&](int64_t s) -> float& { return v_output[s * kOutputs + kFeatures]; };
  v_raw(count - 1) = 0.0f;
  float v_transmittance = 0.0f, v_after = v_share(count - 1);  // to what the next interval still sees; of sample s + 1
  for (int64_t s = count - 2; s >= 0; --s) {
    const float v_before = v_share(s);
    float v_weight = 0.5f * (v_before + v_after) + v_alpha_sum;
    v_after = v_before;
    if (v_weights) v_weight += v_weights[s];
    v_weight += v_distance * (0.5f * (t[s] + t[s + 1]) - sums.distance);
    const float v_alpha = (v_weight - v_transmittance) * transmittance[s];
    v_transmittance = v_weight * alpha[s] + v_transmittance * (1.0f - alpha[s] + 1e-10f);
    const float v_mean = 0.5f * v_alpha * interval_slopes(raw[s], raw[s + 1], t[s + 1] - t[s]).by_mean_raw;
    v_raw(s) = v_mean, v_raw(s + 1) += v_mean;
  }
  for (int64_t s = 0; s < count; ++s) v_raw(s) *= task.head.space.gain;
}

// Gradients of one ray's samples through film to hidden units; block.v_hidden is to what features read before.
GEOINV_INLINE void film_backward(const AnchoredMarch& task, const MarchBlock& block, int64_t i) {
  const int64_t units = task.head.decoder.hidden;
  const float* film = task.film + block.ray[i] * 2 * units;
  const float* density_row = task.head.decoder.output_rows + kFeatures * units;
  for (int64_t at = block.first[i]; at < block.first[i + 1]; ++at) {
    float* v_hidden = block.v_hidden + at * units;
    const float v_raw = block.v_output[at * kOutputs + kFeatures];
    for (int64_t h = 0; h < units; h += kLanes)
      store(v_hidden + h, load(v_hidden + h) * (load(film + h) + 1.0f) + load(density_row + h) * v_raw);
  }
}

// Gradients to the decoder and to the planes, from those to the decoder's outputs.
static void block_backward(const AnchoredMarch& task, const AnchoredGradients& gradients, const MarchBlock& block) {
  const AnchoredDecoder& decoder = task.head.decoder;
  const int64_t units = decoder.hidden, count = block.count, channels = task.head.planes.channels;
  // outputs that read the same hidden units: under a film, density goes its own way
  const int64_t alike = task.film ? kFeatures : kOutputs;
  product<Start::sum>(block.v_output, 1, kOutputs, alike, block.modulated, units, count, units,
                      gradients.v_output_rows, units);
  if (task.film)
    product<Start::sum>(block.v_output + alike, 1, kOutputs, 1, block.hidden, units, count, units,
                        gradients.v_output_rows + alike * units, units);
  Eight v_bias = load_eight(gradients.v_output_bias);
  for (int64_t i = 0; i < count; ++i) v_bias += load_eight(block.v_output + i * kOutputs);
  store_eight(gradients.v_output_bias, v_bias);
  product<Start::zero>(block.v_output, kOutputs, 1, count, decoder.output_rows, units, alike, units, block.v_hidden,
                       units);
  for (int64_t i = 0; task.film && i < block.rays; ++i) film_backward(task, block, i);
  for (int64_t h = 0; h < units; h += kLanes) {
    Vec sum = load(gradients.v_hidden_bias + h);
    for (int64_t i = 0; i < count; ++i) {
      const Vec before = load(block.v_hidden + i * units + h) * load(block.slopes + i * units + h);
      store(block.v_hidden + i * units + h, before);
      sum += before;
    }
    store(gradients.v_hidden_bias + h, sum);
  }
  product<Start::sum>(block.told, 1, told_stride(task.head), decoder.told, block.v_hidden, units, count, units,
                      gradients.v_hidden_columns, units);
  if (!gradients.v_planes) return;
  product<Start::zero>(block.v_hidden, units, 1, count, decoder.hidden_rows, channels, units, channels,
                       block.v_channels, channels);
  scatter_features(block.samples, count, block.v_channels, gradients.v_planes, channels);
}

}  // namespace

int64_t march_scratch(const AnchoredMarch& task) {
  const int64_t capacity = block_capacity(task), hidden = task.head.decoder.hidden;
  const int64_t by_sample = 4 + told_stride(task.head) + 4 * hidden + kOutputColumns + kOutputs + task.head.planes.channels;
  return samples_scratch(capacity) + capacity * by_sample + 16 * 64;
}

void march_forward(const AnchoredMarch& task, int64_t head, int64_t ray_begin, int64_t ray_end, float* scratch) {
  MarchBlock block;
  set_block(block, task, scratch);
  for (int64_t i = ray_begin; i < ray_end; ++i) {
    add_ray(block, task, head * task.rays + i, task.samples);
    if (block.count < kBlock && i + 1 < ray_end) continue;
    decode_block(task, block, head, nullptr);
    composite_block(task, block);
    block.count = block.rays = 0;
  }
}

void march_backward(const AnchoredMarch& task, const AnchoredGradients& gradients, int64_t head, int64_t ray_begin,
                    int64_t ray_end, float* scratch) {
  MarchBlock block;
  set_block(block, task, scratch);
  for (int64_t i = ray_begin; i < ray_end; ++i) {
    const int64_t ray = head * task.rays + i;
    add_ray(block, task, ray, task.seen[ray]);
    if (block.count < kBlock && i + 1 < ray_end) continue;
    decode_block(task, block, head, block.slopes);
    for (int64_t k = 0; k < block.rays; ++k) outputs_backward(task, gradients, block, k);
    block_backward(task, gradients, block);
    block.count = block.rays = 0;
  }
}

}  // namespace geoinv
