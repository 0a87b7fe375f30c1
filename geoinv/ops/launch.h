// Launch of a CUDA kernel over `count` threads. Compiled as plain C++ the same source runs over a fake grid, thread by
// thread, so that index and bounds logic are tested without a GPU.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#include <cuda_runtime.h>

#define GEOINV_LAUNCH_BLOCKS(kernel, count, threads, stream, ...)                                             \
  if ((count) > 0)                                                                                            \
  kernel<<<geoinv::blocks_for(count, threads), threads, 0, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#define GEOINV_LAST_ERROR() static_cast<int>(cudaGetLastError())
#else
#define __global__ static

struct FakeIndex {
  unsigned x;
};
static FakeIndex blockIdx, threadIdx, blockDim, gridDim;

#define GEOINV_LAUNCH_BLOCKS(kernel, count, threads, stream, ...)                              \
  gridDim.x = (count) > 0 ? geoinv::blocks_for(count, threads) : 0, blockDim.x = (threads);    \
  for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x)                                   \
    for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) kernel(__VA_ARGS__)
#define GEOINV_LAST_ERROR() 0
#endif

#define GEOINV_LAUNCH(kernel, count, stream, ...) \
  GEOINV_LAUNCH_BLOCKS(kernel, count, geoinv::kThreads, stream, __VA_ARGS__)

namespace geoinv {

constexpr unsigned kThreads = 256;

// At most as many blocks as keep a GPU busy; each thread goes on in strides of the grid.
inline unsigned blocks_for(int64_t count, unsigned threads) {
  const int64_t blocks = (count + threads - 1) / threads;
  return static_cast<unsigned>(blocks < 65535 ? blocks : 65535);
}

}  // namespace geoinv

// The loop of a thread over its elements.
#define GEOINV_FOR_EACH(index, count)                                                                              \
  for (int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; index < (count);               \
       index += static_cast<int64_t>(gridDim.x) * blockDim.x)
