// Reading an anchor volume and canonical planes at points. Volumes and planes are stored by cell and by pixel, so that a
// corner is one run of floats. The backward pass gives each (head, plane) to one thread: no two write one cell.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "../parallel.h"

namespace {

using namespace geoinv;

constexpr int kChannels = 8;  // of a volume
constexpr int kPlanes = 4;    // front and back slab, top, side

// The lower of two neighbouring cells and how much the upper one counts; held constant beyond the outermost centres.
struct Between {
  int64_t low, high;
  float share;
};

inline Between between(float place, int64_t side) {  // place in [-1, 1]
  const float cell = std::min(std::max(((place + 1.0f) * side - 1.0f) * 0.5f, 0.0f), static_cast<float>(side - 1));
  const float low = std::floor(cell);
  const int64_t first = static_cast<int64_t>(low);
  return {first, std::min(first + 1, side - 1), cell - low};
}

// out[0:8] += weight * the trilinear mean of volume at a place in [-1, 1]^3.
inline void add_trilinear(float* __restrict out, float weight, const float* volume, int64_t side, const float* place) {
  const Between x = between(place[0], side), y = between(place[1], side), z = between(place[2], side);
  for (int k = 0; k < 8; ++k) {
    const float share = weight * (k & 1 ? x.share : 1.0f - x.share) * (k & 2 ? y.share : 1.0f - y.share) *
                        (k & 4 ? z.share : 1.0f - z.share);
    const int64_t cell = ((k & 4 ? z.high : z.low) * side + (k & 2 ? y.high : y.low)) * side + (k & 1 ? x.high : x.low);
    const float* at = volume + cell * kChannels;
    for (int c = 0; c < kChannels; ++c) out[c] += share * at[c];
  }
}

at::Tensor read_anchor(const at::Tensor& whole, const at::Tensor& face, const at::Tensor& points,
                       at::ArrayRef<double> low, at::ArrayRef<double> high, double box_side, double margin) {
  TORCH_CHECK(whole.is_contiguous() && face.is_contiguous() && points.is_contiguous(), "tensors must be contiguous");
  const int64_t batch = points.size(0), count = points.size(1), side = whole.size(1), face_side = face.size(1);
  at::Tensor values = at::zeros({batch, count, kChannels}, points.options());
  const float* whole_data = whole.const_data_ptr<float>();
  const float* face_data = face.const_data_ptr<float>();
  const float* point_data = points.const_data_ptr<float>();
  float* value_data = values.mutable_data_ptr<float>();
  float start[3], scale[3];
  for (int axis = 0; axis < 3; ++axis) {
    start[axis] = static_cast<float>(low[axis]);
    scale[axis] = static_cast<float>(2.0 / (high[axis] - low[axis]));
  }
  const float to_box = static_cast<float>(2.0 / box_side), per_margin = static_cast<float>(0.5 / margin);
  parallel_for(0, batch * count, 512, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t head = i / count;
      const float* point = point_data + i * 3;
      float in_box[3], in_face[3], inset = 1.0f;
      for (int axis = 0; axis < 3; ++axis) {
        in_box[axis] = point[axis] * to_box;
        in_face[axis] = (point[axis] - start[axis]) * scale[axis] - 1.0f;
        inset = std::min(inset, 1.0f - std::abs(in_face[axis]));
      }
      const float share = std::min(std::max(inset * per_margin, 0.0f), 1.0f);
      float* out = value_data + i * kChannels;
      if (share < 1.0f) {
        add_trilinear(out, 1.0f - share, whole_data + head * side * side * side * kChannels, side, in_box);
      }
      if (share > 0.0f) {
        const int64_t cells = face_side * face_side * face_side;
        add_trilinear(out, share, face_data + head * cells * kChannels, face_side, in_face);
      }
    }
  });
  return values;
}

struct Corners {
  int64_t offset[4];
  float weight[4];
};

