// Runs the CUDA kernels' bodies over a grid of CPU loops, so that index and bounds logic is tested without a GPU.
#include "render_rays_grid.h"

using namespace geoinv;

namespace {

constexpr int64_t kThreads = 64;

struct Add {
  void operator()(float* to, float value) const { *to += value; }
};

// Every thread of every block, as a launch has them: the last block has threads without a ray.
template <class Body>
void over_grid(int64_t rays, Body body) {
  for (int64_t block = 0; block < (rays + kThreads - 1) / kThreads; ++block)
    for (int64_t thread = 0; thread < kThreads; ++thread) body(block * kThreads + thread);
}

PlaneViews planes_of(const float* data, const int64_t* sizes, float box_side) {  // [B, 3, R, R, C] contiguous
  PlaneViews views;
  const int64_t side = sizes[3], channels = sizes[4];
  views.data = data, views.heads = sizes[0];
  views.pixel_stride = channels, views.row_stride = side * channels, views.plane_stride = side * side * channels;
  views.head_stride = 3 * views.plane_stride;
  views.side = static_cast<int32_t>(side), views.channels = static_cast<int32_t>(channels);
  views.scale = 2.0f / box_side, views.third_is_zx = sizes[5] != 0;
  return views;
}

DecoderViews decoder_of(const float* const* weights, const int64_t* sizes, float density_bias) {
  DecoderViews views{};
  views.hidden = static_cast<int32_t>(sizes[6]), views.features = static_cast<int32_t>(sizes[7]);
  views.feature_columns = views.features;
  views.hidden_columns = weights[0], views.hidden_bias = weights[1], views.output_rows = weights[2];
  views.feature_bias = weights[3], views.density_bias = density_bias;
  return views;
}

}  // namespace

// sizes: heads, rays, samples, side, channels, third_is_zx, hidden, features, fine samples, has_box_limits.
extern "C" void fake_march(const int64_t* sizes, const float* scalars, const float* planes, const float* const* weights,
                           const float* const* rays, float* const* outputs, const float* const* v_outputs,
                           float* const* v_inputs) {
  MarchTask task{};
  task.planes = planes_of(planes, sizes, scalars[0]), task.decoder = decoder_of(weights, sizes, scalars[1]);
  task.rays = sizes[1], task.samples = sizes[2];
  task.origins = rays[0], task.directions = rays[1], task.distances = rays[2];
  task.features = outputs[0], task.alpha = outputs[1], task.distance = outputs[2], task.weights = outputs[3];
  over_grid(sizes[0] * sizes[1], [&](int64_t thread) { march_forward_thread(task, thread); });
  MarchGradients gradients{v_outputs[0], v_outputs[1], v_outputs[2], v_outputs[3], v_inputs[0], v_inputs[1],
                           v_inputs[2],  v_inputs[3],  v_inputs[4],  v_inputs[5],  v_inputs[6], v_inputs[7]};
  over_grid(sizes[0] * sizes[1], [&](int64_t thread) { march_backward_thread(task, gradients, thread, Add{}); });
}

extern "C" void fake_render(const int64_t* sizes, const float* scalars, const float* planes,
                            const float* const* weights, const float* const* rays, float* const* outputs) {
  RenderTask task{};
  task.planes = planes_of(planes, sizes, scalars[0]), task.decoder = decoder_of(weights, sizes, scalars[1]);
  task.rays = sizes[1], task.coarse_samples = static_cast<int32_t>(sizes[2]);
  task.fine_samples = static_cast<int32_t>(sizes[8]), task.has_box_limits = sizes[9] != 0;
  task.box_side = scalars[0], task.near = scalars[2], task.far = scalars[3];
  task.origins = rays[0], task.directions = rays[1];
  task.features = outputs[0], task.alpha = outputs[1], task.distance = outputs[2];
  over_grid(sizes[0] * sizes[1], [&](int64_t thread) { render_forward_thread(task, thread); });
}
