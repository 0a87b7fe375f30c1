// The kernels for AVX-512.
#if defined(__x86_64__)
#include <cstdint>
#include <cstring>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")
#endif

#define GEOINV_LANES 16
#include "film.h"
#include "march.h"
#include "prepare.h"
#include "two_pass.h"

namespace geoinv {

extern const Kernels kernels_avx512 = {march_scratch,  march_forward,  march_backward, film_scratch,   film_backward,
                                   prepare_row,    prepare_maxima, prepare_bounds, render_scratch, render_packet};

}  // namespace geoinv

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
