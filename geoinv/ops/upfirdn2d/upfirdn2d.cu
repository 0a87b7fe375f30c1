// Separable up-filter-down of channels-last maps [B, H, W, C] on a GPU: a thread an element of the output.
#include "../launch.h"
#include "upfirdn2d.h"

namespace geoinv {

__global__ void forward_kernel(const float* x, const float* taps, int64_t batch, int64_t channels, Axis rows,
                               Axis columns, float* y) {
  GEOINV_FOR_EACH(i, batch * rows.out * columns.out * channels) {
    const int64_t channel = i % channels, column = i / channels % columns.out;
    const int64_t row = i / (channels * columns.out) % rows.out, sample = i / (channels * columns.out * rows.out);
    const Span down = span_of(rows, row), along = span_of(columns, column);
    float sum = 0.0f;
    for (int r = 0; r < down.count; ++r) {
      const float* line = x + ((sample * rows.in + down.first_input + r) * columns.in + along.first_input) * channels;
      float joined = 0.0f;
      for (int c = 0; c < along.count; ++c)
        joined += taps[along.first_tap + c * columns.up] * line[c * channels + channel];
      sum += taps[down.first_tap + r * rows.up] * joined;
    }
    y[i] = sum;
  }
}

}  // namespace geoinv

extern "C" int upfirdn2d_forward(const float* x, const float* taps, int64_t count, int64_t batch, int64_t height,
                                 int64_t width, int64_t channels, int64_t up, int64_t down, int64_t pad,
                                 int64_t out_height, int64_t out_width, float* y, void* stream) {
  using namespace geoinv;
  const int u = static_cast<int>(up), d = static_cast<int>(down), p = static_cast<int>(pad), n = static_cast<int>(count);
  const Axis rows{height, out_height, u, d, p, n}, columns{width, out_width, u, d, p, n};
  GEOINV_LAUNCH(forward_kernel, batch * out_height * out_width * channels, stream, x, taps, batch, channels, rows,
                columns, y);
  return GEOINV_LAST_ERROR();
}
