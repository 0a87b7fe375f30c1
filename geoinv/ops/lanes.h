// Vectors of GEOINV_LANES floats by the compilers' own vector extension. Who includes it defines the number first, once
// in a translation unit; everything has internal linkage, because units of one extension may have different numbers.
#pragma once

#include <cstdint>

#define GEOINV_INLINE static inline __attribute__((always_inline))

namespace geoinv {
namespace {

constexpr int kLanes = GEOINV_LANES;
typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef int32_t IntVec __attribute__((vector_size(kLanes * 4)));
typedef float AnyVec __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));  // at any address
typedef int32_t AnyIntVec __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

GEOINV_INLINE Vec load(const float* at) { return *reinterpret_cast<const AnyVec*>(at); }
GEOINV_INLINE void store(float* at, Vec value) { *reinterpret_cast<AnyVec*>(at) = value; }
GEOINV_INLINE void store(int32_t* at, IntVec value) { *reinterpret_cast<AnyIntVec*>(at) = value; }

}  // namespace
}  // namespace geoinv
