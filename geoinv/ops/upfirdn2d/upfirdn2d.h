// Index arithmetic of upfirdn along one axis, for CPU and CUDA.
//
// Zeros are inserted (`up` - 1 after each input), the row is padded, filtered, and each `down`-th value is kept:
// y[o] = sum over k of taps[k] * spread[o * down + k - pad]. Only the taps that meet an input are visited.
#pragma once

#include <cstdint>

#include "../host_device.h"

namespace geoinv {

struct Axis {
  int64_t in, out;  // lengths
  int up, down, pad, taps;
};

// The taps of one output: tap first_tap + i * up meets input first_input + i, for i in [0, count).
struct Span {
  int64_t first_input;
  int first_tap, count;
};

GEOINV_HOST_DEVICE inline Span span_of(const Axis& axis, int64_t out) {
  const int64_t start = out * axis.down - axis.pad;  // of tap 0 in the spread row
  int tap = start < 0 ? static_cast<int>(-start) : 0;
  tap += static_cast<int>((axis.up - (start + tap) % axis.up) % axis.up);
  const int64_t input = (start + tap) / axis.up;
  int64_t count = axis.taps > tap ? (axis.taps - 1 - tap) / axis.up + 1 : 0;
  if (count > axis.in - input) count = axis.in - input;
  return {input, tap, static_cast<int>(count > 0 ? count : 0)};
}

}  // namespace geoinv
