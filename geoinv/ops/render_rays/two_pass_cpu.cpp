// Two-pass rendering on CPU: tensors in and out, and torch's own threads.
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>

#include "../large_tensor.h"
#include "../parallel.h"
#include "render_rays_cpu.h"
#include "tensors.h"

namespace geoinv {
namespace {

constexpr int64_t kMostCells = 64;         // along a side of the grid of bounds
constexpr double kWorthSkipping = 0.05;  // of the cells, below which the fine grid is not made

// Bounds on a grid of `cells` a side, given those of half as many (or an undefined tensor).
at::Tensor bounds_of(PrepareTask task, const Kernels& kernels, int64_t cells, const at::Tensor& coarse,
                     const at::TensorOptions& options) {
  const int64_t heads = task.planes.heads;
  at::Tensor maxima = at::empty({heads, 3, cells, cells, task.decoder.hidden}, options);
  at::Tensor bounds = at::empty({heads, cells, cells, cells}, options);
  task.cells = static_cast<int32_t>(cells), task.column_maxima = maxima.mutable_data_ptr<float>();
  task.bounds = bounds.mutable_data_ptr<float>();
  task.coarse = coarse.defined() ? coarse.const_data_ptr<float>() : nullptr;
  parallel_for(0, heads * 3 * cells, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernels.prepare_maxima(task, i / cells / 3, i / cells % 3, i % cells);
  });
  parallel_for(0, heads * cells, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernels.prepare_bounds(task, i / cells, i % cells);
  });
  return bounds;
}

// The number of cells whose size is at least two pixels; a power of two, 0 where the planes are too small.
int64_t cells_for(int64_t side) {
  int64_t cells = kMostCells;
  while (cells > side / 2) cells /= 2;
  return cells < 4 ? 0 : cells;
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> render_rays_prepare(const at::Tensor& planes, const at::Tensor& hidden_weight,
                                                       const at::Tensor& hidden_bias, const at::Tensor& output_weight,
                                                       const at::Tensor& output_bias, bool third_is_zx,
                                                       bool wants_bounds, double empty_raw, int64_t instructions) {
  const at::Tensor pixels = by_pixel(planes);
  const Decoder decoder(hidden_weight, hidden_bias, output_weight, output_bias);
  const Kernels& kernels = kernels_of(instructions);
  PrepareTask task{};
  task.planes = view_of(pixels, 1.0, third_is_zx), task.decoder = decoder.views;
  task.limit = static_cast<float>(empty_raw);
  const int64_t heads = planes.size(0), side = planes.size(3), hidden = decoder.views.hidden;
  at::Tensor hidden_planes = empty_large({heads, 3, side, side, hidden});
  task.hidden_planes = hidden_planes.mutable_data_ptr<float>();
  parallel_for(0, heads * 3 * side, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernels.prepare_row(task, i / side / 3, i / side % 3, i % side);
  });
  const at::Tensor none = at::empty({heads, 0, 0, 0}, pixels.options());
  const int64_t cells = wants_bounds ? cells_for(side) : 0;
  if (!cells) return {hidden_planes, none};
  const at::Tensor coarse = bounds_of(task, kernels, cells / 2, {}, pixels.options());
  const float* bound = coarse.const_data_ptr<float>();
  const int64_t empty = std::count_if(bound, bound + coarse.numel(), [&](float raw) { return raw < task.limit; });
  if (static_cast<double>(empty) < kWorthSkipping * static_cast<double>(coarse.numel())) return {hidden_planes, none};
  return {hidden_planes, bounds_of(task, kernels, cells, coarse, pixels.options())};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> render_rays_forward(
    const at::Tensor& hidden_planes, const at::Tensor& bounds, const at::Tensor& origins, const at::Tensor& directions,
    const std::optional<at::Tensor>& film, const at::Tensor& hidden_weight, const at::Tensor& hidden_bias,
    const at::Tensor& output_weight, const at::Tensor& output_bias, double box_side, bool third_is_zx,
    int64_t coarse_samples, int64_t fine_samples, bool has_box_limits, double near, double far, double empty_raw,
    double min_transmittance, double least_share, int64_t instructions) {
  TORCH_CHECK(hidden_planes.is_contiguous() && bounds.is_contiguous(), "prepared planes must be contiguous");
  TORCH_CHECK(origins.is_contiguous() && directions.is_contiguous(), "origins and directions must be contiguous");
  TORCH_CHECK(fine_samples == 0 || coarse_samples > 3, "a second pass needs at least 4 samples of the first");
  const Decoder decoder(hidden_weight, hidden_bias, output_weight, output_bias);
  const int64_t heads = origins.size(0), rays = origins.size(1);
  RenderTask task{};
  task.planes = view_of(hidden_planes.permute({0, 1, 4, 2, 3}), box_side, third_is_zx), task.decoder = decoder.views;
  task.cells = static_cast<int32_t>(bounds.size(1));
  task.bounds = task.cells ? bounds.const_data_ptr<float>() : nullptr;
  task.empty_raw = static_cast<float>(empty_raw), task.min_transmittance = static_cast<float>(min_transmittance);
  task.least_share = static_cast<float>(least_share);
  task.rays = rays, task.coarse_samples = static_cast<int32_t>(coarse_samples);
  task.fine_samples = static_cast<int32_t>(fine_samples), task.has_box_limits = has_box_limits;
  task.near = static_cast<float>(near), task.far = static_cast<float>(far);
  task.box_side = static_cast<float>(box_side);
  task.origins = origins.const_data_ptr<float>(), task.directions = directions.const_data_ptr<float>();
  const at::Tensor rows = film ? film_rows(*film) : at::Tensor();
  task.film = film ? rows.const_data_ptr<float>() : nullptr;
  at::Tensor features = at::empty({heads, rays, decoder.views.features}, origins.options());
  at::Tensor alpha = at::empty({heads, rays}, origins.options());
  at::Tensor distance = at::empty({heads, rays}, origins.options());
  task.features = features.mutable_data_ptr<float>(), task.alpha = alpha.mutable_data_ptr<float>();
  task.distance = distance.mutable_data_ptr<float>();
  const Kernels& kernels = kernels_of(instructions);
  // hidden units are kept, and those of more rays would not stay in the cache
  task.packet_rays = 16;
  const int64_t packets = (rays + task.packet_rays - 1) / task.packet_rays, total = heads * packets;
  // rays differ in cost by where they look: threads take packets as they get free
  std::atomic<int64_t> next{0};
  parallel_for(0, std::min<int64_t>(at::get_num_threads(), total), 1, [&](int64_t, int64_t) {
    const Scratch scratch(kernels.render_scratch(task));
    for (int64_t i = next++; i < total; i = next++)
      kernels.render_packet(task, i / packets, i % packets, scratch.aligned);
  });
  return {features, alpha, distance};
}

}  // namespace geoinv
