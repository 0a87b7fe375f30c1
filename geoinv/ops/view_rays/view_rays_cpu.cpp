// What views of heads do to each of their rays, in one pass over each: light on what was composited, and whether a photo
// shows the place that was hit.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#if defined(__AVX512F__)
#define GEOINV_LANES 16
#else
#define GEOINV_LANES 8  // AVX2; a compiler splits the vectors for narrower machines
#endif
#include "../parallel.h"
#include "../products.h"

namespace geoinv {
namespace {

constexpr int kComposited = 7;  // albedo 3, gloss 1, normal 3
constexpr int kHarmonics = 9;
constexpr float kLeastLight = 1e-4f;

// x ^ (1 / 2.2) for x in [1e-4, 1e4]; relative error below 1e-6.
GEOINV_INLINE Vec display_value(Vec x) {
  const IntVec bits = same_bits<IntVec>(x), power = (bits >> 23) - 127;
  const Vec fraction = same_bits<Vec>((bits & 0x007fffff) | 0x3f800000);  // in [1, 2)
  const Vec logarithm = converted<Vec>(power) * 0.69314718056f + log1p_of(fraction - 1.0f);
  return exp_of(logarithm * (1.0f / 2.2f));  // which holds for positive exponents as well, up to 87
}

// Display colours of white surfaces with these unit normals under `light` [9, 3].
GEOINV_INLINE void shades(const float* light, const Vec normal[3], Vec out[3]) {
  const Vec x = normal[0], y = normal[1], z = normal[2];
  const Vec basis[kHarmonics] = {Vec{} + 0.28209479f,     0.48860251f * y,     0.48860251f * z,
                                 0.48860251f * x,         1.09254843f * x * y, 1.09254843f * y * z,
                                 0.31539157f * (3.0f * z * z - 1.0f), 1.09254843f * x * z, 0.54627422f * (x * x - y * y)};
  for (int c = 0; c < 3; ++c) {
    Vec sum = {};
    for (int k = 0; k < kHarmonics; ++k) sum += basis[k] * light[k * 3 + c];
    out[c] = display_value(sum > kLeastLight ? sum : Vec{} + kLeastLight);
  }
}

at::Tensor lit(const at::Tensor& composited, const at::Tensor& directions, const at::Tensor& light) {
  TORCH_CHECK(composited.is_contiguous() && directions.is_contiguous() && light.is_contiguous(),
              "tensors must be contiguous");
  const int64_t batch = composited.size(0), count = composited.size(1);
  at::Tensor colors = at::empty({batch, count, 3}, composited.options());
  const float* from = composited.const_data_ptr<float>();
  const float* ways = directions.const_data_ptr<float>();
  const float* lights = light.const_data_ptr<float>();
  float* to = colors.mutable_data_ptr<float>();
  const int64_t blocks = (count + kLanes - 1) / kLanes, of_light = light.size(0) > 1 ? kHarmonics * 3 : 0;
  parallel_for(0, batch * blocks, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t head = i / blocks, first = head * count + i % blocks * kLanes;
      const int64_t left = std::min<int64_t>(kLanes, (head + 1) * count - first);
      Vec value[kComposited] = {}, way[3] = {};
      for (int64_t lane = 0; lane < left; ++lane) {
        for (int c = 0; c < kComposited; ++c) value[c][lane] = from[(first + lane) * kComposited + c];
        for (int c = 0; c < 3; ++c) way[c][lane] = ways[(first + lane) * 3 + c];
      }
      const Vec square = value[4] * value[4] + value[5] * value[5] + value[6] * value[6];
      Vec scale = {};
      for (int lane = 0; lane < kLanes; ++lane) scale[lane] = 1.0f / std::max(std::sqrt(square[lane]), 1e-12f);
      const Vec normal[3] = {value[4] * scale, value[5] * scale, value[6] * scale};
      const Vec twice = 2.0f * (way[0] * normal[0] + way[1] * normal[1] + way[2] * normal[2]);
      const Vec reflected[3] = {way[0] - twice * normal[0], way[1] - twice * normal[1], way[2] - twice * normal[2]};
      Vec matt[3], gloss[3];
      shades(lights + head * of_light, normal, matt);
      shades(lights + head * of_light, reflected, gloss);
      for (int c = 0; c < 3; ++c) {
        const Vec color = value[c] * matt[c] + value[3] * gloss[c];
        for (int64_t lane = 0; lane < left; ++lane) to[(first + lane) * 3 + c] = color[lane];
      }
    }
  });
  return colors;
}

