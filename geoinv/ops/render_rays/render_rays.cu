// CUDA launches of the bodies in render_rays_grid.h, on plain device pointers and a given stream. No torch header is
// needed to compile them; a build of torch without CUDA never does.
#include <cuda_runtime.h>

#include "render_rays_grid.h"

namespace geoinv {
namespace {

constexpr int kThreads = 64;  // a block; a thread keeps several KiB of a ray's samples

struct AtomicAdd {
  __device__ void operator()(float* to, float value) const { atomicAdd(to, value); }
};

__global__ void march_forward_kernel(MarchTask task) {
  march_forward_thread(task, static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x);
}

__global__ void march_backward_kernel(MarchTask task, MarchGradients gradients) {
  march_backward_thread(task, gradients, static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x, AtomicAdd{});
}

__global__ void render_forward_kernel(RenderTask task) {
  render_forward_thread(task, static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x);
}

unsigned int blocks_of(int64_t rays) { return static_cast<unsigned int>((rays + kThreads - 1) / kThreads); }

}  // namespace

cudaError_t launch_march_forward(const MarchTask& task, cudaStream_t stream) {
  const int64_t rays = task.planes.heads * task.rays;
  if (rays == 0) return cudaSuccess;
  march_forward_kernel<<<blocks_of(rays), kThreads, 0, stream>>>(task);
  return cudaGetLastError();
}

cudaError_t launch_march_backward(const MarchTask& task, const MarchGradients& gradients, cudaStream_t stream) {
  const int64_t rays = task.planes.heads * task.rays;
  if (rays == 0) return cudaSuccess;
  march_backward_kernel<<<blocks_of(rays), kThreads, 0, stream>>>(task, gradients);
  return cudaGetLastError();
}

cudaError_t launch_render_forward(const RenderTask& task, cudaStream_t stream) {
  const int64_t rays = task.planes.heads * task.rays;
  if (rays == 0) return cudaSuccess;
  render_forward_kernel<<<blocks_of(rays), kThreads, 0, stream>>>(task);
  return cudaGetLastError();
}

}  // namespace geoinv