// Where plane `plane` is read for a place, and how much each of the four pixels counts.
inline Corners corners_of(const float* place, float front, int plane, int64_t side) {
  const Between column = between(plane == 3 ? place[2] : place[0], side);
  const Between row = between(plane == 2 ? place[2] : place[1], side);
  const float weight = (plane == 0 ? front : plane == 1 ? 1.0f - front : 1.0f) / 3.0f;
  Corners corners;
  for (int k = 0; k < 4; ++k) {
    corners.offset[k] = (k & 2 ? row.high : row.low) * side + (k & 1 ? column.high : column.low);
    corners.weight[k] =
        weight * (k & 1 ? column.share : 1.0f - column.share) * (k & 2 ? row.share : 1.0f - row.share);
  }
  return corners;
}

inline void add_scaled(float* __restrict y, float a, const float* __restrict x, int64_t count) {
  if (count == 32) {  // the models that ship: known to the compiler, which then keeps registers
    for (int c = 0; c < 32; ++c) y[c] += a * x[c];
  } else {
    for (int64_t c = 0; c < count; ++c) y[c] += a * x[c];
  }
}

at::Tensor sample_forward(const at::Tensor& planes, const at::Tensor& places, const at::Tensor& front) {
  TORCH_CHECK(planes.is_contiguous() && places.is_contiguous() && front.is_contiguous(), "tensors must be contiguous");
  const int64_t batch = places.size(0), count = places.size(1), side = planes.size(1), channels = planes.size(4);
  at::Tensor features = at::zeros({batch, count, channels}, planes.options());
  const float* plane_data = planes.const_data_ptr<float>();
  const float* place_data = places.const_data_ptr<float>();
  const float* front_data = front.const_data_ptr<float>();
  float* feature_data = features.mutable_data_ptr<float>();
  parallel_for(0, batch * count, 512, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* out = feature_data + i * channels;
      for (int plane = 0; plane < kPlanes; ++plane) {
        if (front_data[i] == (plane == 0 ? 0.0f : 1.0f) && plane < 2) continue;
        const Corners corners = corners_of(place_data + i * 3, front_data[i], plane, side);
        const float* base = plane_data + (i / count * side * side * kPlanes + plane) * channels;
        for (int k = 0; k < 4; ++k) {
          add_scaled(out, corners.weight[k], base + corners.offset[k] * kPlanes * channels, channels);
        }
      }
    }
  });
  return features;
}

at::Tensor sample_backward(const at::Tensor& v_features, const at::Tensor& places, const at::Tensor& front,
                           int64_t side) {
  TORCH_CHECK(v_features.is_contiguous() && places.is_contiguous() && front.is_contiguous(),
              "tensors must be contiguous");
  const int64_t batch = places.size(0), count = places.size(1), channels = v_features.size(2);
  at::Tensor v_planes = at::zeros({batch, side, side, kPlanes, channels}, v_features.options());
  const float* v_feature_data = v_features.const_data_ptr<float>();
  const float* place_data = places.const_data_ptr<float>();
  const float* front_data = front.const_data_ptr<float>();
  float* v_plane_data = v_planes.mutable_data_ptr<float>();
  parallel_for(0, batch * kPlanes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t head = task / kPlanes;
      const int plane = static_cast<int>(task % kPlanes);
      float* base = v_plane_data + (head * side * side * kPlanes + plane) * channels;
      for (int64_t i = head * count; i < (head + 1) * count; ++i) {
        if (front_data[i] == (plane == 0 ? 0.0f : 1.0f) && plane < 2) continue;
        const Corners corners = corners_of(place_data + i * 3, front_data[i], plane, side);
        const float* in = v_feature_data + i * channels;
        for (int k = 0; k < 4; ++k) {
          add_scaled(base + corners.offset[k] * kPlanes * channels, corners.weight[k], in, channels);
        }
      }
    }
  });
  return v_planes;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def(
      "read_anchor(Tensor whole, Tensor face, Tensor points, float[] low, float[] high, float box_side, float margin) "
      "-> Tensor",
      read_anchor);
  library.def("sample_canonical_forward(Tensor planes, Tensor places, Tensor front) -> Tensor", sample_forward);
  library.def("sample_canonical_backward(Tensor v_features, Tensor places, Tensor front, int side) -> Tensor",
              sample_backward);
}
