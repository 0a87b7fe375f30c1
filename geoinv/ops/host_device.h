// Functions that the CPU's and the CUDA kernels share.
#pragma once

#ifdef __CUDACC__
#define GEOINV_HOST_DEVICE __host__ __device__
#define GEOINV_SHARED static __host__ __device__ __forceinline__
#else
#define GEOINV_HOST_DEVICE
// static: translation units are compiled for different instruction sets, and the linker must not merge them
#define GEOINV_SHARED static inline __attribute__((always_inline))
#endif
