// Bodies of the CUDA kernels, one thread a ray, simple rather than clever. `thread` is the index in the whole grid and
// `Add` adds to memory that others may add to; so a loop over a fake grid runs the same code on the CPU (see tests).
#pragma once

#include "render_rays.h"
#include "tasks.h"

namespace geoinv {

constexpr int kMostSamples = 192;  // of one ray, both passes
constexpr int kMostHidden = 128;
constexpr int kMostChannels = 64;
constexpr int kMostFeatures = 64;

// Whether the bodies' local arrays are large enough.
GEOINV_SHARED bool fits_grid(const PlaneViews& planes, const DecoderViews& decoder, int64_t samples) {
  return samples <= kMostSamples && decoder.hidden <= kMostHidden && planes.channels <= kMostChannels &&
         decoder.feature_columns <= kMostFeatures;
}

// The four pixels of one plane for a point, with their weights.
struct PlaneCorners {
  int64_t offset[4];
  float weight[4];
};

GEOINV_SHARED PlaneCorners plane_corners(const PlaneViews& planes, int plane, const float* position) {
  const AxisPixels<float> columns = axis_pixels(position[column_axis(plane)], planes.side);
  const AxisPixels<float> rows = axis_pixels(position[row_axis(plane, planes.third_is_zx)], planes.side);
  const int64_t base = plane * planes.plane_stride;
  const int64_t top = base + rows.low * planes.row_stride, bottom = base + rows.high * planes.row_stride;
  const int64_t left = columns.low * planes.pixel_stride, right = columns.high * planes.pixel_stride;
  const float third = 1.0f / 3.0f;
  return {{top + left, top + right, bottom + left, bottom + right},
          {third * rows.low_weight * columns.low_weight, third * rows.low_weight * columns.high_weight,
           third * rows.high_weight * columns.low_weight, third * rows.high_weight * columns.high_weight}};
}

GEOINV_SHARED void position_at(const PlaneViews& planes, const float* o, const float* d, float t, float* position) {
  for (int axis = 0; axis < 3; ++axis) position[axis] = (o[axis] + d[axis] * t) * planes.scale;
}

GEOINV_SHARED void features_at(const PlaneViews& planes, int64_t head, const float* position, float* features) {
  for (int c = 0; c < planes.channels; ++c) features[c] = 0.0f;
  for (int plane = 0; plane < 3; ++plane) {
    const PlaneCorners corners = plane_corners(planes, plane, position);
    for (int k = 0; k < 4; ++k) {
      const float* pixel = planes.data + head * planes.head_stride + corners.offset[k];
      for (int c = 0; c < planes.channels; ++c) features[c] += corners.weight[k] * pixel[c];
    }
  }
}

// Hidden units before the softplus.
GEOINV_SHARED void hidden_before(const PlaneViews& planes, const DecoderViews& decoder, const float* features,
                                 float* before) {
  for (int h = 0; h < decoder.hidden; ++h) {
    float sum = decoder.hidden_bias[h];
    for (int c = 0; c < planes.channels; ++c) sum += features[c] * decoder.hidden_columns[c * decoder.hidden + h];
    before[h] = sum;
  }
}

// Output `index` (the features, then density) of hidden units after the softplus.
GEOINV_SHARED float output_of(const DecoderViews& decoder, const float* hidden, int index) {
  float sum = index == decoder.features ? decoder.density_bias : decoder.feature_bias[index];
  for (int h = 0; h < decoder.hidden; ++h) sum += hidden[h] * decoder.output_rows[index * decoder.hidden + h];
  return sum;
}

// Hidden units after the softplus, and raw density.
GEOINV_SHARED float decode_at(const PlaneViews& planes, const DecoderViews& decoder, int64_t head, const float* o,
                              const float* d, float t, float* hidden) {
  float position[3], features[kMostChannels];
  position_at(planes, o, d, t, position);
  features_at(planes, head, position, features);
  hidden_before(planes, decoder, features, hidden);
  for (int h = 0; h < decoder.hidden; ++h) hidden[h] = softplus_of(hidden[h]);
  return output_of(decoder, hidden, decoder.features);
}

// Film of a ray, [2, hidden], or null where there is none.
GEOINV_SHARED const float* film_of(const float* film, const DecoderViews& decoder, int64_t ray) {
  return film ? film + ray * 2 * decoder.hidden : nullptr;
}

// Hidden units as colours read them, in place.
GEOINV_SHARED void modulate(const DecoderViews& decoder, const float* film, float* hidden) {
  if (!film) return;
  for (int h = 0; h < decoder.hidden; ++h) hidden[h] = modulated_by(film[h], film[decoder.hidden + h], hidden[h]);
}

// Weights of the intervals of a ray, [samples]; the last is 0.
GEOINV_SHARED void ray_weights(const float* raw, const float* t, int64_t samples, float* weights) {
  float transmittance = 1.0f;
  for (int64_t s = 0; s + 1 < samples; ++s) {
    const float alpha = interval_alpha(raw[s], raw[s + 1], t[s + 1] - t[s]);
    weights[s] = alpha * transmittance;
    transmittance = transmittance_after(transmittance, alpha);
  }
  weights[samples - 1] = 0.0f;
}

// Alpha, distance and features of a ray whose weights are known; decodes again for the colours.
GEOINV_SHARED void composite_ray(const PlaneViews& planes, const DecoderViews& decoder, int64_t head, const float* o,
                                 const float* d, const float* t, const float* film, const float* weights,
                                 int64_t samples, float* features, float& alpha, float& distance) {
  float total = 0.0f, sum = 0.0f;
  for (int c = 0; c < decoder.features; ++c) features[c] = 0.0f;
  for (int64_t s = 0; s < samples; ++s) {
    const float share = 0.5f * ((s > 0 ? weights[s - 1] : 0.0f) + weights[s]);
    if (s + 1 < samples) total += weights[s], sum += weights[s] * 0.5f * (t[s] + t[s + 1]);
    if (share == 0.0f) continue;
    float hidden[kMostHidden];
    decode_at(planes, decoder, head, o, d, t[s], hidden);
    modulate(decoder, film, hidden);
    for (int c = 0; c < decoder.features; ++c) features[c] += share * color_of(output_of(decoder, hidden, c));
  }
  alpha = total;
  distance = total > kHitAlpha ? sum / total : t[samples - 1];
  distance = distance < t[0] ? t[0] : distance > t[samples - 1] ? t[samples - 1] : distance;
}

GEOINV_SHARED void march_forward_thread(const MarchTask& task, int64_t thread) {
  if (thread >= task.planes.heads * task.rays) return;
  const int64_t head = thread / task.rays, samples = task.samples;
  const float *o = task.origins + thread * 3, *d = task.directions + thread * 3;
  const float* t = task.distances + thread * samples;
  float raw[kMostSamples], weights[kMostSamples], hidden[kMostHidden];
  for (int64_t s = 0; s < samples; ++s) raw[s] = decode_at(task.planes, task.decoder, head, o, d, t[s], hidden);
  ray_weights(raw, t, samples, weights);
  for (int64_t s = 0; s + 1 < samples; ++s) task.weights[thread * (samples - 1) + s] = weights[s];
  composite_ray(task.planes, task.decoder, head, o, d, t, film_of(task.film, task.decoder, thread), weights, samples,
                task.features + thread * task.decoder.features, task.alpha[thread], task.distance[thread]);
}

// Feature planes in, nothing skipped.
GEOINV_SHARED void render_forward_thread(const RenderTask& task, int64_t thread) {
  if (thread >= task.planes.heads * task.rays) return;
  const int64_t head = thread / task.rays;
  const float *o = task.origins + thread * 3, *d = task.directions + thread * 3;
  float t[kMostSamples], raw[kMostSamples], weights[kMostSamples], fine[kMostSamples], hidden[kMostHidden];
  float near = task.near, far = task.far;
  if (task.has_box_limits) box_limits(o, d, task.box_side, near, far);
  int samples = task.coarse_samples;
  for (int s = 0; s < samples; ++s) {
    t[s] = even_distance(near, far, s, samples);
    raw[s] = decode_at(task.planes, task.decoder, head, o, d, t[s], hidden);
  }
  ray_weights(raw, t, samples, weights);
  if (task.fine_samples) {
    importance_distances(t, weights, samples, task.fine_samples, fine);
    for (int f = 0; f < task.fine_samples; ++f) {  // into its place: both are ascending already
      const float fine_raw = decode_at(task.planes, task.decoder, head, o, d, fine[f], hidden);
      int s = samples++;
      for (; s > 0 && t[s - 1] > fine[f]; --s) t[s] = t[s - 1], raw[s] = raw[s - 1];
      t[s] = fine[f], raw[s] = fine_raw;
    }
    ray_weights(raw, t, samples, weights);
  }
  composite_ray(task.planes, task.decoder, head, o, d, t, film_of(task.film, task.decoder, thread), weights, samples,
                task.features + thread * task.decoder.features, task.alpha[thread], task.distance[thread]);
}

// Whether something but film has a gradient.
GEOINV_SHARED bool wants_samples(const MarchGradients& gradients) {
  return gradients.v_planes || gradients.v_hidden_columns || gradients.v_origins;
}

// Gradient of a ray's film, from those to the outputs of one sample and its hidden units before the film.
GEOINV_SHARED void film_backward(const DecoderViews& decoder, const float* hidden, const float* v_output,
                                 float* v_film) {
  for (int h = 0; h < decoder.hidden; ++h) {
    float v_modulated = 0.0f;
    for (int i = 0; i < decoder.features; ++i) v_modulated += v_output[i] * decoder.output_rows[i * decoder.hidden + h];
    v_film[h] += v_modulated * hidden[h], v_film[decoder.hidden + h] += v_modulated;
  }
}

// Gradients of one sample, from those to its outputs [features + 1]: to planes and decoder, and to its position.
template <class Add>
GEOINV_SHARED void sample_backward(const MarchTask& task, const MarchGradients& gradients, int64_t head,
                                   const float* position, const float* film, const float* v_output, float* v_position,
                                   Add add) {
  const PlaneViews& planes = task.planes;
  const DecoderViews& decoder = task.decoder;
  float features[kMostChannels], before[kMostHidden], v_features[kMostChannels];
  features_at(planes, head, position, features);
  hidden_before(planes, decoder, features, before);
  for (int c = 0; c < planes.channels; ++c) v_features[c] = 0.0f;
  const bool has_decoder = gradients.v_hidden_columns;
  for (int i = 0; has_decoder && i <= decoder.features; ++i) add(gradients.v_output_bias + i, v_output[i]);
  for (int h = 0; h < decoder.hidden; ++h) {
    const float after = softplus_of(before[h]);
    const float colored = film ? modulated_by(film[h], film[decoder.hidden + h], after) : after;
    float v_after = 0.0f;
    for (int i = 0; i < decoder.features; ++i) {
      v_after += v_output[i] * decoder.output_rows[i * decoder.hidden + h];
      if (has_decoder) add(gradients.v_output_rows + i * decoder.hidden + h, v_output[i] * colored);
    }
    if (film) v_after *= film[h] + 1.0f;
    const int density = decoder.features;
    v_after += v_output[density] * decoder.output_rows[density * decoder.hidden + h];
    if (has_decoder) add(gradients.v_output_rows + density * decoder.hidden + h, v_output[density] * after);
    const float v_before = v_after * sigmoid_of(before[h]);
    if (has_decoder) add(gradients.v_hidden_bias + h, v_before);
    for (int c = 0; c < planes.channels; ++c) {
      if (has_decoder) add(gradients.v_hidden_columns + c * decoder.hidden + h, v_before * features[c]);
      v_features[c] += v_before * decoder.hidden_columns[c * decoder.hidden + h];
    }
  }
  for (int axis = 0; axis < 3; ++axis) v_position[axis] = 0.0f;
  for (int plane = 0; plane < 3; ++plane) {
    const PlaneCorners corners = plane_corners(planes, plane, position);
    const AxisPixels<float> columns = axis_pixels(position[column_axis(plane)], planes.side);
    const AxisPixels<float> rows = axis_pixels(position[row_axis(plane, planes.third_is_zx)], planes.side);
    const float by_column[4] = {rows.low_weight * columns.low_slope, rows.low_weight * columns.high_slope,
                                rows.high_weight * columns.low_slope, rows.high_weight * columns.high_slope};
    const float by_row[4] = {rows.low_slope * columns.low_weight, rows.low_slope * columns.high_weight,
                             rows.high_slope * columns.low_weight, rows.high_slope * columns.high_weight};
    const float pixels_by_unit = 0.5f * static_cast<float>(planes.side) / 3.0f;
    for (int k = 0; k < 4; ++k) {
      const int64_t offset = head * planes.head_stride + corners.offset[k];
      const float* pixel = planes.data + offset;
      float* v_pixel = gradients.v_planes ? gradients.v_planes + offset : nullptr;
      float seen = 0.0f;
      for (int c = 0; c < planes.channels; ++c) {
        seen += v_features[c] * pixel[c];
        if (v_pixel && corners.weight[k] != 0.0f) add(v_pixel + c, corners.weight[k] * v_features[c]);
      }
      v_position[column_axis(plane)] += by_column[k] * seen * pixels_by_unit;
      v_position[row_axis(plane, planes.third_is_zx)] += by_row[k] * seen * pixels_by_unit;
    }
  }
}

// Gradients as the CPU's, but v_planes is of all heads, the decoder's are shared by all rays, and v_film is added to.
template <class Add>
GEOINV_SHARED void march_backward_thread(const MarchTask& task, const MarchGradients& gradients, int64_t thread,
                                         Add add) {
  if (thread >= task.planes.heads * task.rays) return;
  const DecoderViews& decoder = task.decoder;
  const int64_t head = thread / task.rays, samples = task.samples;
  const int features = decoder.features;
  const float *o = task.origins + thread * 3, *d = task.directions + thread * 3;
  const float* t = task.distances + thread * samples;
  const float* v_seen = gradients.v_features ? gradients.v_features + thread * features : nullptr;
  const float* film = film_of(task.film, decoder, thread);
  const bool has_more = wants_samples(gradients);
  float raw[kMostSamples], v_share[kMostSamples], weights[kMostSamples], alpha[kMostSamples], transmittance[kMostSamples];
  float v_raw[kMostSamples], v_t[kMostSamples], hidden[kMostHidden];
  for (int64_t s = 0; s < samples; ++s) {
    raw[s] = decode_at(task.planes, decoder, head, o, d, t[s], hidden);
    v_share[s] = v_raw[s] = v_t[s] = 0.0f;
    if (!has_more || !v_seen) continue;
    modulate(decoder, film, hidden);
    for (int c = 0; c < features; ++c) v_share[s] += v_seen[c] * color_of(output_of(decoder, hidden, c));
  }
  float left = 1.0f, total = 0.0f, sum = 0.0f;
  for (int64_t s = 0; s + 1 < samples; ++s) {
    alpha[s] = interval_alpha(raw[s], raw[s + 1], t[s + 1] - t[s]);
    transmittance[s] = left, weights[s] = alpha[s] * left, left = transmittance_after(left, alpha[s]);
    total += weights[s], sum += weights[s] * 0.5f * (t[s] + t[s + 1]);
  }
  weights[samples - 1] = 0.0f;
  const bool hit = total > kHitAlpha;
  const float v_distance = gradients.v_distance ? gradients.v_distance[thread] : 0.0f;
  if (!hit) v_t[samples - 1] = v_distance;
  float v_transmittance = 0.0f;
  for (int64_t s = samples - 2; has_more && s >= 0; --s) {
    float v_weight = 0.5f * (v_share[s] + v_share[s + 1]);
    if (gradients.v_alpha) v_weight += gradients.v_alpha[thread];
    if (gradients.v_weights) v_weight += gradients.v_weights[thread * (samples - 1) + s];
    if (hit) {
      v_weight += v_distance * (0.5f * (t[s] + t[s + 1]) - sum / total) / total;
      v_t[s] += 0.5f * v_distance * weights[s] / total, v_t[s + 1] += 0.5f * v_distance * weights[s] / total;
    }
    const float v_alpha = (v_weight - v_transmittance) * transmittance[s];
    v_transmittance = v_weight * alpha[s] + v_transmittance * (1.0f - alpha[s] + 1e-10f);
    const IntervalSlopes slopes = interval_slopes(raw[s], raw[s + 1], t[s + 1] - t[s]);
    v_raw[s] += 0.5f * v_alpha * slopes.by_mean_raw, v_raw[s + 1] += 0.5f * v_alpha * slopes.by_mean_raw;
    v_t[s] -= v_alpha * slopes.by_length, v_t[s + 1] += v_alpha * slopes.by_length;
  }
  for (int64_t s = 0; s < samples; ++s) {
    const float share = 0.5f * ((s > 0 ? weights[s - 1] : 0.0f) + weights[s]);
    if (!has_more && share <= total * kLeastFilmShare) continue;
    float v_output[kMostFeatures + 1], position[3], v_position[3], colored[kMostHidden];
    decode_at(task.planes, decoder, head, o, d, t[s], hidden);
    for (int h = 0; h < decoder.hidden; ++h) colored[h] = hidden[h];
    modulate(decoder, film, colored);
    for (int c = 0; c < features; ++c)
      v_output[c] = v_seen ? v_seen[c] * share * color_slope(color_of(output_of(decoder, colored, c))) : 0.0f;
    v_output[features] = v_raw[s];
    if (gradients.v_film) film_backward(decoder, hidden, v_output, gradients.v_film + thread * 2 * decoder.hidden);
    if (!has_more) continue;
    position_at(task.planes, o, d, t[s], position);
    sample_backward(task, gradients, head, position, film, v_output, v_position, add);
    if (!gradients.v_origins) continue;
    float v_along = v_t[s];
    for (int axis = 0; axis < 3; ++axis) {
      const float v_point = v_position[axis] * task.planes.scale;
      gradients.v_origins[thread * 3 + axis] += v_point;
      gradients.v_directions[thread * 3 + axis] += v_point * t[s];
      v_along += v_point * d[axis];
    }
    gradients.v_distances[thread * samples + s] += v_along;
  }
}

}  // namespace geoinv
