// Two-pass rendering on CPU: tensors in and out, and torch's own threads.
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>

#include "../parallel.h"
#include "tensors.h"

namespace geoinv {
namespace {

// More than which raw density is not, [B, cells, cells, cells]: the most at a cell's eight corners, and `slack` for what
// lies between them. Measured, not proven: texels are as large as cells or larger, so little does.
at::Tensor bounds_cpu(GEOINV_HEAD_TENSORS, int64_t cells, double slack) {
  const HeadTensors head(GEOINV_HEAD_NAMES);
  const int64_t heads = planes.size(0), corners = cells + 1, layer = corners * corners;
  at::Tensor raw = at::empty({heads, corners, corners, corners}, planes.options());
  at::Tensor bounds = at::empty({heads, cells, cells, cells}, planes.options());
  CornerTask task{head.views, static_cast<int32_t>(cells), static_cast<float>(settings[0]), raw.mutable_data_ptr<float>()};
  float* out = bounds.mutable_data_ptr<float>();
  const float more = static_cast<float>(slack);
  parallel_for(0, heads * corners, 1, [&](int64_t begin, int64_t end) {
    const Scratch scratch(corners_scratch(task));
    for (int64_t i = begin; i < end; ++i) corners_layer(task, i / corners, i % corners, scratch.aligned);
  });
  parallel_for(0, heads * cells, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* low = task.raw + (i / cells * corners + i % cells) * layer;
      for (int64_t y = 0; y < cells; ++y) {
        for (int64_t x = 0; x < cells; ++x) {
          float most = low[y * corners + x];
          for (const int64_t z : {int64_t{0}, layer})
            for (const int64_t at : {y * corners + x, (y + 1) * corners + x})
              most = std::max({most, low[z + at], low[z + at + 1]});
          out[(i * cells + y) * cells + x] = most + more;
        }
      }
    }
  });
  return bounds;
}

// Returns features, alpha, distance. Where `bounds` has no cells, no interval is skipped.
std::tuple<at::Tensor, at::Tensor, at::Tensor> render_forward_cpu(
    GEOINV_HEAD_TENSORS, const at::Tensor& bounds, const at::Tensor& origins, const at::Tensor& directions,
    int64_t coarse_samples, int64_t fine_samples, bool has_box_limits, double near, double far, double empty_raw,
    double min_transmittance, double least_share) {
  TORCH_CHECK(origins.is_contiguous() && directions.is_contiguous() && bounds.is_contiguous(),
              "origins, directions and bounds must be contiguous");
  TORCH_CHECK(fine_samples == 0 || coarse_samples > 3, "a second pass needs at least 4 samples of the first");
  const HeadTensors head(GEOINV_HEAD_NAMES);
  const int64_t heads = origins.size(0), rays = origins.size(1);
  at::Tensor features = at::empty({heads, rays, kFeatures}, origins.options());
  at::Tensor alpha = at::empty({heads, rays}, origins.options()), distance = at::empty({heads, rays}, origins.options());
  AnchoredRender task{};
  task.head = head.views;
  task.cells = static_cast<int32_t>(bounds.size(1)), task.bounds = task.cells ? bounds.const_data_ptr<float>() : nullptr;
  task.empty_raw = static_cast<float>(empty_raw), task.min_transmittance = static_cast<float>(min_transmittance);
  task.least_share = static_cast<float>(least_share);
  task.rays = rays, task.coarse_samples = static_cast<int32_t>(coarse_samples);
  task.fine_samples = static_cast<int32_t>(fine_samples), task.has_box_limits = has_box_limits;
  task.near = static_cast<float>(near), task.far = static_cast<float>(far);
  task.box_side = static_cast<float>(settings[0]);
  task.origins = origins.const_data_ptr<float>(), task.directions = directions.const_data_ptr<float>();
  task.features = features.mutable_data_ptr<float>(), task.alpha = alpha.mutable_data_ptr<float>();
  task.distance = distance.mutable_data_ptr<float>();
  // outputs are kept, which are few: with more rays, each takes fewer samples at a time that turn out to be hidden
  task.packet_rays = 32;
  const int64_t packets = (rays + task.packet_rays - 1) / task.packet_rays, total = heads * packets;
  // rays differ in cost by where they look: threads take packets as they get free
  std::atomic<int64_t> next{0};
  parallel_for(0, std::min<int64_t>(at::get_num_threads(), total), 1, [&](int64_t, int64_t) {
    const Scratch scratch(render_scratch(task));
    for (int64_t i = next++; i < total; i = next++) render_packet(task, i / packets, i % packets, scratch.aligned);
  });
  return {features, alpha, distance};
}

}  // namespace
}  // namespace geoinv

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def("anchored_bounds(" GEOINV_HEAD_SCHEMA ", int cells, float slack) -> Tensor", geoinv::bounds_cpu);
  library.def("render_anchored_forward(" GEOINV_HEAD_SCHEMA
              ", Tensor bounds, Tensor origins, Tensor directions, int coarse_samples, int fine_samples, "
              "bool has_box_limits, float near, float far, float empty_raw, float min_transmittance, "
              "float least_share) -> (Tensor, Tensor, Tensor)",
              geoinv::render_forward_cpu);
}
