// What bindings.cpp registers; shapes are those of geoinv/ops/render_rays/__init__.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>
#include <vector>

namespace geoinv {

// How many instruction sets this processor has kernels for: 1 generic, 2 also AVX2, 3 also AVX-512.
int64_t instruction_sets();

// `instructions`: -1 for the best, or 0, 1, 2 for at most generic, AVX2, AVX-512.
// Returns features, alpha, distance, weights.
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> march_rays_forward(
    const at::Tensor& planes, const at::Tensor& origins, const at::Tensor& directions, const at::Tensor& distances,
    const std::optional<at::Tensor>& film, const at::Tensor& hidden_weight, const at::Tensor& hidden_bias,
    const at::Tensor& output_weight, const at::Tensor& output_bias, double box_side, bool third_is_zx,
    int64_t instructions);

// Returns gradients to planes, hidden weight and bias, output weight and bias, origins, directions, distances and film;
// undefined where not asked for.
std::vector<at::Tensor> march_rays_backward(
    const std::optional<at::Tensor>& v_features, const std::optional<at::Tensor>& v_alpha,
    const std::optional<at::Tensor>& v_distance, const std::optional<at::Tensor>& v_weights, const at::Tensor& planes,
    const at::Tensor& origins, const at::Tensor& directions, const at::Tensor& distances,
    const std::optional<at::Tensor>& film, const at::Tensor& hidden_weight, const at::Tensor& hidden_bias,
    const at::Tensor& output_weight, const at::Tensor& output_bias, double box_side, bool third_is_zx,
    bool wants_planes, bool wants_decoder, bool wants_rays, bool wants_film, int64_t instructions);

// The gradient to film alone, from the weights that the forward pass returned: several times cheaper.
at::Tensor march_rays_film_backward(const at::Tensor& v_features, const at::Tensor& weights, const at::Tensor& planes,
                                    const at::Tensor& origins, const at::Tensor& directions,
                                    const at::Tensor& distances, const at::Tensor& film,
                                    const at::Tensor& hidden_weight, const at::Tensor& hidden_bias,
                                    const at::Tensor& output_weight, const at::Tensor& output_bias, double box_side,
                                    bool third_is_zx, int64_t instructions);

// What the rays of a head share (prepare.h): hidden planes [B, 3, R, R, H] and bounds of raw density [B, G, G, G]; the
// bounds are empty where they are not wanted, or where almost nothing is below `empty_raw`.
std::tuple<at::Tensor, at::Tensor> render_rays_prepare(const at::Tensor& planes, const at::Tensor& hidden_weight,
                                                       const at::Tensor& hidden_bias, const at::Tensor& output_weight,
                                                       const at::Tensor& output_bias, bool third_is_zx,
                                                       bool wants_bounds, double empty_raw, int64_t instructions);

// Returns features, alpha, distance. Where `bounds` has no cells, no interval is skipped.
std::tuple<at::Tensor, at::Tensor, at::Tensor> render_rays_forward(
    const at::Tensor& hidden_planes, const at::Tensor& bounds, const at::Tensor& origins, const at::Tensor& directions,
    const std::optional<at::Tensor>& film, const at::Tensor& hidden_weight, const at::Tensor& hidden_bias,
    const at::Tensor& output_weight, const at::Tensor& output_bias, double box_side, bool third_is_zx,
    int64_t coarse_samples, int64_t fine_samples, bool has_box_limits, double near, double far, double empty_raw,
    double min_transmittance, double least_share, int64_t instructions);

}  // namespace geoinv
