// Filling one grid of an anchor volume: splat, pull-push, and the quantities that a decoder reads. The specification is
// geoinv/models/anchor_grid.py. One head after another in a thread; rows of cells are runs of floats.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../parallel.h"

namespace {

using namespace geoinv;

constexpr int kSums = 12;  // displacement 3, normal 3, place 3, normal . place, part, weight; each times weight
constexpr int kChannels = 8;
constexpr int64_t kCoarsest = 8;
constexpr float kFurthest = 0.3f, kLeastNormal = 0.3f;
constexpr float kOpposed = 0.2f, kAlike = 0.6f, kPresent = 0.1f, kClosed = 0.5f;

struct Box {
  float low[3], cell[3];
};

// The sums of the cells around every place.
void splat(float* sums, const float* places, const float* normals, const float* homes, const float* parts,
           const float* weights, int64_t count, int64_t side, const Box& box) {
  for (int64_t i = 0; i < count; ++i) {
    const float* p = places + 3 * i;
    const float* n = normals + 3 * i;
    int64_t first[3];
    float share[3];
    bool is_outside = false;
    for (int axis = 0; axis < 3; ++axis) {
      const float cell = (p[axis] - box.low[axis]) / box.cell[axis] - 0.5f;
      if (!(cell > -1.0f && cell < side)) is_outside = true;
      const float low = std::floor(cell);
      first[axis] = is_outside ? 0 : static_cast<int64_t>(low);
      share[axis] = cell - low;
    }
    if (is_outside) continue;
    const float w = weights[i];
    float row[kSums];
    for (int axis = 0; axis < 3; ++axis) {
      row[axis] = w * (homes[3 * i + axis] - p[axis]);
      row[3 + axis] = w * n[axis];
      row[6 + axis] = w * p[axis];
    }
    row[9] = w * (n[0] * p[0] + n[1] * p[1] + n[2] * p[2]);
    row[10] = w * parts[i];
    row[11] = w;
    for (int k = 0; k < 8; ++k) {
      const int64_t x = first[0] + (k & 1), y = first[1] + (k >> 1 & 1), z = first[2] + (k >> 2);
      if (x < 0 || y < 0 || z < 0 || x >= side || y >= side || z >= side) continue;
      const float part = (k & 1 ? share[0] : 1.0f - share[0]) * (k & 2 ? share[1] : 1.0f - share[1]) *
                         (k & 4 ? share[2] : 1.0f - share[2]);
      float* at = sums + ((z * side + y) * side + x) * kSums;
      for (int c = 0; c < kSums; ++c) at[c] += part * row[c];
    }
  }
}

// Half the side: a quarter of the sum of eight cells, because four of them carry a surface that passes straight through.
void pull(float* __restrict coarse, const float* __restrict fine, int64_t side) {
  const int64_t half = side / 2;
  for (int64_t z = 0; z < half; ++z) {
    for (int64_t y = 0; y < half; ++y) {
      for (int64_t x = 0; x < half; ++x) {
        float sum[kSums] = {};
        for (int k = 0; k < 4; ++k) {
          const float* at = fine + (((2 * z + (k >> 1)) * side + 2 * y + (k & 1)) * side + 2 * x) * kSums;
          for (int c = 0; c < kSums; ++c) sum[c] += at[c] + at[kSums + c];
        }
        float* out = coarse + ((z * half + y) * half + x) * kSums;
        for (int c = 0; c < kSums; ++c) out[c] = 0.25f * sum[c];
      }
    }
  }
}

// Spread the top of the pyramid as far as its other end: mean over neighbours, the outermost cells repeated.
void spread(std::vector<float>& level, int64_t side, float push) {
  std::vector<float> next(level.size());
  for (int64_t pass = 0; pass < side; ++pass) {
    for (int64_t z = 0; z < side; ++z) {
      for (int64_t y = 0; y < side; ++y) {
        for (int64_t x = 0; x < side; ++x) {
          float sum[kSums] = {};
          for (int64_t k = 0; k < 27; ++k) {
            const int64_t a = std::clamp(z + k / 9 - 1, int64_t{0}, side - 1);
            const int64_t b = std::clamp(y + k / 3 % 3 - 1, int64_t{0}, side - 1);
            const int64_t c = std::clamp(x + k % 3 - 1, int64_t{0}, side - 1);
            const float* at = level.data() + ((a * side + b) * side + c) * kSums;
            for (int s = 0; s < kSums; ++s) sum[s] += at[s];
          }
          const int64_t cell = ((z * side + y) * side + x) * kSums;
          for (int s = 0; s < kSums; ++s) next[cell + s] = level[cell + s] + push / 27.0f * sum[s];
        }
      }
    }
    level.swap(next);
  }
}

// Which two coarse cells a fine one lies between, the one around it first, and how much each counts.
struct Parents {
  int64_t first, second;
};
constexpr float kNear = 0.75f, kFar = 0.25f;

inline Parents parents_of(int64_t fine, int64_t half) {
  const int64_t near = fine / 2;
  return {near, std::clamp(fine % 2 ? near + 1 : near - 1, int64_t{0}, half - 1)};
}

// Add `push` times the trilinear enlargement of `coarse` to one row (z, y) of `fine`; `between` holds half a row.
void push_row(float* __restrict row, const float* coarse, float* __restrict between, int64_t z, int64_t y, int64_t side,
              float push) {
  const int64_t half = side / 2, length = half * kSums;
  const Parents in_z = parents_of(z, half), in_y = parents_of(y, half);
  const float* rows[4] = {
      coarse + (in_z.first * half + in_y.first) * length,
      coarse + (in_z.first * half + in_y.second) * length,
      coarse + (in_z.second * half + in_y.first) * length,
      coarse + (in_z.second * half + in_y.second) * length,
  };
  for (int64_t i = 0; i < length; ++i) {
    between[i] =
        push * (kNear * (kNear * rows[0][i] + kFar * rows[1][i]) + kFar * (kNear * rows[2][i] + kFar * rows[3][i]));
  }
  for (int64_t x = 0; x < side; ++x) {
    const Parents in_x = parents_of(x, half);
    const float* first = between + in_x.first * kSums;
    const float* second = between + in_x.second * kSums;
    float* at = row + x * kSums;
    for (int c = 0; c < kSums; ++c) at[c] += kNear * first[c] + kFar * second[c];
  }
}

// One row of cells: sums -> what is read.
void finish_row(float* __restrict out, const float* __restrict sums, int64_t z, int64_t y, int64_t side, const Box& box) {
  const float closed = -kClosed / 3.0f * (box.cell[0] + box.cell[1] + box.cell[2]);
  const float cy = box.low[1] + (y + 0.5f) * box.cell[1], cz = box.low[2] + (z + 0.5f) * box.cell[2];
  for (int64_t x = 0; x < side; ++x) {
    const float* s = sums + x * kSums;
    float* o = out + x * kChannels;
    const float cx = box.low[0] + (x + 0.5f) * box.cell[0];
    const float scale = 1.0f / std::max(s[11], 1e-30f);
    const float nx = s[3] * scale, ny = s[4] * scale, nz = s[5] * scale;
    const float length = std::sqrt(nx * nx + ny * ny + nz * nz), unit = 1.0f / (length + 1e-6f);
    const float ux = nx * unit, uy = ny * unit, uz = nz * unit;
    const float along = s[9] * scale / std::max(length, kLeastNormal);
    const float nearer = 0.5f * (along + scale * (s[6] * ux + s[7] * uy + s[8] * uz));
    o[0] = s[0] * scale;
    o[1] = s[1] * scale;
    o[2] = s[2] * scale;
    const float opposed = std::clamp((kAlike - length) / (kAlike - kOpposed), 0.0f, 1.0f);
    const float distance = cx * ux + cy * uy + cz * uz - nearer;
    const float between = std::min(distance, cx * nx + cy * ny + cz * nz - scale * s[9]);
    const float unsure = between + std::min(s[11] / kPresent, 1.0f) * (closed - between);
    o[3] = std::clamp(distance + opposed * (unsure - distance), -kFurthest, kFurthest);
    o[4] = ux;
    o[5] = uy;
    o[6] = uz;
    o[7] = s[10] * scale;
  }
}

void fill(float* out, const float* places, const float* normals, const float* homes, const float* parts,
          const float* weights, int64_t count, int64_t side, const Box& box, float push) {
  // kept between calls: fresh memory of this size costs more than the sums
  thread_local std::vector<float> whole;
  whole.assign(side * side * side * kSums, 0.0f);
  splat(whole.data(), places, normals, homes, parts, weights, count, side, box);
  std::vector<std::vector<float>> coarser;
  const float* finer = whole.data();
  for (int64_t s = side; s > kCoarsest; s /= 2) {
    coarser.emplace_back(s * s * s / 8 * kSums);
    pull(coarser.back().data(), finer, s);
    finer = coarser.back().data();
  }
  spread(coarser.empty() ? whole : coarser.back(), std::min(side, kCoarsest), push);
  std::vector<float> between(side / 2 * kSums);
  for (int64_t level = static_cast<int64_t>(coarser.size()) - 2; level >= 0; --level) {
    const int64_t s = side >> (level + 1);
    for (int64_t row = 0; row < s * s; ++row) {
      push_row(coarser[level].data() + row * s * kSums, coarser[level + 1].data(), between.data(), row / s, row % s, s,
               push);
    }
  }
  for (int64_t row = 0; row < side * side; ++row) {
    float* sums = whole.data() + row * side * kSums;
    if (!coarser.empty()) push_row(sums, coarser[0].data(), between.data(), row / side, row % side, side, push);
    finish_row(out + row * side * kChannels, sums, row / side, row % side, side, box);
  }
}

at::Tensor fill_grid(const at::Tensor& places, const at::Tensor& normals, const at::Tensor& homes,
                     const at::Tensor& parts, const at::Tensor& weights, at::ArrayRef<double> low,
                     at::ArrayRef<double> cell, int64_t side, double push) {
  for (const at::Tensor* tensor : {&places, &normals, &homes, &parts, &weights}) {
    TORCH_CHECK(tensor->is_contiguous() && tensor->scalar_type() == at::kFloat, "tensors must be contiguous floats");
  }
  const int64_t batch = places.size(0), count = places.size(1);
  at::Tensor volume = at::empty({batch, side, side, side, kChannels}, places.options());
  Box box;
  for (int axis = 0; axis < 3; ++axis) {
    box.low[axis] = static_cast<float>(low[axis]);
    box.cell[axis] = static_cast<float>(cell[axis]);
  }
  float* out = volume.mutable_data_ptr<float>();
  const float* place_data = places.const_data_ptr<float>();
  const float* normal_data = normals.const_data_ptr<float>();
  parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t head = begin; head < end; ++head) {
      fill(out + head * side * side * side * kChannels, place_data + head * count * 3, normal_data + head * count * 3,
           homes.const_data_ptr<float>(), parts.const_data_ptr<float>(), weights.const_data_ptr<float>(), count, side,
           box, static_cast<float>(push));
    }
  });
  return volume;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def(
      "fill_grid(Tensor places, Tensor normals, Tensor homes, Tensor parts, Tensor weights, float[] low, float[] cell, "
      "int side, float push) -> Tensor",
      fill_grid);
}
