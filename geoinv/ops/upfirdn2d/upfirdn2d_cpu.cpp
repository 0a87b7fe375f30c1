// Separable up-filter-down of channels-last maps [B, H, W, C]. For each row of the output the rows of the input are
// joined first into a buffer of one row, then that along the row; no zero is multiplied and no padded copy is made.
#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../parallel.h"
#include "upfirdn2d.h"

namespace {

using namespace geoinv;

// sum[0:count] = (add ? sum : 0) + tap * from
template <typename Scalar>
inline void accumulate(float* __restrict sum, const Scalar* __restrict from, float tap, int64_t count, bool add) {
  if (add) {
    for (int64_t i = 0; i < count; ++i) sum[i] += tap * static_cast<float>(from[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) sum[i] = tap * static_cast<float>(from[i]);
  }
}

template <typename Scalar>
void filter_row(const Scalar* sample, const float* taps, const Axis& rows, const Axis& columns, int64_t channels,
                int64_t row, float* joined, float* sums, Scalar* out) {
  const Span down_rows = span_of(rows, row);
  const int64_t width = columns.in * channels;
  if (down_rows.count == 0) std::fill(joined, joined + width, 0.0f);
  for (int i = 0; i < down_rows.count; ++i)
    accumulate(joined, sample + (down_rows.first_input + i) * width, taps[down_rows.first_tap + i * rows.up], width, i > 0);
  for (int64_t column = 0; column < columns.out; ++column) {
    const Span along = span_of(columns, column);
    if (along.count == 0) std::fill(sums, sums + channels, 0.0f);
    for (int i = 0; i < along.count; ++i)
      accumulate(sums, joined + (along.first_input + i) * channels, taps[along.first_tap + i * columns.up], channels, i > 0);
    for (int64_t c = 0; c < channels; ++c) out[column * channels + c] = static_cast<Scalar>(sums[c]);
  }
}

// x [B, H, W, C], taps [n] (for both axes, gain included) -> [B, out_height, out_width, C]
at::Tensor forward(const at::Tensor& x, const at::Tensor& taps, int64_t up, int64_t down, int64_t pad,
                   int64_t out_height, int64_t out_width) {
  TORCH_CHECK(x.dim() == 4 && x.is_contiguous(), "features must be contiguous [B, H, W, C]");
  TORCH_CHECK(taps.dim() == 1 && taps.is_contiguous() && taps.scalar_type() == at::kFloat, "taps must be float [n]");
  const int64_t batch = x.size(0), channels = x.size(3);
  const auto axis = [&](int64_t in, int64_t out) {
    return Axis{in, out, static_cast<int>(up), static_cast<int>(down), static_cast<int>(pad), static_cast<int>(taps.size(0))};
  };
  const Axis rows = axis(x.size(1), out_height), columns = axis(x.size(2), out_width);
  at::Tensor y = at::empty({batch, out_height, out_width, channels}, x.options());
  const float* tap_data = taps.const_data_ptr<float>();
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, x.scalar_type(), "upfirdn2d_forward", [&] {
    const scalar_t* from = x.const_data_ptr<scalar_t>();
    scalar_t* to = y.mutable_data_ptr<scalar_t>();
    parallel_for(0, batch * out_height, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> joined(columns.in * channels), sums(channels);
      for (int64_t i = begin; i < end; ++i)
        filter_row(from + i / out_height * rows.in * columns.in * channels, tap_data, rows, columns, channels,
                   i % out_height, joined.data(), sums.data(), to + i * out_width * channels);
    });
  });
  return y;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def(
      "upfirdn2d_forward(Tensor x, Tensor taps, int up, int down, int pad, int out_height, int out_width) -> Tensor",
      forward);
}
