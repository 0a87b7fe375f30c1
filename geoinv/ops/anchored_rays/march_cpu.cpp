// Rays with given samples on CPU: tensors in and out, and torch's own threads.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>

#include "../parallel.h"
#include "tensors.h"

namespace geoinv {
namespace {

constexpr int64_t kRays = 48;  // of one head, at once

AnchoredMarch march_of(const HeadTensors& head, const at::Tensor& origins, const at::Tensor& directions,
                       const at::Tensor& distances, const at::Tensor& film, const at::Tensor& seen) {
  TORCH_CHECK(origins.is_contiguous() && directions.is_contiguous() && distances.is_contiguous(),
              "origins, directions and distances must be contiguous");
  AnchoredMarch task{};
  task.head = head.views, task.rays = distances.size(1), task.samples = distances.size(2);
  task.origins = origins.const_data_ptr<float>(), task.directions = directions.const_data_ptr<float>();
  task.distances = distances.const_data_ptr<float>();
  task.film = film.defined() ? film.const_data_ptr<float>() : nullptr;
  task.seen = static_cast<int32_t*>(seen.data_ptr());
  return task;
}

const float* data_or_null(const std::optional<at::Tensor>& tensor) {
  if (!tensor.has_value()) return nullptr;
  TORCH_CHECK(tensor->is_contiguous(), "gradients must be contiguous");
  return tensor->const_data_ptr<float>();
}

// Returns features, alpha, distance, weights, and how many samples of each ray have a gradient.
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> march_forward_cpu(
    GEOINV_HEAD_TENSORS, const at::Tensor& origins, const at::Tensor& directions, const at::Tensor& distances,
    const std::optional<at::Tensor>& film) {
  const HeadTensors head(GEOINV_HEAD_NAMES);
  const int64_t heads = distances.size(0), rays = distances.size(1), samples = distances.size(2);
  const at::Tensor rows = film ? film_rows(*film) : at::Tensor();
  at::Tensor features = at::empty({heads, rays, kFeatures}, distances.options());
  at::Tensor alpha = at::empty({heads, rays}, distances.options()), distance = at::empty_like(alpha);
  at::Tensor weights = at::empty({heads, rays, samples - 1}, distances.options());
  at::Tensor seen = at::empty({heads, rays}, distances.options().dtype(at::kInt));
  AnchoredMarch task = march_of(head, origins, directions, distances, rows, seen);
  task.features = features.mutable_data_ptr<float>(), task.alpha = alpha.mutable_data_ptr<float>();
  task.distance = distance.mutable_data_ptr<float>(), task.weights = weights.mutable_data_ptr<float>();
  const int64_t parts = (rays + kRays - 1) / kRays;
  parallel_for(0, heads * parts, 1, [&](int64_t begin, int64_t end) {
    const Scratch scratch(march_scratch(task));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % parts * kRays;
      march_forward(task, i / parts, first, std::min(first + kRays, rays), scratch.aligned);
    }
  });
  return {features, alpha, distance, weights, seen};
}

// Gradients to planes (undefined where not wanted), hidden weight, hidden bias of each head, output weight and bias.
std::vector<at::Tensor> march_backward_cpu(
    const std::optional<at::Tensor>& v_features, const std::optional<at::Tensor>& v_alpha,
    const std::optional<at::Tensor>& v_distance, const std::optional<at::Tensor>& v_weights, const at::Tensor& seen,
    GEOINV_HEAD_TENSORS, const at::Tensor& origins, const at::Tensor& directions, const at::Tensor& distances,
    const std::optional<at::Tensor>& film, bool wants_planes) {
  const HeadTensors head(GEOINV_HEAD_NAMES);
  const int64_t heads = distances.size(0), rays = distances.size(1), hidden = head.views.decoder.hidden;
  const at::Tensor rows = film ? film_rows(*film) : at::Tensor();
  const AnchoredMarch task = march_of(head, origins, directions, distances, rows, seen);
  const auto options = distances.options();
  at::Tensor v_planes = wants_planes ? at::zeros(head.texels.sizes(), options) : at::Tensor();
  at::Tensor v_columns = at::zeros({heads, head.views.decoder.told, hidden}, options);
  at::Tensor v_bias = at::zeros({heads, hidden}, options);
  at::Tensor v_output = at::zeros({heads, kOutputs, hidden}, options), v_output_bias = at::zeros({heads, kOutputs}, options);
  AnchoredGradients gradients{};
  gradients.v_features = data_or_null(v_features), gradients.v_alpha = data_or_null(v_alpha);
  gradients.v_distance = data_or_null(v_distance), gradients.v_weights = data_or_null(v_weights);
  parallel_for(0, heads, 1, [&](int64_t begin, int64_t end) {
    const Scratch scratch(march_scratch(task));
    for (int64_t i = begin; i < end; ++i) {
      AnchoredGradients own = gradients;
      own.v_planes = wants_planes ? v_planes.mutable_data_ptr<float>() + i * v_planes.stride(0) : nullptr;
      own.v_hidden_columns = v_columns.mutable_data_ptr<float>() + i * v_columns.stride(0);
      own.v_hidden_bias = v_bias.mutable_data_ptr<float>() + i * hidden;
      own.v_output_rows = v_output.mutable_data_ptr<float>() + i * v_output.stride(0);
      own.v_output_bias = v_output_bias.mutable_data_ptr<float>() + i * kOutputs;
      march_backward(task, own, i, 0, rays, scratch.aligned);
    }
  });
  const auto [v_hidden_weight, v_hidden_bias] = head.hidden_gradients(v_columns, v_bias);
  const auto [v_output_weight, v_bias_sum] = head.output_gradients(v_output, v_output_bias);
  if (wants_planes) v_planes = v_planes.narrow(4, 0, planes.size(2)).permute({0, 3, 4, 1, 2});
  return {v_planes, v_hidden_weight, v_hidden_bias, v_output_weight, v_bias_sum};
}

}  // namespace
}  // namespace geoinv

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def("march_anchored_forward(" GEOINV_HEAD_SCHEMA
              ", Tensor origins, Tensor directions, Tensor distances, Tensor? film) -> "
              "(Tensor, Tensor, Tensor, Tensor, Tensor)",
              geoinv::march_forward_cpu);
  library.def("march_anchored_backward(Tensor? v_features, Tensor? v_alpha, Tensor? v_distance, Tensor? v_weights, "
              "Tensor seen, " GEOINV_HEAD_SCHEMA
              ", Tensor origins, Tensor directions, Tensor distances, Tensor? film, bool wants_planes) -> Tensor[]",
              geoinv::march_backward_cpu);
}
