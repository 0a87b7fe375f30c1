// CUDA launches of the bodies in anchored_rays_grid.h, a thread a ray, on plain device pointers and a given stream.
#include "../launch.h"
#include "anchored_rays_grid.h"
#include "settings.h"

namespace geoinv {
namespace {

constexpr unsigned kBlock = 64;  // threads; each keeps several KiB of a ray's samples

struct AddTo {
#ifdef __CUDACC__
  __device__ void operator()(float* to, float value) const { atomicAdd(to, value); }
#else
  void operator()(float* to, float value) const { *to += value; }
#endif
};

__global__ void march_forward_kernel(AnchoredMarch task) {
  GEOINV_FOR_EACH(ray, task.head.planes.heads * task.rays) { march_forward_thread(task, ray); }
}

__global__ void march_backward_kernel(AnchoredMarch task, AnchoredGradients gradients) {
  GEOINV_FOR_EACH(ray, task.head.planes.heads * task.rays) { march_backward_thread(task, gradients, ray, AddTo{}); }
}

__global__ void render_forward_kernel(AnchoredRender task) {
  GEOINV_FOR_EACH(ray, task.head.planes.heads * task.rays) { render_forward_thread(task, ray); }
}

}  // namespace
}  // namespace geoinv

// Every launcher reads planes [heads, side, side, 4, channels], volumes [heads, cells, cells, cells, 8], hidden_columns
// [told, hidden], hidden_bias [heads, hidden], output_rows [8, hidden] and output_bias [8] (density last), and in the
// host's memory settings [setting_count] (settings.h); the rest is as in tasks.h.
#define GEOINV_HEAD_PARAMETERS                                                                                        \
  const float *planes, const float *whole, const float *face, const float *hidden_columns, const float *hidden_bias, \
      const float *output_rows, const float *output_bias, const float *settings, int64_t setting_count,              \
      const float *origins, const float *directions, int64_t heads, int64_t rays, int64_t side, int64_t channels,    \
      int64_t cells, int64_t face_cells, int64_t hidden
#define GEOINV_SET_HEAD(task)                                                                                         \
  set_settings(task.head, settings, setting_count);                                                                   \
  task.head.planes = {planes, heads, static_cast<int32_t>(side), static_cast<int32_t>(channels)};                     \
  task.head.anchor.whole = whole, task.head.anchor.face = face;                                                       \
  task.head.anchor.side = static_cast<int32_t>(cells), task.head.anchor.face_side = static_cast<int32_t>(face_cells); \
  task.head.decoder.hidden = static_cast<int32_t>(hidden);                                                            \
  task.head.decoder.told = static_cast<int32_t>(channels) + task.head.space.scales + 1;                               \
  task.head.decoder.hidden_columns = hidden_columns, task.head.decoder.hidden_bias = hidden_bias;                     \
  task.head.decoder.output_rows = output_rows, task.head.decoder.output_bias = output_bias;                           \
  task.origins = origins, task.directions = directions, task.rays = rays

// Whether the kernels' local arrays are large enough.
extern "C" int anchored_rays_fits(int64_t told, int64_t hidden, int64_t samples, int64_t setting_count) {
  geoinv::Head head{};
  head.decoder.told = static_cast<int32_t>(told), head.decoder.hidden = static_cast<int32_t>(hidden);
  return geoinv::fits_grid(head, samples) && geoinv::fits_settings(setting_count);
}

extern "C" int march_anchored_forward(GEOINV_HEAD_PARAMETERS, const float* distances, int64_t samples, const float* film,
                                      float* features, float* alpha, float* distance, float* weights, void* stream) {
  using namespace geoinv;
  AnchoredMarch task{};
  GEOINV_SET_HEAD(task);
  task.distances = distances, task.samples = samples, task.film = film;
  task.features = features, task.alpha = alpha, task.distance = distance, task.weights = weights;
  GEOINV_LAUNCH_BLOCKS(march_forward_kernel, heads * rays, kBlock, stream, task);
  return GEOINV_LAST_ERROR();
}

// What it adds to must be zero before; v_planes is null where it is not wanted.
extern "C" int march_anchored_backward(GEOINV_HEAD_PARAMETERS, const float* distances, int64_t samples,
                                       const float* film, const float* v_features, const float* v_alpha,
                                       const float* v_distance, const float* v_weights, float* v_planes,
                                       float* v_hidden_columns, float* v_hidden_bias, float* v_output_rows,
                                       float* v_output_bias, void* stream) {
  using namespace geoinv;
  AnchoredMarch task{};
  GEOINV_SET_HEAD(task);
  task.distances = distances, task.samples = samples, task.film = film;
  const AnchoredGradients gradients{v_features,       v_alpha,       v_distance,    v_weights,    v_planes,
                                    v_hidden_columns, v_hidden_bias, v_output_rows, v_output_bias};
  GEOINV_LAUNCH_BLOCKS(march_backward_kernel, heads * rays, kBlock, stream, task, gradients);
  return GEOINV_LAST_ERROR();
}

extern "C" int render_anchored_forward(GEOINV_HEAD_PARAMETERS, int64_t coarse_samples, int64_t fine_samples,
                                       int64_t has_box_limits, float near, float far, const float* bounds,
                                       int64_t bound_cells, float* features, float* alpha, float* distance,
                                       void* stream) {
  using namespace geoinv;
  if (fine_samples && coarse_samples < 4) return 1;  // cudaErrorInvalidValue: too few for a second pass
  AnchoredRender task{};
  GEOINV_SET_HEAD(task);
  task.coarse_samples = static_cast<int32_t>(coarse_samples), task.fine_samples = static_cast<int32_t>(fine_samples);
  task.has_box_limits = has_box_limits != 0, task.near = near, task.far = far, task.box_side = settings[0];
  task.bounds = bounds, task.cells = static_cast<int32_t>(bound_cells);
  task.features = features, task.alpha = alpha, task.distance = distance;
  GEOINV_LAUNCH_BLOCKS(render_forward_kernel, heads * rays, kBlock, stream, task);
  return GEOINV_LAST_ERROR();
}
