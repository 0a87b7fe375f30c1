// Rays with given samples on CPU: tensors in and out, and torch's own threads.
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "../parallel.h"
#include "render_rays_cpu.h"
#include "tensors.h"

namespace geoinv {
namespace {

// Copies of one head's gradient, where there are fewer heads than these. Fixed, so that sums do not depend on the number
// of threads; to make and to add a copy takes as long as some 500 rays of 20 samples.
constexpr int64_t kParts = 4, kRaysOfPart = 1024;

MarchTask march_task(const at::Tensor& planes, const Decoder& decoder, const at::Tensor& origins,
                     const at::Tensor& directions, const at::Tensor& distances, const at::Tensor& film,
                     double box_side, bool third_is_zx) {
  TORCH_CHECK(origins.is_contiguous() && directions.is_contiguous() && distances.is_contiguous(),
              "origins, directions and distances must be contiguous");
  MarchTask task{};
  task.planes = view_of(planes, box_side, third_is_zx), task.decoder = decoder.views;
  task.rays = distances.size(1), task.samples = distances.size(2);
  task.origins = origins.const_data_ptr<float>(), task.directions = directions.const_data_ptr<float>();
  task.distances = distances.const_data_ptr<float>();
  task.film = film.defined() ? film.const_data_ptr<float>() : nullptr;
  return task;
}

// The sum over the first of [parts, heads, 3, C, R, R] of any strides, added in the order in which it lies in memory:
// otherwise it took thirty times as long as it takes to read, and left a layout that is copied again later.
at::Tensor sum_of_parts(const at::Tensor& v_planes) {
  if (v_planes.size(0) == 1) return v_planes[0];
  return v_planes.permute({0, 1, 2, 4, 5, 3}).sum(0).permute({0, 1, 4, 2, 3});
}

const float* data_or_null(const std::optional<at::Tensor>& tensor) {
  if (!tensor.has_value()) return nullptr;
  TORCH_CHECK(tensor->is_contiguous(), "gradients must be contiguous");
  return tensor->const_data_ptr<float>();
}

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> march_rays_forward(
    const at::Tensor& planes, const at::Tensor& origins, const at::Tensor& directions, const at::Tensor& distances,
    const std::optional<at::Tensor>& film, const at::Tensor& hidden_weight, const at::Tensor& hidden_bias,
    const at::Tensor& output_weight, const at::Tensor& output_bias, double box_side, bool third_is_zx,
    int64_t instructions) {
  const int64_t heads = distances.size(0), rays = distances.size(1), samples = distances.size(2);
  const at::Tensor pixels = by_pixel(planes);
  const Decoder decoder(hidden_weight, hidden_bias, output_weight, output_bias);
  const at::Tensor film_data = film ? film_rows(*film) : at::Tensor();
  MarchTask task = march_task(pixels, decoder, origins, directions, distances, film_data, box_side, third_is_zx);
  at::Tensor features = at::empty({heads, rays, decoder.views.features}, distances.options());
  at::Tensor alpha = at::empty({heads, rays}, distances.options()), distance = at::empty_like(alpha);
  at::Tensor weights = at::empty({heads, rays, samples - 1}, distances.options());
  task.features = features.mutable_data_ptr<float>(), task.alpha = alpha.mutable_data_ptr<float>();
  task.distance = distance.mutable_data_ptr<float>(), task.weights = weights.mutable_data_ptr<float>();
  const Kernels& kernels = kernels_of(instructions);
  constexpr int64_t kRays = 48;  // of one head, at once
  const int64_t parts = (rays + kRays - 1) / kRays;
  parallel_for(0, heads * parts, 1, [&](int64_t begin, int64_t end) {
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
    const std::optional<at::Tensor>& film, const at::Tensor& hidden_weight, const at::Tensor& hidden_bias,
    const at::Tensor& output_weight, const at::Tensor& output_bias, double box_side, bool third_is_zx,
    bool wants_planes, bool wants_decoder, bool wants_rays, bool wants_film, int64_t instructions) {
  const int64_t heads = distances.size(0), rays = distances.size(1);
  const int64_t channels = planes.size(2), units = hidden_weight.size(0), outputs = output_weight.size(0);
  const at::Tensor pixels = by_pixel(planes);
  const Decoder decoder(hidden_weight, hidden_bias, output_weight, output_bias);
  const at::Tensor film_data = film ? film_rows(*film) : at::Tensor();
  const MarchTask task =
      march_task(pixels, decoder, origins, directions, distances, film_data, box_side, third_is_zx);
  const int64_t wanted = kParts / std::max<int64_t>(heads, 1);
  const int64_t parts = std::max<int64_t>(std::min(wanted, rays / kRaysOfPart), 1);
  // [parts, heads, 3, C, R, R], pixels in the order of the planes' own
  at::Tensor v_planes;
  if (wants_planes && parts == 1 && pixels.is_non_overlapping_and_dense()) {
    v_planes = at::empty_strided(pixels.sizes(), pixels.strides(), pixels.options()).zero_().unsqueeze(0);
  } else if (wants_planes) {
    const int64_t side = pixels.size(3);
    v_planes = at::zeros({parts, heads, 3, side, side, pixels.size(2)}, pixels.options()).permute({0, 1, 2, 5, 3, 4});
  }
  MarchTask strided = task;  // offsets serve both the planes and their gradient: only where they are laid out alike
  at::Tensor read = pixels;
  if (wants_planes && v_planes[0].strides() != pixels.strides()) {
    read = at::empty_strided(v_planes[0].sizes(), v_planes[0].strides(), pixels.options()).copy_(pixels);
    strided.planes = view_of(read, box_side, third_is_zx);
  }
  const int64_t sets = parts * heads, hidden = decoder.views.hidden;
  at::Tensor v_hidden, v_hidden_bias, v_output, v_output_bias;
  if (wants_decoder) {
    v_hidden = at::zeros({sets, pixels.size(2), hidden}, pixels.options());
    v_hidden_bias = at::zeros({sets, hidden}, pixels.options());
    v_output = at::zeros({sets, outputs, hidden}, pixels.options());
    v_output_bias = at::zeros({sets, outputs}, pixels.options());
  }
  at::Tensor v_origins, v_directions, v_distances, v_film;
  if (wants_rays)
    v_origins = at::zeros_like(origins), v_directions = at::zeros_like(origins),
    v_distances = at::zeros_like(distances);
  if (wants_film) v_film = at::empty_like(film_data);
  MarchGradients gradients{};
  gradients.v_features = data_or_null(v_features), gradients.v_alpha = data_or_null(v_alpha);
  gradients.v_distance = data_or_null(v_distance), gradients.v_weights = data_or_null(v_weights);
  if (wants_rays) {
    gradients.v_origins = v_origins.mutable_data_ptr<float>();
    gradients.v_directions = v_directions.mutable_data_ptr<float>();
    gradients.v_distances = v_distances.mutable_data_ptr<float>();
  }
  if (wants_film) gradients.v_film = v_film.mutable_data_ptr<float>();
  const Kernels& kernels = kernels_of(instructions);
  float* v_plane_data = wants_planes ? v_planes.mutable_data_ptr<float>() : nullptr;
  parallel_for(0, sets, 1, [&](int64_t begin, int64_t end) {
    const Scratch scratch(kernels.march_scratch(strided));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t part = i / heads, head = i % heads;
      MarchGradients own = gradients;
      if (wants_planes) own.v_planes = v_plane_data + part * v_planes.stride(0) + head * v_planes.stride(1);
      if (wants_decoder) {
        own.v_hidden_columns = v_hidden.mutable_data_ptr<float>() + i * v_hidden.stride(0);
        own.v_hidden_bias = v_hidden_bias.mutable_data_ptr<float>() + i * hidden;
        own.v_output_rows = v_output.mutable_data_ptr<float>() + i * v_output.stride(0);
        own.v_output_bias = v_output_bias.mutable_data_ptr<float>() + i * outputs;
      }
      kernels.march_backward(strided, own, head, rays * part / parts, rays * (part + 1) / parts, scratch.aligned);
    }
  });
  std::vector<at::Tensor> found(9);
  if (wants_planes) found[0] = sum_of_parts(v_planes).narrow(2, 0, channels);
  if (wants_decoder) {
    const at::Tensor v_rows = v_output.sum(0).narrow(1, 0, units), v_biases = v_output_bias.sum(0);
    const int64_t features = outputs - 1;
    found[1] = v_hidden.sum(0).t().narrow(0, 0, units).narrow(1, 0, channels);
    found[2] = v_hidden_bias.sum(0).narrow(0, 0, units);
    found[3] = at::cat({v_rows.narrow(0, features, 1), v_rows.narrow(0, 0, features)});
    found[4] = at::cat({v_biases.narrow(0, features, 1), v_biases.narrow(0, 0, features)});
  }
  found[5] = v_origins, found[6] = v_directions, found[7] = v_distances;
  if (wants_film) found[8] = v_film.narrow(3, 0, units).flatten(2);
  return found;
}

at::Tensor march_rays_film_backward(const at::Tensor& v_features, const at::Tensor& weights, const at::Tensor& planes,
                                    const at::Tensor& origins, const at::Tensor& directions,
                                    const at::Tensor& distances, const at::Tensor& film,
                                    const at::Tensor& hidden_weight, const at::Tensor& hidden_bias,
                                    const at::Tensor& output_weight, const at::Tensor& output_bias, double box_side,
                                    bool third_is_zx, int64_t instructions) {
  TORCH_CHECK(v_features.is_contiguous() && weights.is_contiguous(), "v_features and weights must be contiguous");
  const int64_t heads = distances.size(0), rays = distances.size(1);
  const at::Tensor pixels = by_pixel(planes), film_data = film_rows(film);
  const Decoder decoder(hidden_weight, hidden_bias, output_weight, output_bias);
  const MarchTask task =
      march_task(pixels, decoder, origins, directions, distances, film_data, box_side, third_is_zx);
  at::Tensor v_film = at::empty_like(film_data);
  const FilmGradient gradient{weights.const_data_ptr<float>(), v_features.const_data_ptr<float>(),
                              v_film.mutable_data_ptr<float>()};
  const Kernels& kernels = kernels_of(instructions);
  constexpr int64_t kRays = 48;  // of one head, at once
  const int64_t parts = (rays + kRays - 1) / kRays;
  parallel_for(0, heads * parts, 1, [&](int64_t begin, int64_t end) {
    const Scratch scratch(kernels.film_scratch(task));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % parts * kRays;
      kernels.film_backward(task, gradient, i / parts, first, std::min(first + kRays, rays), scratch.aligned);
    }
  });
  return v_film.narrow(3, 0, hidden_weight.size(0)).flatten(2);
}

}  // namespace geoinv
