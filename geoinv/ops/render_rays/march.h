// Rays with given samples: compositing, and its gradient. A block of whole rays is decoded at a time, so that what
// belongs to samples stays in the cache; the backward pass decodes again instead of keeping it.
#pragma once

#include "film.h"

namespace geoinv {
namespace {

constexpr int64_t kBlock = 60;  // samples in a block, unless one ray has more

struct MarchBlock {
  int64_t rays;  // at most, in a block
  Samples samples;
  float* t;       // distances, [capacity + 16]
  float* alpha;   // [capacity + 16] of the interval after each sample
  float* transmittance;   // [capacity + 16] how much is seen of that interval
  float* features;  // [capacity, channels] of the planes
  float* hidden;    // [capacity, hidden]
  float* modulated;  // [capacity, hidden] as colours read it: `hidden` itself where there is no film
  float* raw;       // [capacity + 16]
  float* colors;    // [capacity, feature_columns]
  // of the backward pass
  float* slopes;      // [capacity, hidden]
  float* v_output;    // [capacity, feature_columns + 1]: features, density at column `features`
  float* v_hidden;    // [capacity, hidden]
  float* v_features;  // [capacity, channels] of the planes
  float* v_seen;      // [feature_columns] of one ray's output
  float* v_t;         // [capacity + 16]
};

GEOINV_INLINE MarchBlock march_block(const MarchTask& task, float*& scratch) {
  const DecoderViews& decoder = task.decoder;
  MarchBlock block;
  block.rays = kBlock > task.samples ? kBlock / task.samples : 1;
  const int64_t capacity = rounded_up(block.rays * task.samples, 16);
  block.t = take(scratch, capacity + 16), block.alpha = take(scratch, capacity + 16);
  block.transmittance = take(scratch, capacity + 16);
  block.samples = samples_in(scratch, capacity);
  block.features = take(scratch, capacity * task.planes.channels);
  block.hidden = take(scratch, capacity * decoder.hidden);
  block.modulated = task.film ? take(scratch, capacity * decoder.hidden) : block.hidden;
  block.raw = take(scratch, capacity + 16);  // read in whole vectors, past its end
  block.colors = take(scratch, capacity * decoder.feature_columns);
  block.slopes = take(scratch, capacity * decoder.hidden);
  block.v_output = take(scratch, capacity * (decoder.feature_columns + 1));
  block.v_hidden = take(scratch, capacity * decoder.hidden);
  block.v_features = take(scratch, capacity * task.planes.channels);
  block.v_seen = take(scratch, decoder.feature_columns);
  block.v_t = take(scratch, capacity + 16);
  return block;
}

static int64_t march_scratch(const MarchTask& task) {
  const DecoderViews& decoder = task.decoder;
  const int64_t capacity = rounded_up((kBlock > task.samples ? kBlock / task.samples : 1) * task.samples, 16);
  const int64_t by_sample = 2 * decoder.feature_columns + 1 + 4 * decoder.hidden + 2 * task.planes.channels + 5;
  return samples_scratch(capacity) + capacity * by_sample + decoder.feature_columns + 16 * 32;
}

// Decodes all samples of `rays` rays and fills t, alpha, transmittance and colours.
static void decode_block(const MarchTask& task, const MarchBlock& block, int64_t first_ray, int64_t rays,
                         const float* head, float* slopes) {
  const int64_t per_ray = task.samples, count = rays * per_ray;
  const Samples& samples = block.samples;
  const float scale = task.planes.scale;
  for (int64_t i = 0; i < rays; ++i) {
    const float* o = task.origins + (first_ray + i) * 3;
    const float* d = task.directions + (first_ray + i) * 3;
    const float* t = task.distances + (first_ray + i) * per_ray;
    for (int64_t s = 0; s < per_ray; ++s) {
      const int64_t at = i * per_ray + s;
      block.t[at] = t[s];
      samples.x[at] = (o[0] + d[0] * t[s]) * scale;
      samples.y[at] = (o[1] + d[1] * t[s]) * scale;
      samples.z[at] = (o[2] + d[2] * t[s]) * scale;
    }
  }
  find_corners(samples, count, task.planes);
  const int64_t channels = task.planes.channels, hidden = task.decoder.hidden;
  gather_pixels(samples, count, head, channels, nullptr, block.features);
  product<Start::bias>(block.features, channels, 1, count, task.decoder.hidden_columns, hidden, channels, hidden,
                       block.hidden, hidden, task.decoder.hidden_bias);
  activate_hidden(block.hidden, count, task.decoder, block.raw, slopes);
  for (int64_t i = 0; task.film && i < rays; ++i)
    modulate_hidden(block.hidden + i * per_ray * hidden, per_ray, task.film + (first_ray + i) * 2 * hidden, hidden,
                    block.modulated + i * per_ray * hidden);
  decode_colors(block.modulated, count, task.decoder, block.colors);
  for (int64_t i = 0; i < count; i += kLanes)
    store(block.alpha + i, interval_alpha(load(block.raw + i), load(block.raw + i + 1),
                                          load(block.t + i + 1) - load(block.t + i)));
  for (int64_t i = 0; i < rays; ++i) {
    float transmittance = 1.0f;
    for (int64_t s = 0; s < per_ray; ++s) {
      block.transmittance[i * per_ray + s] = transmittance;
      transmittance = transmittance_after(transmittance, block.alpha[i * per_ray + s]);
    }
  }
}

static void march_forward(const MarchTask& task, int64_t head, int64_t ray_begin, int64_t ray_end, float* scratch) {
  const MarchBlock block = march_block(task, scratch);
  const int64_t per_ray = task.samples, columns = task.decoder.feature_columns, features = task.decoder.features;
  const float* head_planes = task.planes.data + head * task.planes.head_stride;
  for (int64_t begin = ray_begin; begin < ray_end; begin += block.rays) {
    const int64_t rays = ray_end - begin < block.rays ? ray_end - begin : block.rays;
    decode_block(task, block, head * task.rays + begin, rays, head_planes, nullptr);
    for (int64_t i = 0; i < rays; ++i) {
      const int64_t ray = head * task.rays + begin + i;
      const float *t = block.t + i * per_ray, *alpha = block.alpha + i * per_ray;
      const float* transmittance = block.transmittance + i * per_ray;
      const RaySums sums = ray_sums(t, alpha, transmittance, per_ray);
      task.alpha[ray] = sums.alpha, task.distance[ray] = sums.distance;
      for (int64_t s = 0; s + 1 < per_ray; ++s) task.weights[ray * (per_ray - 1) + s] = alpha[s] * transmittance[s];
      for (int64_t c = 0; c < columns; ++c) block.v_seen[c] = 0.0f;
      for (int64_t s = 0; s < per_ray; ++s) {
        const float share = share_of(alpha, transmittance, s, per_ray);
        const float* color = block.colors + (i * per_ray + s) * columns;
        for (int64_t c = 0; c < columns; c += kLanes)
          store(block.v_seen + c, load(block.v_seen + c) + load(color + c) * share);
      }
      for (int64_t c = 0; c < features; ++c) task.features[ray * features + c] = block.v_seen[c];
    }
  }
}

// Gradients to the weights of a ray's intervals -> raw densities and distances, from the last interval to the first.
// v_share(s) is the gradient to how much sample s counts.
template <class VShare>
GEOINV_INLINE void ray_backward(const MarchTask& task, const MarchGradients& gradients, const MarchBlock& block,
                                int64_t ray, int64_t first, VShare v_share) {
  const int64_t per_ray = task.samples;
  const float *t = block.t + first, *alpha = block.alpha + first, *transmittance = block.transmittance + first;
  const float* raw = block.raw + first;
  float* v_raw = block.v_output + first * (task.decoder.feature_columns + 1) + task.decoder.features;
  const int64_t v_raw_stride = task.decoder.feature_columns + 1;
  float* v_t = block.v_t + first;
  const RaySums sums = ray_sums(t, alpha, transmittance, per_ray);
  const float v_alpha_sum = gradients.v_alpha ? gradients.v_alpha[ray] : 0.0f;
  const float v_distance = gradients.v_distance ? gradients.v_distance[ray] : 0.0f;
  const bool hit = sums.alpha > kHitAlpha;
  const float* v_weights = gradients.v_weights ? gradients.v_weights + ray * (per_ray - 1) : nullptr;
  for (int64_t s = 0; s < per_ray; ++s) v_raw[s * v_raw_stride] = 0.0f, v_t[s] = 0.0f;
  if (!hit) v_t[per_ray - 1] = v_distance;
  float v_transmittance = 0.0f;  // to what the next interval still sees
  for (int64_t s = per_ray - 2; s >= 0; --s) {
    const float middle = 0.5f * (t[s] + t[s + 1]);
    float v_weight = 0.5f * (v_share(s) + v_share(s + 1)) + v_alpha_sum;
    if (v_weights) v_weight += v_weights[s];
    if (hit) {
      v_weight += v_distance * (middle - sums.distance) / sums.alpha;
      const float v_middle = v_distance * alpha[s] * transmittance[s] / sums.alpha;
      v_t[s] += 0.5f * v_middle, v_t[s + 1] += 0.5f * v_middle;
    }
    const float v_alpha = (v_weight - v_transmittance) * transmittance[s];
    v_transmittance = v_weight * alpha[s] + v_transmittance * (1.0f - alpha[s] + 1e-10f);
    const IntervalSlopes slopes = interval_slopes(raw[s], raw[s + 1], t[s + 1] - t[s]);
    const float v_mean_raw = v_alpha * slopes.by_mean_raw, v_length = v_alpha * slopes.by_length;
    v_raw[s * v_raw_stride] += 0.5f * v_mean_raw, v_raw[(s + 1) * v_raw_stride] += 0.5f * v_mean_raw;
    v_t[s] -= v_length, v_t[s + 1] += v_length;
  }
}

// Gradients to the decoder's outputs at the samples of one ray.
static void outputs_backward(const MarchTask& task, const MarchGradients& gradients, const MarchBlock& block,
                             int64_t ray, int64_t first) {
  const int64_t per_ray = task.samples, columns = task.decoder.feature_columns, features = task.decoder.features;
  const float *alpha = block.alpha + first, *transmittance = block.transmittance + first;
  for (int64_t c = 0; c < columns; ++c)
    block.v_seen[c] = gradients.v_features && c < features ? gradients.v_features[ray * features + c] : 0.0f;
  for (int64_t s = 0; s < per_ray; ++s) {
    const float share = share_of(alpha, transmittance, s, per_ray);
    const float* color = block.colors + (first + s) * columns;
    float* v_output = block.v_output + (first + s) * (columns + 1);
    for (int64_t c = 0; c < columns; c += kLanes)
      store(v_output + c, load(block.v_seen + c) * color_slope(load(color + c)) * share);
  }
  ray_backward(task, gradients, block, ray, first,
               [&](int64_t s) { return dot(block.v_seen, block.colors + (first + s) * columns, columns); });
}

// Gradients of one ray's samples to film, and through it to hidden units: block.v_hidden is to what colours read before.
static void ray_film_backward(const MarchTask& task, const MarchGradients& gradients, const MarchBlock& block,
                              int64_t ray, int64_t first) {
  const DecoderViews& decoder = task.decoder;
  const int64_t hidden = decoder.hidden, stride = decoder.feature_columns + 1;
  const float* film = task.film + ray * 2 * hidden;
  const float* density_row = decoder.output_rows + decoder.features * hidden;
  float* v_hidden = block.v_hidden + first * hidden;
  if (gradients.v_film)
    sum_film(block.hidden + first * hidden, v_hidden, task.samples, hidden, gradients.v_film + ray * 2 * hidden);
  for (int64_t s = 0; s < task.samples; ++s) {
    const float v_raw = block.v_output[(first + s) * stride + decoder.features];
    for (int64_t h = 0; h < hidden; h += kLanes)
      store(v_hidden + s * hidden + h,
            load(v_hidden + s * hidden + h) * (load(film + h) + 1.0f) + load(density_row + h) * v_raw);
  }
}

// Gradients to the decoder's weights, to film and to plane features, from those to the decoder's outputs.
static void decoder_backward(const MarchTask& task, const MarchGradients& gradients, const MarchBlock& block,
                             int64_t first_ray, int64_t rays) {
  const DecoderViews& decoder = task.decoder;
  const int64_t hidden = decoder.hidden, outputs = decoder.features + 1, stride = decoder.feature_columns + 1;
  const int64_t channels = task.planes.channels, count = rays * task.samples;
  // outputs that read the same hidden units: under a film, density goes its own way
  const int64_t alike = task.film ? decoder.features : outputs;
  if (gradients.v_output_rows) {
    product<Start::sum>(block.v_output, 1, stride, alike, block.modulated, hidden, count, hidden,
                        gradients.v_output_rows, hidden);
    if (task.film)
      product<Start::sum>(block.v_output + alike, 1, stride, 1, block.hidden, hidden, count, hidden,
                          gradients.v_output_rows + alike * hidden, hidden);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < outputs; ++c) gradients.v_output_bias[c] += block.v_output[i * stride + c];
  }
  product<Start::zero>(block.v_output, stride, 1, count, decoder.output_rows, hidden, alike, hidden, block.v_hidden,
                       hidden);
  for (int64_t i = 0; task.film && i < rays; ++i)
    ray_film_backward(task, gradients, block, first_ray + i, i * task.samples);
  for (int64_t i = 0; i < count * hidden; i += kLanes)
    store(block.v_hidden + i, load(block.v_hidden + i) * load(block.slopes + i));
  if (gradients.v_hidden_columns) {
    for (int64_t i = 0; i < count; ++i)
      for (int64_t h = 0; h < hidden; h += kLanes)
        store(gradients.v_hidden_bias + h, load(gradients.v_hidden_bias + h) + load(block.v_hidden + i * hidden + h));
    product<Start::sum>(block.features, 1, channels, channels, block.v_hidden, hidden, count, hidden,
                        gradients.v_hidden_columns, hidden);
  }
  if (gradients.v_planes || gradients.v_origins)
    product<Start::zero>(block.v_hidden, hidden, 1, count, decoder.hidden_rows, channels, hidden, channels,
                         block.v_features, channels);
}

// Gradient to the position of sample `i`, in world units.
static void point_backward(const MarchTask& task, const MarchBlock& block, int64_t i, const float* head,
                           float (&v_point)[3]) {
  const PlaneViews& planes = task.planes;
  const float position[3] = {block.samples.x[i], block.samples.y[i], block.samples.z[i]};
  const float* v_features = block.v_features + i * planes.channels;
  v_point[0] = v_point[1] = v_point[2] = 0.0f;
  for (int plane = 0; plane < 3; ++plane) {
    const int column_is = column_axis(plane), row_is = row_axis(plane, planes.third_is_zx);
    const AxisPixels<float> columns = axis_pixels(position[column_is], planes.side);
    const AxisPixels<float> rows = axis_pixels(position[row_is], planes.side);
    const float* base = head + plane * planes.plane_stride;
    auto seen = [&](int64_t row, int64_t column) {
      return dot(v_features, base + row * planes.row_stride + column * planes.pixel_stride, planes.channels);
    };
    const float top_left = seen(rows.low, columns.low), top_right = seen(rows.low, columns.high);
    const float bottom_left = seen(rows.high, columns.low), bottom_right = seen(rows.high, columns.high);
    const float by_column = rows.low_weight * (columns.low_slope * top_left + columns.high_slope * top_right) +
                            rows.high_weight * (columns.low_slope * bottom_left + columns.high_slope * bottom_right);
    const float by_row = columns.low_weight * (rows.low_slope * top_left + rows.high_slope * bottom_left) +
                         columns.high_weight * (rows.low_slope * top_right + rows.high_slope * bottom_right);
    const float pixels_by_unit = 0.5f * planes.side * planes.scale / 3.0f;
    v_point[column_is] += by_column * pixels_by_unit, v_point[row_is] += by_row * pixels_by_unit;
  }
}

// Gradients to origins, directions and distances of one ray.
static void rays_backward(const MarchTask& task, const MarchGradients& gradients, const MarchBlock& block, int64_t ray,
                          int64_t first, const float* head) {
  const float* direction = task.directions + ray * 3;
  for (int64_t s = 0; s < task.samples; ++s) {
    float v_point[3];
    point_backward(task, block, first + s, head, v_point);
    float v_distance = block.v_t[first + s];
    for (int axis = 0; axis < 3; ++axis) {
      gradients.v_origins[ray * 3 + axis] += v_point[axis];
      gradients.v_directions[ray * 3 + axis] += v_point[axis] * block.t[first + s];
      v_distance += v_point[axis] * direction[axis];
    }
    gradients.v_distances[ray * task.samples + s] += v_distance;
  }
}

static void march_backward(const MarchTask& task, const MarchGradients& gradients, int64_t head, int64_t ray_begin,
                           int64_t ray_end, float* scratch) {
  const MarchBlock block = march_block(task, scratch);
  const int64_t per_ray = task.samples;
  const float* head_planes = task.planes.data + head * task.planes.head_stride;
  for (int64_t begin = ray_begin; begin < ray_end; begin += block.rays) {
    const int64_t rays = ray_end - begin < block.rays ? ray_end - begin : block.rays;
    const int64_t first_ray = head * task.rays + begin;
    decode_block(task, block, first_ray, rays, head_planes, block.slopes);
    for (int64_t i = 0; i < rays; ++i) outputs_backward(task, gradients, block, first_ray + i, i * per_ray);
    decoder_backward(task, gradients, block, first_ray, rays);
    if (gradients.v_planes)
      scatter_features(block.samples, rays * per_ray, block.v_features, gradients.v_planes, task.planes.channels);
    if (gradients.v_origins)
      for (int64_t i = 0; i < rays; ++i)
        rays_backward(task, gradients, block, first_ray + i, i * per_ray, head_planes);
  }
}

}  // namespace
}  // namespace geoinv
