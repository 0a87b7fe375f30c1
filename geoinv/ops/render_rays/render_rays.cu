// CUDA launches of the bodies in render_rays_grid.h, a thread a ray, on plain device pointers and a given stream.
#include "../launch.h"
#include "render_rays_grid.h"

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

// The density's bias comes after the features': read here, it need not be brought to the host and waited for.
GEOINV_SHARED DecoderViews with_density_bias(DecoderViews decoder) {
  decoder.density_bias = decoder.feature_bias[decoder.features];
  return decoder;
}

__global__ void march_forward_kernel(MarchTask task) {
  task.decoder = with_density_bias(task.decoder);
  GEOINV_FOR_EACH(ray, task.planes.heads * task.rays) { march_forward_thread(task, ray); }
}

__global__ void march_backward_kernel(MarchTask task, MarchGradients gradients) {
  task.decoder = with_density_bias(task.decoder);
  GEOINV_FOR_EACH(ray, task.planes.heads * task.rays) { march_backward_thread(task, gradients, ray, AddTo{}); }
}

__global__ void render_forward_kernel(RenderTask task) {
  task.decoder = with_density_bias(task.decoder);
  GEOINV_FOR_EACH(ray, task.planes.heads * task.rays) { render_forward_thread(task, ray); }
}

PlaneViews planes_of(const float* data, int64_t heads, int64_t side, int64_t channels, float box_side,
                     int64_t third_is_zx) {
  PlaneViews views{};
  views.data = data, views.heads = heads;
  views.pixel_stride = channels, views.row_stride = side * channels, views.plane_stride = side * side * channels;
  views.head_stride = 3 * views.plane_stride;
  views.side = static_cast<int32_t>(side), views.channels = static_cast<int32_t>(channels);
  views.scale = 2.0f / box_side, views.third_is_zx = third_is_zx != 0;
  return views;
}

DecoderViews decoder_of(const float* hidden_columns, const float* hidden_bias, const float* output_rows,
                        const float* output_bias, int64_t hidden, int64_t features) {
  DecoderViews views{};
  views.hidden = static_cast<int32_t>(hidden), views.features = static_cast<int32_t>(features);
  views.feature_columns = views.features;
  views.hidden_columns = hidden_columns, views.hidden_bias = hidden_bias;
  views.output_rows = output_rows, views.feature_bias = output_bias;
  return views;
}

}  // namespace
}  // namespace geoinv

// Every launcher reads planes [heads, 3, side, side, channels], hidden_columns [channels, hidden], hidden_bias [hidden],
// output_rows [features + 1, hidden] and output_bias [features + 1] (density last); the rest is as in tasks.h.
#define GEOINV_HEAD_PARAMETERS                                                                                       \
  const float *planes, const float *hidden_columns, const float *hidden_bias, const float *output_rows,             \
      const float *output_bias, const float *origins, const float *directions, int64_t heads, int64_t rays,         \
      int64_t side, int64_t channels, int64_t hidden, int64_t features, float box_side, int64_t third_is_zx
#define GEOINV_SET_HEAD(task)                                                                                        \
  task.planes = planes_of(planes, heads, side, channels, box_side, third_is_zx);                                     \
  task.decoder = decoder_of(hidden_columns, hidden_bias, output_rows, output_bias, hidden, features);                \
  task.origins = origins, task.directions = directions, task.rays = rays

// Whether the kernels' local arrays are large enough.
extern "C" int render_rays_fits(int64_t channels, int64_t hidden, int64_t features, int64_t samples) {
  using namespace geoinv;
  return fits_grid(planes_of(nullptr, 0, 0, channels, 1.0f, 0),
                   decoder_of(nullptr, nullptr, nullptr, nullptr, hidden, features), samples);
}

extern "C" int march_rays_forward(GEOINV_HEAD_PARAMETERS, const float* distances, int64_t samples, const float* film,
                                  float* seen, float* alpha, float* distance, float* weights, void* stream) {
  using namespace geoinv;
  MarchTask task{};
  GEOINV_SET_HEAD(task);
  task.distances = distances, task.samples = samples, task.film = film;
  task.features = seen, task.alpha = alpha, task.distance = distance, task.weights = weights;
  GEOINV_LAUNCH_BLOCKS(march_forward_kernel, heads * rays, kBlock, stream, task);
  return GEOINV_LAST_ERROR();
}

// What it adds to must be zero before; gradients are null where they are not wanted.
extern "C" int march_rays_backward(GEOINV_HEAD_PARAMETERS, const float* distances, int64_t samples, const float* film,
                                   const float* v_seen, const float* v_alpha, const float* v_distance,
                                   const float* v_weights, float* v_planes, float* v_hidden_columns,
                                   float* v_hidden_bias, float* v_output_rows, float* v_output_bias, float* v_origins,
                                   float* v_directions, float* v_distances, float* v_film, void* stream) {
  using namespace geoinv;
  MarchTask task{};
  GEOINV_SET_HEAD(task);
  task.distances = distances, task.samples = samples, task.film = film;
  const MarchGradients gradients{v_seen,        v_alpha,       v_distance,    v_weights, v_planes,     v_hidden_columns,
                                 v_hidden_bias, v_output_rows, v_output_bias, v_origins, v_directions, v_distances,
                                 v_film};
  GEOINV_LAUNCH_BLOCKS(march_backward_kernel, heads * rays, kBlock, stream, task, gradients);
  return GEOINV_LAST_ERROR();
}

extern "C" int render_rays_forward(GEOINV_HEAD_PARAMETERS, int64_t coarse_samples, int64_t fine_samples,
                                   int64_t has_box_limits, float near, float far, const float* film,
                                   float* seen, float* alpha, float* distance, void* stream) {
  using namespace geoinv;
  if (fine_samples && coarse_samples < 4) return 1;  // cudaErrorInvalidValue: too few for a second pass
  RenderTask task{};
  GEOINV_SET_HEAD(task);
  task.coarse_samples = static_cast<int32_t>(coarse_samples), task.fine_samples = static_cast<int32_t>(fine_samples);
  task.has_box_limits = has_box_limits != 0, task.near = near, task.far = far, task.box_side = box_side;
  task.film = film, task.features = seen, task.alpha = alpha, task.distance = distance;
  GEOINV_LAUNCH_BLOCKS(render_forward_kernel, heads * rays, kBlock, stream, task);
  return GEOINV_LAST_ERROR();
}
