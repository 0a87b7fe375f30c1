// Tensors as the kernels read them, and which kernels those are.
#include "tensors.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>

#include "render_rays_cpu.h"

namespace geoinv {

int64_t instruction_sets() {
#if defined(__x86_64__)
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  if (has_avx512) return 3;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 2;
#endif
  return 1;
}

const Kernels& kernels_of(int64_t instructions) {
  int64_t best = instruction_sets() - 1;
  if (instructions >= 0 && instructions < best) best = instructions;
#if defined(__x86_64__)
  if (best == 2) return kernels_avx512;
  if (best == 1) return kernels_avx2;
#endif
  return kernels_generic;
}

at::Tensor by_pixel(const at::Tensor& planes) {
  const int64_t channels = planes.size(2), missing = padded(channels) - channels;
  if (missing) {
    const at::Tensor pixels = at::constant_pad_nd(planes.permute({0, 1, 3, 4, 2}), {0, missing});
    return pixels.contiguous().permute({0, 1, 4, 2, 3});
  }
  if (planes.stride(2) == 1) return planes;
  return planes.permute({0, 1, 3, 4, 2}).contiguous().permute({0, 1, 4, 2, 3});
}

PlaneViews view_of(const at::Tensor& planes, double box_side, bool third_is_zx) {
  PlaneViews views;
  views.data = planes.const_data_ptr<float>();
  views.heads = planes.size(0), views.head_stride = planes.stride(0), views.plane_stride = planes.stride(1);
  views.row_stride = planes.stride(3), views.pixel_stride = planes.stride(4);
  views.side = static_cast<int32_t>(planes.size(3)), views.channels = static_cast<int32_t>(planes.size(2));
  views.scale = static_cast<float>(2.0 / box_side), views.third_is_zx = third_is_zx;
  const int64_t last = 2 * views.plane_stride + (planes.size(3) - 1) * (views.row_stride + views.pixel_stride);
  TORCH_CHECK(last < (int64_t{1} << 31), "planes of one head must span less than 2^31 numbers");
  return views;
}

at::Tensor film_rows(const at::Tensor& film) {
  const at::Tensor halves = film.unflatten(2, {2, film.size(2) / 2});
  const int64_t missing = padded(halves.size(3)) - halves.size(3);
  return missing ? at::constant_pad_nd(halves, {0, missing}) : halves.contiguous();
}

Decoder::Decoder(const at::Tensor& hidden_weight, const at::Tensor& hidden_bias, const at::Tensor& output_weight,
        const at::Tensor& output_bias) {
  const int64_t units = hidden_weight.size(0), outputs = output_weight.size(0), features = outputs - 1;
  const int64_t more_units = padded(units) - units, more_channels = padded(hidden_weight.size(1)) - hidden_weight.size(1);
  hidden_rows = at::constant_pad_nd(hidden_weight, {0, more_channels, 0, more_units}).contiguous();
  hidden_columns = hidden_rows.t().contiguous();
  hidden_bias_ = at::constant_pad_nd(hidden_bias, {0, more_units}).contiguous();
  const at::Tensor wide = at::constant_pad_nd(output_weight, {0, more_units});
  const at::Tensor feature_rows = wide.narrow(0, 1, features);
  output_rows = at::cat({feature_rows, wide.narrow(0, 0, 1)}).contiguous();
  const int64_t more_features = padded(features) - features;
  feature_matrix = at::constant_pad_nd(feature_rows.t(), {0, more_features}).contiguous();
  feature_bias = at::constant_pad_nd(output_bias.narrow(0, 1, features), {0, more_features}).contiguous();
  views.hidden = static_cast<int32_t>(padded(units)), views.features = static_cast<int32_t>(features);
  views.feature_columns = static_cast<int32_t>(padded(features));
  views.hidden_columns = hidden_columns.const_data_ptr<float>();
  views.hidden_rows = hidden_rows.const_data_ptr<float>();
  views.hidden_bias = hidden_bias_.const_data_ptr<float>();
  views.feature_matrix = feature_matrix.const_data_ptr<float>();
  views.feature_bias = feature_bias.const_data_ptr<float>();
  views.output_rows = output_rows.const_data_ptr<float>();
  views.density_bias = output_bias[0].item<float>();
}

}  // namespace geoinv
