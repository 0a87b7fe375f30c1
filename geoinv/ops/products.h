// Sums and small matrix products of vectors.
#pragma once

#include <cstdint>

#include "lanes.h"
#include "ray_samples.h"

namespace geoinv {

template <>
struct Twin<Vec> {
  using Int = IntVec;
};

namespace {

// Sum of the COUNT floats of a vector, by halves.
template <int COUNT, class V>
GEOINV_INLINE float sum_of_lanes(V value) {
  if constexpr (COUNT == 2) {
    return value[0] + value[1];
  } else {
    typedef float Half __attribute__((vector_size(COUNT * 2)));
    Half low, high;
    memcpy(&low, &value, sizeof(Half));
    memcpy(&high, reinterpret_cast<const char*>(&value) + sizeof(Half), sizeof(Half));
    return sum_of_lanes<COUNT / 2>(low + high);
  }
}

GEOINV_INLINE float sum_of(Vec value) { return sum_of_lanes<kLanes>(value); }

template <int COUNT, class V>
GEOINV_INLINE uint32_t union_of_lanes(V value) {
  if constexpr (COUNT == 2) {
    return static_cast<uint32_t>(value[0] | value[1]);
  } else {
    typedef int32_t Half __attribute__((vector_size(COUNT * 2)));
    Half low, high;
    memcpy(&low, &value, sizeof(Half));
    memcpy(&high, reinterpret_cast<const char*>(&value) + sizeof(Half), sizeof(Half));
    return union_of_lanes<COUNT / 2>(low | high);
  }
}

// 0, 1, 2, ...
GEOINV_INLINE IntVec lane_numbers() {
  IntVec numbers = {};
  for (int lane = 0; lane < kLanes; ++lane) numbers[lane] = lane;
  return numbers;
}

// Bit i of the result: whether lane i is true in what a comparison of vectors gave.
GEOINV_INLINE uint32_t bits_of(IntVec is_true) {
  return union_of_lanes<kLanes>(is_true & (IntVec{} + 1 << lane_numbers()));
}

// Dot product of `count` floats, a multiple of the lanes.
GEOINV_INLINE float dot(const float* a, const float* b, int64_t count) {
  Vec sum = {};
  for (int64_t i = 0; i < count; i += kLanes) sum += load(a + i) * load(b + i);
  return sum_of(sum);
}

enum class Start { zero, bias, sum };  // what a product is added to: nothing, a row, or what is there

// out[r][c] (+)= sum_i x[r * x_row + i * x_inner] * m[i * m_row + c] for ROWS rows and VECS vectors of columns.
template <int ROWS, int VECS, Start START>
GEOINV_INLINE void tile(const float* x, int64_t x_row, int64_t x_inner, const float* m, int64_t m_row, int64_t inner,
                        float* out, int64_t out_row, const float* bias) {
  Vec sums[ROWS][VECS];
#pragma GCC unroll 16
  for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < VECS; ++v)
      sums[r][v] = START == Start::zero   ? Vec{}
                   : START == Start::bias ? load(bias + v * kLanes)
                                          : load(out + r * out_row + v * kLanes);
  for (int64_t i = 0; i < inner; ++i) {
    Vec row[VECS];
#pragma GCC unroll 4
    for (int v = 0; v < VECS; ++v) row[v] = load(m + i * m_row + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; ++r) {
      const float factor = x[r * x_row + i * x_inner];
#pragma GCC unroll 4
      for (int v = 0; v < VECS; ++v) sums[r][v] += row[v] * factor;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < VECS; ++v) store(out + r * out_row + v * kLanes, sums[r][v]);
}

// All rows of one panel of VECS vectors: tiles of ROWS rows, then of half as many, down to one.
template <int ROWS, int VECS, Start START>
GEOINV_INLINE void panel(const float* x, int64_t x_row, int64_t x_inner, int64_t rows, const float* m, int64_t m_row,
                         int64_t inner, float* out, int64_t out_row, const float* bias) {
  int64_t r = 0;
  for (; r + ROWS <= rows; r += ROWS)
    tile<ROWS, VECS, START>(x + r * x_row, x_row, x_inner, m, m_row, inner, out + r * out_row, out_row, bias);
  if constexpr (ROWS > 1)
    if (r < rows)
      panel<ROWS / 2, VECS, START>(x + r * x_row, x_row, x_inner, rows - r, m, m_row, inner, out + r * out_row,
                                   out_row, bias);
}

// out [rows, columns] = x [rows, inner] m [inner, columns], with x read at any strides and columns a multiple of the
// lanes.
template <Start START>
static void product(const float* x, int64_t x_row, int64_t x_inner, int64_t rows, const float* m, int64_t m_row,
                    int64_t inner, int64_t columns, float* out, int64_t out_row, const float* bias = nullptr) {
  int64_t c = 0;
  auto advance = [&](int vecs) {
    m += vecs * kLanes, out += vecs * kLanes, c += vecs * kLanes;
    if (START == Start::bias) bias += vecs * kLanes;
  };
  if constexpr (kLanes == 16) {  // 32 registers
    for (; c + 4 * kLanes <= columns; advance(4))
      panel<6, 4, START>(x, x_row, x_inner, rows, m, m_row, inner, out, out_row, bias);
    for (; c + 2 * kLanes <= columns; advance(2))
      panel<12, 2, START>(x, x_row, x_inner, rows, m, m_row, inner, out, out_row, bias);
    for (; c < columns; advance(1))
      panel<12, 1, START>(x, x_row, x_inner, rows, m, m_row, inner, out, out_row, bias);
  } else {  // 16 registers
    for (; c + 2 * kLanes <= columns; advance(2))
      panel<6, 2, START>(x, x_row, x_inner, rows, m, m_row, inner, out, out_row, bias);
    for (; c < columns; advance(1))
      panel<12, 1, START>(x, x_row, x_inner, rows, m, m_row, inner, out, out_row, bias);
  }
}

}  // namespace
}  // namespace geoinv
