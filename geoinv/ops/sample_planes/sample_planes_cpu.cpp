// Bilinear samples of three axis-aligned planes, averaged; planes are stored by pixel, [B, R, R, 3, C] (what a
// channels-last convolution leaves), so that a sample reads four runs of C floats. The backward pass gives each
// (head, plane) to one thread: no two write one cell.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <cmath>
#include <cstdint>

#include "../parallel.h"

namespace {

using namespace geoinv;

struct Corners {
  int64_t offset[4];
  float weight[4];
};

// Where plane `plane` is read for a point, and how much each of the four pixels counts; zero outside of the plane.
inline Corners corners_of(const float* point, int plane, bool third_is_zx, float scale, int64_t side) {
  const float x = point[0] * scale, y = point[1] * scale, z = point[2] * scale;
  const float u = plane == 2 ? z : x;
  const float v = plane == 0 ? y : plane == 1 ? z : (third_is_zx ? x : y);
  const float column = ((u + 1.0f) * side - 1.0f) * 0.5f, row = ((v + 1.0f) * side - 1.0f) * 0.5f;
  Corners corners{};
  if (!(column > -1.0f && row > -1.0f && column < side && row < side)) return corners;
  const float left = std::floor(column), top = std::floor(row);
  const float right_share = column - left, bottom_share = row - top;
  const int64_t c0 = static_cast<int64_t>(left), r0 = static_cast<int64_t>(top);
  for (int k = 0; k < 4; ++k) {
    const int64_t c = c0 + (k & 1), r = r0 + (k >> 1);
    if (c < 0 || r < 0 || c >= side || r >= side) continue;
    corners.offset[k] = r * side + c;
    corners.weight[k] = (k & 1 ? right_share : 1.0f - right_share) * (k >> 1 ? bottom_share : 1.0f - bottom_share) / 3.0f;
  }
  return corners;
}

// y[0:count] += a * x[0:count]; the count of the models that ship is known to the compiler, which then keeps registers.
inline void add_scaled(float* __restrict y, float a, const float* __restrict x, int64_t count) {
  if (count == 32) {
    for (int c = 0; c < 32; ++c) y[c] += a * x[c];
  } else {
    for (int64_t c = 0; c < count; ++c) y[c] += a * x[c];
  }
}

at::Tensor forward(const at::Tensor& planes, const at::Tensor& points, double box_side, bool third_is_zx) {
  TORCH_CHECK(planes.is_contiguous() && points.is_contiguous(), "planes and points must be contiguous");
  const int64_t batch = points.size(0), count = points.size(1), side = planes.size(1), channels = planes.size(4);
  at::Tensor features = at::zeros({batch, count, channels}, planes.options());
  const float scale = static_cast<float>(2.0 / box_side);
  const float* plane_data = planes.const_data_ptr<float>();
  const float* point_data = points.const_data_ptr<float>();
  float* feature_data = features.mutable_data_ptr<float>();
  parallel_for(0, batch * count, 512, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* out = feature_data + i * channels;
      for (int plane = 0; plane < 3; ++plane) {
        const Corners corners = corners_of(point_data + i * 3, plane, third_is_zx, scale, side);
        const float* base = plane_data + (i / count * side * side * 3 + plane) * channels;
        for (int k = 0; k < 4; ++k) {
          const float weight = corners.weight[k];
          if (weight == 0.0f) continue;
          add_scaled(out, weight, base + corners.offset[k] * 3 * channels, channels);
        }
      }
    }
  });
  return features;
}

at::Tensor backward(const at::Tensor& v_features, const at::Tensor& points, int64_t side, double box_side,
                    bool third_is_zx) {
  TORCH_CHECK(v_features.is_contiguous() && points.is_contiguous(), "v_features and points must be contiguous");
  const int64_t batch = points.size(0), count = points.size(1), channels = v_features.size(2);
  at::Tensor v_planes = at::zeros({batch, side, side, 3, channels}, v_features.options());
  const float scale = static_cast<float>(2.0 / box_side);
  const float* v_feature_data = v_features.const_data_ptr<float>();
  const float* point_data = points.const_data_ptr<float>();
  float* v_plane_data = v_planes.mutable_data_ptr<float>();
  parallel_for(0, batch * 3, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t head = task / 3;
      float* base = v_plane_data + (head * side * side * 3 + task % 3) * channels;
      for (int64_t i = head * count; i < (head + 1) * count; ++i) {
        const Corners corners = corners_of(point_data + i * 3, static_cast<int>(task % 3), third_is_zx, scale, side);
        const float* in = v_feature_data + i * channels;
        for (int k = 0; k < 4; ++k) {
          const float weight = corners.weight[k];
          if (weight == 0.0f) continue;
          add_scaled(base + corners.offset[k] * 3 * channels, weight, in, channels);
        }
      }
    }
  });
  return v_planes;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def("sample_planes_forward(Tensor planes, Tensor points, float box_side, bool third_is_zx) -> Tensor", forward);
  library.def(
      "sample_planes_backward(Tensor v_features, Tensor points, int side, float box_side, bool third_is_zx) -> Tensor",
      backward);
}