// A map of a photo at pixel (column, row), 0 beside the photo.
inline float pixel(const float* map, int64_t side, int64_t column, int64_t row) {
  return column >= 0 && row >= 0 && column < side && row < side ? map[row * side + column] : 0.0f;
}

// [B, N] the share of the 3 x 3 pixels about each position whose depth is that of the point, times how squarely the photo
// looks there (`facing`, bilinear).
at::Tensor seen(const at::Tensor& positions, const at::Tensor& distance, const at::Tensor& depth, const at::Tensor& facing,
                double near, double far) {
  TORCH_CHECK(positions.is_contiguous() && distance.is_contiguous() && depth.is_contiguous() && facing.is_contiguous(),
              "tensors must be contiguous");
  const int64_t batch = distance.size(0), count = distance.size(1), side = depth.size(-1);
  at::Tensor shares = at::empty({batch, count}, distance.options());
  const float* position_data = positions.const_data_ptr<float>();
  const float* distance_data = distance.const_data_ptr<float>();
  const float* depth_data = depth.const_data_ptr<float>();
  const float* facing_data = facing.const_data_ptr<float>();
  float* share_data = shares.mutable_data_ptr<float>();
  const float start = static_cast<float>(near), slope = static_cast<float>(1.0 / (far - near));
  parallel_for(0, batch * count, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float x = position_data[2 * i] * side - 0.5f, y = position_data[2 * i + 1] * side - 0.5f;
      share_data[i] = 0.0f;
      if (!(x > -2.0f && y > -2.0f && x < side + 1.0f && y < side + 1.0f)) continue;  // also where it is no number
      const int64_t map = i / count * side * side;
      const int64_t column = static_cast<int64_t>(std::nearbyint(x)), row = static_cast<int64_t>(std::nearbyint(y));
      float shown[9], total = 0.0f;
      if (column >= 1 && row >= 1 && column < side - 1 && row < side - 1) {
        const float* middle = depth_data + map + row * side + column;
        for (int64_t k = 0; k < 9; ++k) shown[k] = middle[(k / 3 - 1) * side + k % 3 - 1];
      } else {
        for (int64_t k = 0; k < 9; ++k) shown[k] = pixel(depth_data + map, side, column + k % 3 - 1, row + k / 3 - 1);
      }
      for (const float at : shown) {
        const float away = (std::abs(distance_data[i] - at) - start) * slope;
        const float share = 1.0f - std::min(std::max(away, 0.0f), 1.0f);
        total += at > 0.0f ? share : 0.0f;
      }
      if (total == 0.0f) continue;
      const float low_x = std::floor(x), low_y = std::floor(y), by_x = x - low_x, by_y = y - low_y;
      const int64_t left = static_cast<int64_t>(low_x), top = static_cast<int64_t>(low_y);
      const float above = (1.0f - by_x) * pixel(facing_data + map, side, left, top) +
                          by_x * pixel(facing_data + map, side, left + 1, top);
      const float below = (1.0f - by_x) * pixel(facing_data + map, side, left, top + 1) +
                          by_x * pixel(facing_data + map, side, left + 1, top + 1);
      share_data[i] = total / 9.0f * ((1.0f - by_y) * above + by_y * below);
    }
  });
  return shares;
}

}  // namespace
}  // namespace geoinv

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def("view_rays_lit(Tensor composited, Tensor directions, Tensor light) -> Tensor", geoinv::lit);
  library.def(
      "view_rays_seen(Tensor positions, Tensor distance, Tensor depth, Tensor facing, float near, float far) -> Tensor",
      geoinv::seen);
}
