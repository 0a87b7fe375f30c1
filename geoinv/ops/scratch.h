// Parts of a thread's memory (Scratch in parallel.h). No standard header of templates here: translation units for different
// instruction sets include this, and the linker would merge what they make of those.
#pragma once

#include <cstdint>

namespace geoinv {

constexpr int64_t rounded_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

// The next `count` floats, aligned as what they are taken from.
static inline float* take(float*& scratch, int64_t count) {
  float* taken = scratch;
  scratch += rounded_up(count, 16);
  return taken;
}

}  // namespace geoinv
