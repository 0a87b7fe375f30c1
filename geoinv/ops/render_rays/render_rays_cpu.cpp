// Rays on CPU: tensors in and out, the instruction set chosen at run time, and torch's own threads.
#include "render_rays_cpu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <memory>

#include "tasks.h"

namespace geoinv {
namespace {

constexpr int64_t kPadding = 16;  // the widest vector, in floats
constexpr int64_t kMaxParts = 8;  // copies of one head's gradient, where there are fewer heads than threads

int64_t padded(int64_t count) { return (count + kPadding - 1) / kPadding * kPadding; }

// The best instruction set of this processor, or one of those below it: 0 generic, 1 AVX2, 2 AVX-512.
const Kernels& kernels_of(int64_t instructions) {
  int64_t best = instruction_sets() - 1;
  if (instructions >= 0 && instructions < best) best = instructions;
#if defined(__x86_64__)
  if (best == 2) return kernels_avx512;
  if (best == 1) return kernels_avx2;
#endif
  return kernels_generic;
}

// Memory of one thread, aligned for vectors.
struct Scratch {
  explicit Scratch(int64_t floats) : memory(new float[floats + 16]) {
    const auto address = reinterpret_cast<uintptr_t>(memory.get());
    aligned = reinterpret_cast<float*>((address + 63) / 64 * 64);
  }
  std::unique_ptr<float[]> memory;
  float* aligned;
};

// Planes [B, 3, C, R, R] whose channels lie side by side, their number a multiple of 16: the tensor itself where it is
// so already, as after a channels-last convolution.
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

// Weights of the decoder in the orders that the kernels read.
struct Decoder {
  Decoder(const at::Tensor& hidden_weight, const at::Tensor& hidden_bias, const at::Tensor& output_weight,
          const at::Tensor& output_bias, int64_t channels) {
    const int64_t units = hidden_weight.size(0), outputs = output_weight.size(0), features = outputs - 1;
    const int64_t more_units = padded(units) - units, more_channels = channels - hidden_weight.size(1);
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
  at::Tensor hidden_rows, hidden_columns, hidden_bias_, output_rows, feature_matrix, feature_bias;
  DecoderViews views;
};

MarchTask march_task(const at::Tensor& planes, const Decoder& decoder, const at::Tensor& origins,
                     const at::Tensor& directions, const at::Tensor& distances, double box_side, bool third_is_zx) {
  TORCH_CHECK(origins.is_contiguous() && directions.is_contiguous() && distances.is_contiguous(),
              "origins, directions and distances must be contiguous");
  MarchTask task{};
  task.planes = view_of(planes, box_side, third_is_zx), task.decoder = decoder.views;
  task.rays = distances.size(1), task.samples = distances.size(2);
  task.origins = origins.const_data_ptr<float>(), task.directions = directions.const_data_ptr<float>();
  task.distances = distances.const_data_ptr<float>();
  return task;
}

const float* data_or_null(const std::optional<at::Tensor>& tensor) {
  if (!tensor.has_value()) return nullptr;
  TORCH_CHECK(tensor->is_contiguous(), "gradients must be contiguous");
  return tensor->const_data_ptr<float>();
}

}  // namespace

int64_t instruction_sets() {
#if defined(__x86_64__)
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  if (has_avx512) return 3;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 2;
#endif
  return 1;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> march_rays_forward(
    const at::Tensor& planes, const at::Tensor& origins, const at::Tensor& directions, const at::Tensor& distances,
    const at::Tensor& hidden_weight, const at::Tensor& hidden_bias, const at::Tensor& output_weight,
    const at::Tensor& output_bias, double box_side, bool third_is_zx, int64_t instructions) {
  const int64_t heads = distances.size(0), rays = distances.size(1), samples = distances.size(2);
  const at::Tensor pixels = by_pixel(planes);
  const Decoder decoder(hidden_weight, hidden_bias, output_weight, output_bias, pixels.size(2));
  MarchTask task = march_task(pixels, decoder, origins, directions, distances, box_side, third_is_zx);
  at::Tensor features = at::empty({heads, rays, decoder.views.features}, distances.options());
  at::Tensor alpha = at::empty({heads, rays}, distances.options()), distance = at::empty_like(alpha);
  at::Tensor weights = at::empty({heads, rays, samples - 1}, distances.options());
  task.features = features.mutable_data_ptr<float>(), task.alpha = alpha.mutable_data_ptr<float>();
  task.distance = distance.mutable_data_ptr<float>(), task.weights = weights.mutable_data_ptr<float>();
  const Kernels& kernels = kernels_of(instructions);
  constexpr int64_t kRays = 48;  // of one head, at once
  const int64_t parts = (rays + kRays - 1) / kRays;
  at::parallel_for(0, heads * parts, 1, [&](int64_t begin, int64_t end) {
    const Scratch scratch(kernels.march_scratch(task));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % parts * kRays;
      kernels.march_forward(task, i / parts, first, std::min(first + kRays, rays), scratch.aligned);
    }
  });
  return {features, alpha, distance, weights};
}

std::vector<at::Tensor> march_rays_backward(
    const std::optional<at::Tensor>& v_features, const std::optional<at::Tensor>& v_alpha,
    const std::optional<at::Tensor>& v_distance, const std::optional<at::Tensor>& v_weights, const at::Tensor& planes,
    const at::Tensor& origins, const at::Tensor& directions, const at::Tensor& distances,
    const at::Tensor& hidden_weight, const at::Tensor& hidden_bias, const at::Tensor& output_weight,
    const at::Tensor& output_bias, double box_side, bool third_is_zx, bool wants_rays, int64_t instructions) {
  const int64_t heads = distances.size(0), rays = distances.size(1);
  const int64_t channels = planes.size(2), units = hidden_weight.size(0), outputs = output_weight.size(0);
  const at::Tensor pixels = by_pixel(planes);
  const Decoder decoder(hidden_weight, hidden_bias, output_weight, output_bias, pixels.size(2));
  const MarchTask task = march_task(pixels, decoder, origins, directions, distances, box_side, third_is_zx);
  const int64_t wanted = (at::get_num_threads() + heads - 1) / std::max<int64_t>(heads, 1);
  const int64_t parts = std::clamp<int64_t>(std::min(wanted, rays / 64), 1, kMaxParts);
  // [parts, heads, 3, C, R, R], pixels in the order of the planes' own
  at::Tensor v_planes;
  if (parts == 1 && pixels.is_non_overlapping_and_dense()) {
    v_planes = at::empty_strided(pixels.sizes(), pixels.strides(), pixels.options()).zero_().unsqueeze(0);
  } else {
    const int64_t side = pixels.size(3);
    v_planes = at::zeros({parts, heads, 3, side, side, pixels.size(2)}, pixels.options()).permute({0, 1, 2, 5, 3, 4});
  }
  MarchTask strided = task;  // offsets serve both the planes and their gradient: only where they are laid out alike
  at::Tensor read = pixels;
  if (v_planes[0].strides() != pixels.strides()) {
    read = at::empty_strided(v_planes[0].sizes(), v_planes[0].strides(), pixels.options()).copy_(pixels);
    strided.planes = view_of(read, box_side, third_is_zx);
  }
  const int64_t sets = parts * heads, hidden = decoder.views.hidden;
  at::Tensor v_hidden = at::zeros({sets, pixels.size(2), hidden}, pixels.options());
  at::Tensor v_hidden_bias = at::zeros({sets, hidden}, pixels.options());
  at::Tensor v_output = at::zeros({sets, outputs, hidden}, pixels.options());
  at::Tensor v_output_bias = at::zeros({sets, outputs}, pixels.options());
  at::Tensor v_origins, v_directions, v_distances;
  if (wants_rays)
    v_origins = at::zeros_like(origins), v_directions = at::zeros_like(origins),
    v_distances = at::zeros_like(distances);
  MarchGradients gradients{};
  gradients.v_features = data_or_null(v_features), gradients.v_alpha = data_or_null(v_alpha);
  gradients.v_distance = data_or_null(v_distance), gradients.v_weights = data_or_null(v_weights);
  if (wants_rays) {
    gradients.v_origins = v_origins.mutable_data_ptr<float>();
    gradients.v_directions = v_directions.mutable_data_ptr<float>();
    gradients.v_distances = v_distances.mutable_data_ptr<float>();
  }
  const Kernels& kernels = kernels_of(instructions);
  float* v_plane_data = v_planes.mutable_data_ptr<float>();
  at::parallel_for(0, sets, 1, [&](int64_t begin, int64_t end) {
    const Scratch scratch(kernels.march_scratch(strided));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t part = i / heads, head = i % heads;
      MarchGradients own = gradients;
      own.v_planes = v_plane_data + part * v_planes.stride(0) + head * v_planes.stride(1);
      own.v_hidden_columns = v_hidden.mutable_data_ptr<float>() + i * v_hidden.stride(0);
      own.v_hidden_bias = v_hidden_bias.mutable_data_ptr<float>() + i * hidden;
      own.v_output_rows = v_output.mutable_data_ptr<float>() + i * v_output.stride(0);
      own.v_output_bias = v_output_bias.mutable_data_ptr<float>() + i * outputs;
      kernels.march_backward(strided, own, head, rays * part / parts, rays * (part + 1) / parts, scratch.aligned);
    }
  });
  const at::Tensor v_rows = v_output.sum(0).narrow(1, 0, units), v_biases = v_output_bias.sum(0);
  const int64_t features = outputs - 1;
  return {(parts == 1 ? v_planes[0] : v_planes.sum(0)).narrow(2, 0, channels),
          v_hidden.sum(0).t().narrow(0, 0, units).narrow(1, 0, channels),
          v_hidden_bias.sum(0).narrow(0, 0, units),
          at::cat({v_rows.narrow(0, features, 1), v_rows.narrow(0, 0, features)}),
          at::cat({v_biases.narrow(0, features, 1), v_biases.narrow(0, 0, features)}),
          v_origins,
          v_directions,
          v_distances};
}

}  // namespace geoinv
