// Registers torch.ops.geoinv.render_rays_* and march_rays_*.
#include <torch/library.h>

#include "render_rays_cpu.h"

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def("render_rays_instruction_sets() -> int", geoinv::instruction_sets);
  library.def(
      "march_rays_forward(Tensor planes, Tensor origins, Tensor directions, Tensor distances, Tensor? film, "
      "Tensor hidden_weight, Tensor hidden_bias, Tensor output_weight, Tensor output_bias, float box_side, "
      "bool third_is_zx, int instructions) -> (Tensor, Tensor, Tensor, Tensor)",
      geoinv::march_rays_forward);
  library.def(
      "march_rays_backward(Tensor? v_features, Tensor? v_alpha, Tensor? v_distance, Tensor? v_weights, Tensor planes, "
      "Tensor origins, Tensor directions, Tensor distances, Tensor? film, Tensor hidden_weight, Tensor hidden_bias, "
      "Tensor output_weight, Tensor output_bias, float box_side, bool third_is_zx, bool wants_planes, "
      "bool wants_decoder, bool wants_rays, bool wants_film, int instructions) -> Tensor[]",
      geoinv::march_rays_backward);
  library.def(
      "march_rays_film_backward(Tensor v_features, Tensor weights, Tensor planes, Tensor origins, Tensor directions, "
      "Tensor distances, Tensor film, Tensor hidden_weight, Tensor hidden_bias, Tensor output_weight, "
      "Tensor output_bias, float box_side, bool third_is_zx, int instructions) -> Tensor",
      geoinv::march_rays_film_backward);
  library.def(
      "render_rays_prepare(Tensor planes, Tensor hidden_weight, Tensor hidden_bias, Tensor output_weight, "
      "Tensor output_bias, bool third_is_zx, bool wants_bounds, float empty_raw, int instructions) -> "
      "(Tensor, Tensor)",
      geoinv::render_rays_prepare);
  library.def(
      "render_rays_forward(Tensor hidden_planes, Tensor bounds, Tensor origins, Tensor directions, "
      "Tensor? film, Tensor hidden_weight, Tensor hidden_bias, Tensor output_weight, Tensor output_bias, float box_side, "
      "bool third_is_zx, int coarse_samples, int fine_samples, bool has_box_limits, float near, float far, "
      "float empty_raw, float min_transmittance, float least_share, int instructions) -> (Tensor, Tensor, Tensor)",
      geoinv::render_rays_forward);
}
