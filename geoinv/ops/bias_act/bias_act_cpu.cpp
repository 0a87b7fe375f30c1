// Scale, noise, bias, leaky ReLU, gain and clamp of channels-last maps [B, P, C] (P pixels) in one pass over memory.
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <tuple>

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
  at::parallel_for(0, batch * runs, 8, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % runs * kPixels;
      body(task, task / runs, first, std::min(first + kPixels, pixels));
    }
  });
}

template <typename Scalar, bool scaled>
void forward_row(const Scalar* x, const float* scale, const float* bias, float noise, const Activation& activation,
                 int64_t channels, Scalar* y) {
  for (int64_t c = 0; c < channels; ++c)
    y[c] = static_cast<Scalar>(bias_act_forward(static_cast<float>(x[c]), scaled ? scale[c] : 1.0f,
                                                noise + (bias ? bias[c] : 0.0f), activation));
}

at::Tensor forward(const at::Tensor& x, const Optional& bias, const Optional& scale, const Optional& noise,
                   double slope, double gain, double limit) {
  TORCH_CHECK(x.dim() == 3 && x.is_contiguous(), "features must be contiguous [B, P, C]");
  const int64_t batch = x.size(0), pixels = x.size(1), channels = x.size(2);
  const Activation activation{static_cast<float>(slope), static_cast<float>(gain), static_cast<float>(limit)};
  const float *bias_data = data_or_null(bias), *scale_data = data_or_null(scale), *noise_data = data_or_null(noise);
  at::Tensor y = at::empty_like(x);
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, x.scalar_type(), "bias_act_forward", [&] {
    const scalar_t* from = x.const_data_ptr<scalar_t>();
    scalar_t* to = y.mutable_data_ptr<scalar_t>();
    for_runs(batch, pixels, [&](int64_t, int64_t sample, int64_t first, int64_t last) {
      const float* factors = scale_data ? scale_data + sample * channels : nullptr;
      for (int64_t pixel = first; pixel < last; ++pixel) {
        const int64_t offset = (sample * pixels + pixel) * channels;
        const auto row = factors ? forward_row<scalar_t, true> : forward_row<scalar_t, false>;
        row(from + offset, factors, bias_data, noise_data ? noise_data[pixel] : 0.0f, activation, channels, to + offset);
      }
    });
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
  const auto options = x.options().dtype(at::kFloat);
  at::Tensor v_scale = at::zeros({batch, runs, channels}, options), v_bias = at::zeros({batch, runs, channels}, options);
  at::Tensor v_noise = at::zeros({batch, pixels}, options);
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, x.scalar_type(), "bias_act_backward", [&] {
    const scalar_t *v_y_data = v_y.const_data_ptr<scalar_t>(), *y_data = y.const_data_ptr<scalar_t>();
    const scalar_t* x_data = x.const_data_ptr<scalar_t>();
    scalar_t* v_x_data = v_x.mutable_data_ptr<scalar_t>();
    float *v_scale_data = v_scale.mutable_data_ptr<float>(), *v_bias_data = v_bias.mutable_data_ptr<float>();
    float* v_noise_data = v_noise.mutable_data_ptr<float>();
    for_runs(batch, pixels, [&](int64_t task, int64_t sample, int64_t first, int64_t last) {
      const float* factors = scale_data ? scale_data + sample * channels : nullptr;
      float *__restrict run_scale = v_scale_data + task * channels, *__restrict run_bias = v_bias_data + task * channels;
      for (int64_t pixel = first; pixel < last; ++pixel) {
        const int64_t offset = (sample * pixels + pixel) * channels;
        const scalar_t *v_out = v_y_data + offset, *out = y_data + offset, *in = x_data + offset;
        scalar_t* __restrict v_in = v_x_data + offset;
        float sum = 0.0f;
        for (int64_t c = 0; c < channels; ++c) {
          const float v = bias_act_backward(static_cast<float>(v_out[c]), static_cast<float>(out[c]), activation);
          run_bias[c] += v;
          run_scale[c] += v * static_cast<float>(in[c]);
          v_in[c] = static_cast<scalar_t>(factors ? v * factors[c] : v);
          sum += v;
        }
        v_noise_data[sample * pixels + pixel] = sum;
      }
    });
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
