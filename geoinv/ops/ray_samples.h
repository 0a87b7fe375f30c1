// Arithmetic of samples and intervals of rays, whatever they are read from: shared by the CPU kernels (V = several floats
// side by side) and by the CUDA kernels (V = float), so that the CPU's tests cover both.
#pragma once

#include <cstdint>
#include <cstring>

#include "host_device.h"

namespace geoinv {

// The integers of the same width as V, lane by lane.
template <class V>
struct Twin;
template <>
struct Twin<float> {
  using Int = int32_t;
};

template <class To, class From>
GEOINV_SHARED To same_bits(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To bits;
  memcpy(&bits, &value, sizeof(To));
  return bits;
}

template <class To, class From>
GEOINV_SHARED To converted(From value) {
#ifdef __CUDACC__
  return static_cast<To>(value);
#else
  if constexpr (sizeof(To) == sizeof(float)) {
    return static_cast<To>(value);
  } else {
    return __builtin_convertvector(value, To);
  }
#endif
}

// exp(x) for x <= 0 (from -87 down it stays 1.6e-38); relative error below 2e-7 + |x| 6e-8, exactly 1 at 0.
template <class V>
GEOINV_SHARED V exp_of(V x) {
  using Int = typename Twin<V>::Int;
  x = x < -87.0f ? V{} - 87.0f : x;
  const V power = x * 1.44269504f;
  const V shifted = power + 12582912.0f;  // 1.5 * 2^23: the nearest integer now stands in the lowest bits
  const V rest = power - (shifted - 12582912.0f);
  V fraction = rest * 0.001326472731307149f + 0.009671512991189957f;
  fraction = fraction * rest + 0.05550733581185341f;
  fraction = fraction * rest + 0.24022242426872253f;
  fraction = fraction * rest + 0.6931470036506653f;
  fraction = fraction * rest + 1.0f;
  return same_bits<V>(same_bits<Int>(fraction) + (same_bits<Int>(shifted) << 23));
}

// log(1 + e) for e in [0, 1]; absolute error below 1.2e-7.
template <class V>
GEOINV_SHARED V log1p_of(V e) {
  V series = e * -0.006452618166804314f + 0.03608454018831253f;
  series = series * e + -0.09532252699136734f;
  series = series * e + 0.16764788329601288f;
  series = series * e + -0.24073076248168945f;
  series = series * e + 0.331798255443573f;
  series = series * e + -0.4998740553855896f;
  series = series * e + 0.9999964237213135f;
  return series * e;
}

template <class V>
GEOINV_SHARED V minus_abs(V x) {
  using Int = typename Twin<V>::Int;
  return same_bits<V>(same_bits<Int>(x) | static_cast<int32_t>(0x80000000u));
}

// exp(-|x|), from which softplus and sigmoid follow without overflow.
template <class V>
GEOINV_SHARED V exp_of_minus_abs(V x) {
  return exp_of(minus_abs(x));
}

// log(1 + exp(x)), given exp(-|x|); absolute error below 3e-7 and the rounding of x.
template <class V>
GEOINV_SHARED V softplus_from(V x, V exp_minus_abs) {
  return (x - minus_abs(x)) * 0.5f + log1p_of(exp_minus_abs);
}

template <class V>
GEOINV_SHARED V softplus_of(V x) {
  return softplus_from(x, exp_of_minus_abs(x));
}

// 1 / (1 + exp(-x)), the slope of softplus, given exp(-|x|).
template <class V>
GEOINV_SHARED V sigmoid_from(V x, V exp_minus_abs) {
  const V larger = 1.0f / (exp_minus_abs + 1.0f);
  return x < 0.0f ? exp_minus_abs * larger : larger;
}

template <class V>
GEOINV_SHARED V sigmoid_of(V x) {
  return sigmoid_from(x, exp_of_minus_abs(x));
}

// The decoder's colour of a logit: a sigmoid a little wider than (0, 1).
template <class V>
GEOINV_SHARED V color_of(V logit) {
  return sigmoid_of(logit) * 1.002f - 0.001f;
}

// d color / d logit.
template <class V>
GEOINV_SHARED V color_slope(V color) {
  const V sigmoid = (color + 0.001f) * (1.0f / 1.002f);
  return sigmoid * (1.0f - sigmoid) * 1.002f;
}

// A hidden unit as colours read it under a ray's film; density reads it as it is.
template <class V>
GEOINV_SHARED V modulated_by(V scale, V shift, V hidden) {
  return (scale + 1.0f) * hidden + shift;
}

// A sample that counts less than this share of all that its ray sees adds nothing to the gradient of film beyond the
// rounding of float32.
constexpr float kLeastFilmShare = 1e-8f;

// Opacity of the interval between two samples: EG3D's midpoint rule, density = softplus(mean raw density - 1).
template <class V>
GEOINV_SHARED V interval_alpha(V raw_first, V raw_second, V length) {
  return 1.0f - exp_of(-(softplus_of((raw_first + raw_second) * 0.5f - 1.0f) * length));
}

// Gradients of interval_alpha to the mean raw density and to the length.
struct IntervalSlopes {
  float by_mean_raw, by_length;
};

GEOINV_SHARED IntervalSlopes interval_slopes(float raw_first, float raw_second, float length) {
  const float shifted = (raw_first + raw_second) * 0.5f - 1.0f;
  const float small = exp_of_minus_abs(shifted);
  const float density = softplus_from(shifted, small);
  const float transmittance = exp_of(-(density * length));
  return {transmittance * length * sigmoid_from(shifted, small), transmittance * density};
}

// Transmittance behind an interval, given that before it; the reference adds 1e-10 to keep it above zero.
GEOINV_SHARED float transmittance_after(float transmittance, float alpha) {
  return transmittance * (1.0f - alpha + 1e-10f);
}

constexpr float kHitAlpha = 1e-4f;  // below it a ray has hit nothing, and its distance is that of its last sample

// Sums of one ray: alpha, and the mean distance (that of the last sample where nothing is hit).
struct RaySums {
  float alpha, distance;
};

GEOINV_SHARED RaySums ray_sums(const float* t, const float* alpha, const float* transmittance, int64_t samples) {
  float total = 0.0f, distance = 0.0f;
  for (int64_t s = 0; s + 1 < samples; ++s) {
    const float weight = alpha[s] * transmittance[s];
    total += weight, distance += weight * 0.5f * (t[s] + t[s + 1]);
  }
  if (!(total > kHitAlpha)) return {total, t[samples - 1]};
  distance /= total;
  distance = distance < t[0] ? t[0] : distance > t[samples - 1] ? t[samples - 1] : distance;
  return {total, distance};
}

// How much a sample's colour counts: half of the weights of the intervals on both sides.
GEOINV_SHARED float share_of(const float* alpha, const float* transmittance, int64_t s, int64_t samples) {
  const float before = s > 0 ? alpha[s - 1] * transmittance[s - 1] : 0.0f;
  const float after = s + 1 < samples ? alpha[s] * transmittance[s] : 0.0f;
  return 0.5f * (before + after);
}

// Where a ray enters and leaves the cube about the origin; both its middle distance where it misses the cube.
GEOINV_SHARED void box_limits(const float* origin, const float* direction, float box_side, float& near, float& far) {
  near = 0.0f, far = 3.4e38f;
  const float half = 0.5f * box_side;
  for (int axis = 0; axis < 3; ++axis) {
    const float d = direction[axis] < 1e-9f && direction[axis] > -1e-9f ? 1e-9f : direction[axis];
    const float first = (-half - origin[axis]) / d, second = (half - origin[axis]) / d;
    const float enters = first < second ? first : second, leaves = first < second ? second : first;
    near = enters > near ? enters : near;
    far = leaves < far ? leaves : far;
  }
  if (far > near) return;
  const float sum = near + far;
  near = far = 0.5f * (sum > 0.0f ? sum : 0.0f);
}

// Midpoint of slice `index` of `count` equal ones.
GEOINV_SHARED float even_distance(float near, float far, int index, int count) {
  return near + (far - near) * ((static_cast<float>(index) + 0.5f) / static_cast<float>(count));
}

// Smoothed weight of the middle one of three neighbouring intervals, and a floor: the importance of what is between the
// midpoints about it.
template <class V>
GEOINV_SHARED V importance_between(V left, V middle, V right) {
  const V larger_left = left > middle ? left : middle, larger_right = middle > right ? middle : right;
  return 0.5f * (larger_left + larger_right) + 0.01f + 1e-5f;
}

// Share of the second pass that goes between the midpoints around coarse sample `inner` + 1, before normalising: the
// weights smoothed as mip-NeRF does, and a floor. `weights` are those of the `samples` - 1 intervals.
GEOINV_SHARED float importance_of(const float* weights, int samples, int inner) {
  return importance_between(weights[inner], weights[inner + 1], inner + 2 < samples - 1 ? weights[inner + 2] : 0.0f);
}

// `count` even quantiles, ascending, of a density that is even between midpoints; share_of(bin) is that of bin `bin`.
template <class ShareOf>
GEOINV_SHARED void quantile_distances(const float* distances, ShareOf share_of, int bins, int count, float* fine) {
  int bin = 0;
  float low = 0.0f, high = share_of(0);
  for (int k = 0; k < count; ++k) {
    const float quantile = (static_cast<float>(k) + 0.5f) / static_cast<float>(count);
    while (quantile >= high && bin + 1 < bins) {
      ++bin;
      low = high;
      high += share_of(bin);
    }
    const float width = high - low > 1e-5f ? high - low : 1e-5f;
    float share = (quantile - low) / width;
    share = share < 0.0f ? 0.0f : share > 1.0f ? 1.0f : share;
    const float begin = 0.5f * (distances[bin] + distances[bin + 1]), end = 0.5f * (distances[bin + 1] + distances[bin + 2]);
    fine[k] = begin + share * (end - begin);
  }
}

// Distances of the second pass: `count` even quantiles of the weights of the first pass, ascending.
GEOINV_SHARED void importance_distances(const float* distances, const float* weights, int samples, int count, float* fine) {
  const int bins = samples - 3;
  float sum = 0.0f;
  for (int i = 0; i < bins; ++i) sum += importance_of(weights, samples, i);
  quantile_distances(distances, [&](int bin) { return importance_of(weights, samples, bin) / sum; }, bins, count, fine);
}

}  // namespace geoinv
