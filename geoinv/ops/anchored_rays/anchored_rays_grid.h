// Bodies of the CUDA kernels, one thread a ray, simple rather than clever. `thread` is the index in the whole grid and
// `Add` adds to memory that others may add to; so a loop over a fake grid runs the same code on the CPU (see tests).
#pragma once

#include "anchored_rays.h"

namespace geoinv {

constexpr int kMostSamples = 192;  // of one ray, both passes
constexpr int kMostHidden = 128;
constexpr int kMostTold = 96;
constexpr float kNothing = -1e30f;  // raw density in cells that are empty: no interval that ends there is seen

// Whether the bodies' local arrays are large enough.
GEOINV_SHARED bool fits_grid(const Head& head, int64_t samples) {
  return samples <= kMostSamples && head.decoder.hidden <= kMostHidden && head.decoder.told <= kMostTold;
}

// value[0:8] += weight * the trilinear mean of a volume at a place in [-1, 1]^3.
GEOINV_SHARED void add_trilinear(float* value, float weight, const float* volume, int32_t side, const float* place) {
  const Between<float> x = between(place[0], side), y = between(place[1], side), z = between(place[2], side);
  for (int k = 0; k < 8; ++k) {
    const float share = weight * (k & 1 ? x.share : 1.0f - x.share) * (k & 2 ? y.share : 1.0f - y.share) *
                        (k & 4 ? z.share : 1.0f - z.share);
    const int64_t layer = k & 4 ? z.high : z.low, row = k & 2 ? y.high : y.low, column = k & 1 ? x.high : x.low;
    const float* cell = volume + ((layer * side + row) * side + column) * kAnchorChannels;
    for (int c = 0; c < kAnchorChannels; ++c) value[c] += share * cell[c];
  }
}

GEOINV_SHARED void anchor_at(const AnchorViews& anchor, int64_t head, const float* point, float* value) {
  float in_box[3], in_face[3];
  for (int axis = 0; axis < 3; ++axis) {
    in_box[axis] = point[axis] * anchor.to_box;
    in_face[axis] = place_in_face(anchor, axis, point[axis]);
  }
  const float share = face_share(anchor, in_face[0], in_face[1], in_face[2]);
  const int64_t side = anchor.side, face_side = anchor.face_side;
  for (int c = 0; c < kAnchorChannels; ++c) value[c] = 0.0f;
  if (share < 1.0f)
    add_trilinear(value, 1.0f - share, anchor.whole + head * side * side * side * kAnchorChannels, anchor.side, in_box);
  if (share > 0.0f)
    add_trilinear(value, share, anchor.face + head * face_side * face_side * face_side * kAnchorChannels,
                  anchor.face_side, in_face);
}

// Four texels of each plane, floats from the first of all heads, with their weights.
struct TexelCorners {
  int64_t offset[4 * kPlanes];
  float weight[4 * kPlanes];
};

GEOINV_SHARED TexelCorners texel_corners(const Head& head, int64_t index, const float* canonical) {
  const int32_t side = head.planes.side;
  const float front = front_share(head.space, canonical[2]);
  Between<float> places[3];
  for (int axis = 0; axis < 3; ++axis) places[axis] = between(foveated(head.space, axis, canonical[axis]), side);
  TexelCorners corners;
  for (int plane = 0; plane < kPlanes; ++plane) {
    const Between<float> column = places[plane == 3 ? 2 : 0], row = places[plane == 2 ? 2 : 1];
    const float weight = (plane == 0 ? front : plane == 1 ? 1.0f - front : 1.0f) / 3.0f;
    for (int k = 0; k < 4; ++k) {
      const int64_t texel = (index * side + (k & 2 ? row.high : row.low)) * side + (k & 1 ? column.high : column.low);
      corners.offset[plane * 4 + k] = (texel * kPlanes + plane) * head.planes.channels;
      corners.weight[plane * 4 + k] =
          weight * (k & 2 ? row.share : 1.0f - row.share) * (k & 1 ? column.share : 1.0f - column.share);
    }
  }
  return corners;
}

// A decoded sample.
struct Decoded {
  float anchor[kAnchorChannels];
  float hidden[kMostHidden];  // after the softplus
  float raw;
};

// What the decoder is told of a point, and where its planes are read; fills the anchor.
GEOINV_SHARED TexelCorners tell_at(const Head& head, int64_t index, const float* point, float* anchor, float* told) {
  const int channels = head.planes.channels;
  anchor_at(head.anchor, index, point, anchor);
  const float canonical[3] = {point[0] + anchor[0], point[1] + anchor[1], point[2] + anchor[2]};
  const TexelCorners corners = texel_corners(head, index, canonical);
  for (int c = 0; c < channels; ++c) told[c] = 0.0f;
  for (int k = 0; k < 4 * kPlanes; ++k) {
    if (corners.weight[k] == 0.0f) continue;
    for (int c = 0; c < channels; ++c) told[c] += corners.weight[k] * head.planes.data[corners.offset[k] + c];
  }
  for (int k = 0; k < head.space.scales; ++k)
    told[channels + k] = clamped(anchor[3] * head.space.by_scale[k], -1.0f, 1.0f);
  told[channels + head.space.scales] = anchor[7];
  return corners;
}

GEOINV_SHARED float hidden_before(const Head& head, int64_t index, const float* told, int unit) {
  const AnchoredDecoder& decoder = head.decoder;
  float sum = decoder.hidden_bias[index * decoder.hidden + unit];
  for (int i = 0; i < decoder.told; ++i) sum += told[i] * decoder.hidden_columns[i * decoder.hidden + unit];
  return sum;
}

// Output `number` (the features, then density) of hidden units as it reads them.
GEOINV_SHARED float output_of(const AnchoredDecoder& decoder, const float* hidden, int number) {
  float sum = decoder.output_bias[number];
  for (int h = 0; h < decoder.hidden; ++h) sum += hidden[h] * decoder.output_rows[number * decoder.hidden + h];
  return sum;
}

GEOINV_SHARED void decode_at(const Head& head, int64_t index, const float* o, const float* d, float t, Decoded& sample) {
  const float point[3] = {o[0] + d[0] * t, o[1] + d[1] * t, o[2] + d[2] * t};
  float told[kMostTold];
  tell_at(head, index, point, sample.anchor, told);
  for (int h = 0; h < head.decoder.hidden; ++h) sample.hidden[h] = softplus_of(hidden_before(head, index, told, h));
  sample.raw = raw_density(head.space, output_of(head.decoder, sample.hidden, kFeatures), sample.anchor[3]);
}

// Hidden units as features read them, in place; film is [2, hidden] of a ray, or null.
GEOINV_SHARED void modulate(const AnchoredDecoder& decoder, const float* film, float* hidden) {
  if (!film) return;
  for (int h = 0; h < decoder.hidden; ++h) hidden[h] = modulated_by(film[h], film[decoder.hidden + h], hidden[h]);
}

// Feature `c`, given hidden units as features read them.
GEOINV_SHARED float feature_of(const AnchoredDecoder& decoder, const Decoded& sample, int c) {
  const float value = output_of(decoder, sample.hidden, c);
  return c < 4 ? color_of(value) : sample.anchor[c] + value;
}

GEOINV_SHARED const float* film_of(const float* film, const AnchoredDecoder& decoder, int64_t ray) {
  return film ? film + ray * 2 * decoder.hidden : nullptr;
}

// Weights of the intervals of a ray, [samples]; the last is 0.
GEOINV_SHARED void interval_weights(const float* raw, const float* t, int64_t samples, float* weights) {
  float transmittance = 1.0f;
  for (int64_t s = 0; s + 1 < samples; ++s) {
    const float alpha = interval_alpha(raw[s], raw[s + 1], t[s + 1] - t[s]);
    weights[s] = alpha * transmittance;
    transmittance = transmittance_after(transmittance, alpha);
  }
  weights[samples - 1] = 0.0f;
}

// Alpha, distance and features of a ray whose weights are known; decodes again for the features.
GEOINV_SHARED void composite_ray(const Head& head, int64_t index, const float* o, const float* d, const float* t,
                                 const float* film, const float* weights, int64_t samples, float* features, float& alpha,
                                 float& distance) {
  float total = 0.0f, sum = 0.0f;
  for (int c = 0; c < kFeatures; ++c) features[c] = 0.0f;
  for (int64_t s = 0; s < samples; ++s) {
    const float share = 0.5f * ((s > 0 ? weights[s - 1] : 0.0f) + weights[s]);
    if (s + 1 < samples) total += weights[s], sum += weights[s] * 0.5f * (t[s] + t[s + 1]);
    if (share == 0.0f) continue;
    Decoded sample;
    decode_at(head, index, o, d, t[s], sample);
    modulate(head.decoder, film, sample.hidden);
    for (int c = 0; c < kFeatures; ++c) features[c] += share * feature_of(head.decoder, sample, c);
  }
  alpha = total;
  distance = total > kHitAlpha ? sum / total : t[samples - 1];
  distance = distance < t[0] ? t[0] : distance > t[samples - 1] ? t[samples - 1] : distance;
}

GEOINV_SHARED void march_forward_thread(const AnchoredMarch& task, int64_t thread) {
  if (thread >= task.head.planes.heads * task.rays) return;
  const int64_t index = thread / task.rays, samples = task.samples;
  const float *o = task.origins + thread * 3, *d = task.directions + thread * 3;
  const float* t = task.distances + thread * samples;
  float raw[kMostSamples], weights[kMostSamples];
  for (int64_t s = 0; s < samples; ++s) {
    Decoded sample;
    decode_at(task.head, index, o, d, t[s], sample);
    raw[s] = sample.raw;
  }
  interval_weights(raw, t, samples, weights);
  for (int64_t s = 0; s + 1 < samples; ++s) task.weights[thread * (samples - 1) + s] = weights[s];
  composite_ray(task.head, index, o, d, t, film_of(task.film, task.head.decoder, thread), weights, samples,
                task.features + thread * kFeatures, task.alpha[thread], task.distance[thread]);
}

// Raw density of the sample at a distance along a ray, but no more than the bound of its cell, where there are bounds.
GEOINV_SHARED float bounded_raw(const AnchoredRender& task, int64_t head, const float* o, const float* d, float t,
                                float raw) {
  if (!task.bounds) return raw;
  const int64_t cells = task.cells;
  int64_t cell = head;
  for (int axis = 2; axis >= 0; --axis) {
    const float at = ((o[axis] + d[axis] * t) / task.box_side + 0.5f) * static_cast<float>(cells);
    if (!(at >= 0.0f && at < static_cast<float>(cells))) return raw;
    cell = cell * cells + static_cast<int64_t>(at);
  }
  const float bound = task.bounds[cell] < kNothing ? kNothing : task.bounds[cell];
  return raw < bound ? raw : bound;
}

// Nothing is skipped.
GEOINV_SHARED void render_forward_thread(const AnchoredRender& task, int64_t thread) {
  if (thread >= task.head.planes.heads * task.rays) return;
  const int64_t index = thread / task.rays;
  const float *o = task.origins + thread * 3, *d = task.directions + thread * 3;
  float t[kMostSamples], raw[kMostSamples], weights[kMostSamples], fine[kMostSamples];
  float near = task.near, far = task.far;
  if (task.has_box_limits) box_limits(o, d, task.box_side, near, far);
  Decoded sample;
  int samples = task.coarse_samples;
  for (int s = 0; s < samples; ++s) {
    t[s] = even_distance(near, far, s, samples);
    decode_at(task.head, index, o, d, t[s], sample);
    raw[s] = bounded_raw(task, index, o, d, t[s], sample.raw);
  }
  interval_weights(raw, t, samples, weights);
  if (task.fine_samples) {
    importance_distances(t, weights, samples, task.fine_samples, fine);
    for (int f = 0; f < task.fine_samples; ++f) {  // into its place: both are ascending already
      decode_at(task.head, index, o, d, fine[f], sample);
      int s = samples++;
      for (; s > 0 && t[s - 1] > fine[f]; --s) t[s] = t[s - 1], raw[s] = raw[s - 1];
      t[s] = fine[f], raw[s] = bounded_raw(task, index, o, d, fine[f], sample.raw);
    }
    interval_weights(raw, t, samples, weights);
  }
  composite_ray(task.head, index, o, d, t, nullptr, weights, samples, task.features + thread * kFeatures,
                task.alpha[thread], task.distance[thread]);
}

// Gradients of one sample, from those to its outputs [8], where `sample` is as density reads it.
template <class Add>
GEOINV_SHARED void sample_backward(const AnchoredMarch& task, const AnchoredGradients& gradients, int64_t index,
                                   const float* point, const float* film, const float* v_output, Add add) {
  const AnchoredDecoder& decoder = task.head.decoder;
  const int channels = task.head.planes.channels;
  float anchor[kAnchorChannels], told[kMostTold], v_told[kMostTold];
  const TexelCorners corners = tell_at(task.head, index, point, anchor, told);
  for (int c = 0; c < channels; ++c) v_told[c] = 0.0f;
  for (int i = 0; i < kOutputs; ++i) add(gradients.v_output_bias + i, v_output[i]);
  for (int h = 0; h < decoder.hidden; ++h) {
    const float before = hidden_before(task.head, index, told, h), after = softplus_of(before);
    const float read = film ? modulated_by(film[h], film[decoder.hidden + h], after) : after;
    float v_after = 0.0f;
    for (int i = 0; i < kFeatures; ++i) {
      v_after += v_output[i] * decoder.output_rows[i * decoder.hidden + h];
      add(gradients.v_output_rows + i * decoder.hidden + h, v_output[i] * read);
    }
    if (film) v_after *= film[h] + 1.0f;
    v_after += v_output[kFeatures] * decoder.output_rows[kFeatures * decoder.hidden + h];
    add(gradients.v_output_rows + kFeatures * decoder.hidden + h, v_output[kFeatures] * after);
    const float v_before = v_after * sigmoid_of(before);
    add(gradients.v_hidden_bias + index * decoder.hidden + h, v_before);
    for (int i = 0; i < decoder.told; ++i) {
      add(gradients.v_hidden_columns + i * decoder.hidden + h, v_before * told[i]);
      if (i < channels) v_told[i] += v_before * decoder.hidden_columns[i * decoder.hidden + h];
    }
  }
  for (int k = 0; gradients.v_planes && k < 4 * kPlanes; ++k) {
    if (corners.weight[k] == 0.0f) continue;
    for (int c = 0; c < channels; ++c) add(gradients.v_planes + corners.offset[k] + c, corners.weight[k] * v_told[c]);
  }
}

// Gradients as the CPU's, but of all heads together: v_planes [heads, side, side, 4, channels], v_hidden_bias
// [heads, hidden].
template <class Add>
GEOINV_SHARED void march_backward_thread(const AnchoredMarch& task, const AnchoredGradients& gradients, int64_t thread,
                                         Add add) {
  if (thread >= task.head.planes.heads * task.rays) return;
  const AnchoredDecoder& decoder = task.head.decoder;
  const int64_t index = thread / task.rays, samples = task.samples;
  const float *o = task.origins + thread * 3, *d = task.directions + thread * 3;
  const float* t = task.distances + thread * samples;
  const float* v_seen = gradients.v_features ? gradients.v_features + thread * kFeatures : nullptr;
  const float* film = film_of(task.film, decoder, thread);
  float raw[kMostSamples], v_share[kMostSamples], weights[kMostSamples], alpha[kMostSamples], seen[kMostSamples];
  float v_raw[kMostSamples];
  Decoded sample;
  for (int64_t s = 0; s < samples; ++s) {
    decode_at(task.head, index, o, d, t[s], sample);
    raw[s] = sample.raw, v_share[s] = v_raw[s] = 0.0f;
    modulate(decoder, film, sample.hidden);
    for (int c = 0; v_seen && c < kFeatures; ++c) v_share[s] += v_seen[c] * feature_of(decoder, sample, c);
  }
  float left = 1.0f, total = 0.0f, sum = 0.0f;
  for (int64_t s = 0; s + 1 < samples; ++s) {
    alpha[s] = interval_alpha(raw[s], raw[s + 1], t[s + 1] - t[s]);
    seen[s] = left, weights[s] = alpha[s] * left, left = transmittance_after(left, alpha[s]);
    total += weights[s], sum += weights[s] * 0.5f * (t[s] + t[s + 1]);
  }
  weights[samples - 1] = 0.0f;
  const float v_distance = gradients.v_distance && total > kHitAlpha ? gradients.v_distance[thread] / total : 0.0f;
  float v_left = 0.0f;
  for (int64_t s = samples - 2; s >= 0; --s) {
    float v_weight = 0.5f * (v_share[s] + v_share[s + 1]);
    if (gradients.v_alpha) v_weight += gradients.v_alpha[thread];
    if (gradients.v_weights) v_weight += gradients.v_weights[thread * (samples - 1) + s];
    if (v_distance != 0.0f) v_weight += v_distance * (0.5f * (t[s] + t[s + 1]) - sum / total);
    const float v_alpha = (v_weight - v_left) * seen[s];
    v_left = v_weight * alpha[s] + v_left * (1.0f - alpha[s] + 1e-10f);
    const float v_mean = 0.5f * v_alpha * interval_slopes(raw[s], raw[s + 1], t[s + 1] - t[s]).by_mean_raw;
    v_raw[s] += v_mean, v_raw[s + 1] += v_mean;
  }
  for (int64_t s = 0; s < samples; ++s) {
    const float share = 0.5f * ((s > 0 ? weights[s - 1] : 0.0f) + weights[s]);
    float v_output[kOutputs];
    decode_at(task.head, index, o, d, t[s], sample);
    modulate(decoder, film, sample.hidden);
    for (int c = 0; c < kFeatures; ++c) {
      const float slope = c < 4 ? color_slope(feature_of(decoder, sample, c)) : 1.0f;
      v_output[c] = v_seen ? v_seen[c] * share * slope : 0.0f;
    }
    v_output[kFeatures] = v_raw[s] * task.head.space.gain;
    const float point[3] = {o[0] + d[0] * t[s], o[1] + d[1] * t[s], o[2] + d[2] * t[s]};
    sample_backward(task, gradients, index, point, film, v_output, add);
  }
}

}  // namespace geoinv
