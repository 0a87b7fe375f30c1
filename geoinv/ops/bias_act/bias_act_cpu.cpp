// Scale, noise, bias, leaky ReLU, gain and clamp of channels-last maps [B, P, C] (P pixels) in one pass over memory.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "../parallel.h"
#include "bias_act.h"

namespace {

using namespace geoinv;
using Optional = std::optional<at::Tensor>;

constexpr int64_t kPixels = 64;  // of one task; fixed, so that sums do not depend on the number of threads

const float* data_or_null(const Optional& tensor) {
  if (!tensor.has_value()) return nullptr;
  TORCH_CHECK(tensor->is_contiguous() && tensor->scalar_type() == at::kFloat, "bias, scale and noise must be contiguous float");
  return tensor->const_data_ptr<float>();
}

// Calls `body(task, sample, first pixel, last pixel)` for runs of pixels, in parallel.
template <typename Body>
void for_runs(int64_t batch, int64_t pixels, const Body& body) {
  const int64_t runs = (pixels + kPixels - 1) / kPixels;
  parallel_for(0, batch * runs, 8, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % runs * kPixels;
      body(task, task / runs, first, std::min(first + kPixels, pixels));
    }
  });
}

template <bool scaled>
void forward_row(const float* x, const float* scale, const float* bias, float noise, const Activation& activation,
                 int64_t channels, float* __restrict y) {
  for (int64_t c = 0; c < channels; ++c)
    y[c] = bias_act_forward(x[c], scaled ? scale[c] : 1.0f, noise + (bias ? bias[c] : 0.0f), activation);
}

// Sums of several lanes, because a compiler may not reorder the terms of one.
float sum_of(const float* values, int64_t count) {
  float lanes[16] = {}, sum = 0.0f;
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (int lane = 0; lane < 16; ++lane) lanes[lane] += values[i + lane];
  for (; i < count; ++i) sum += values[i];
  for (const float lane : lanes) sum += lane;
  return sum;
}

at::Tensor forward(const at::Tensor& x, const Optional& bias, const Optional& scale, const Optional& noise,
                   double slope, double gain, double limit) {
  TORCH_CHECK(x.dim() == 3 && x.is_contiguous(), "features must be contiguous [B, P, C]");
  const int64_t batch = x.size(0), pixels = x.size(1), channels = x.size(2);
  const Activation activation{static_cast<float>(slope), static_cast<float>(gain), static_cast<float>(limit)};
  const float *bias_data = data_or_null(bias), *scale_data = data_or_null(scale), *noise_data = data_or_null(noise);
  at::Tensor y = at::empty_like(x);
  const float* from = x.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  for_runs(batch, pixels, [&](int64_t, int64_t sample, int64_t first, int64_t last) {
    const float* factors = scale_data ? scale_data + sample * channels : nullptr;
    const auto row = factors ? forward_row<true> : forward_row<false>;
    for (int64_t pixel = first; pixel < last; ++pixel) {
      const int64_t offset = (sample * pixels + pixel) * channels;
      row(from + offset, factors, bias_data, noise_data ? noise_data[pixel] : 0.0f, activation, channels, to + offset);
    }
  });
  return y;
}

// Cotangents of x [B, P, C], and parts of those of scale and bias by run of pixels [B * runs, C], of noise [B, P].
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward(const at::Tensor& v_y, const at::Tensor& y,
                                                                    const at::Tensor& x, const Optional& scale,
                                                                    double slope, double gain, double limit) {
  TORCH_CHECK(v_y.is_contiguous() && y.is_contiguous() && x.is_contiguous(), "inputs must be contiguous [B, P, C]");
  const int64_t batch = x.size(0), pixels = x.size(1), channels = x.size(2), runs = (pixels + kPixels - 1) / kPixels;
  const Activation activation{static_cast<float>(slope), static_cast<float>(gain), static_cast<float>(limit)};
  const float* scale_data = data_or_null(scale);
  at::Tensor v_x = at::empty_like(x);
  at::Tensor v_scale = at::zeros({batch, runs, channels}, x.options()), v_bias = at::zeros_like(v_scale);
  at::Tensor v_noise = at::zeros({batch, pixels}, x.options());
  const float *v_y_data = v_y.const_data_ptr<float>(), *y_data = y.const_data_ptr<float>();
  const float* x_data = x.const_data_ptr<float>();
  float* v_x_data = v_x.mutable_data_ptr<float>();
  float *v_scale_data = v_scale.mutable_data_ptr<float>(), *v_bias_data = v_bias.mutable_data_ptr<float>();
  float* v_noise_data = v_noise.mutable_data_ptr<float>();
  for_runs(batch, pixels, [&](int64_t task, int64_t sample, int64_t first, int64_t last) {
    float *__restrict run_scale = v_scale_data + task * channels, *__restrict run_bias = v_bias_data + task * channels;
    std::vector<float> cotangents(channels);
    float* __restrict v = cotangents.data();
    for (int64_t pixel = first; pixel < last; ++pixel) {
      const int64_t offset = (sample * pixels + pixel) * channels;
      const float *v_out = v_y_data + offset, *out = y_data + offset, *in = x_data + offset;
      float* __restrict v_in = v_x_data + offset;
      for (int64_t c = 0; c < channels; ++c) v[c] = bias_act_backward(v_out[c], out[c], activation);
      for (int64_t c = 0; c < channels; ++c) run_bias[c] += v[c];
      if (scale_data) {
        const float* factors = scale_data + sample * channels;
        for (int64_t c = 0; c < channels; ++c) {
          run_scale[c] += v[c] * in[c];
          v_in[c] = v[c] * factors[c];
        }
      } else {
        std::copy(v, v + channels, v_in);
      }
      v_noise_data[sample * pixels + pixel] = sum_of(v, channels);
    }
  });
  return {v_x, v_scale, v_bias, v_noise};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def(
      "bias_act_forward(Tensor x, Tensor? bias, Tensor? scale, Tensor? noise, float slope, float gain, float limit) "
      "-> Tensor",
      forward);
  library.def(
      "bias_act_backward(Tensor v_y, Tensor y, Tensor x, Tensor? scale, float slope, float gain, float limit) "
      "-> (Tensor, Tensor, Tensor, Tensor)",
      backward);
}
