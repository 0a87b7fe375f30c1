// Where a sample reads three planes, for the CPU kernels (V = several floats side by side) and the CUDA kernels (V = float).
#pragma once

#include "../ray_samples.h"

namespace geoinv {

// The two pixels between which a coordinate falls on one axis of a plane, their weights, and how these change as the
// coordinate moves by one pixel. A pixel outside of the plane has weight and slope 0 and the index of one inside.
template <class V>
struct AxisPixels {
  typename Twin<V>::Int low, high;
  V low_weight, high_weight, low_slope, high_slope;
};

// coordinate in [-1, 1] across `side` pixels, whose centres lie half a pixel inside of the border.
template <class V>
GEOINV_SHARED AxisPixels<V> axis_pixels(V coordinate, int32_t side) {
  using Int = typename Twin<V>::Int;
  const float width = static_cast<float>(side);
  V position = ((coordinate + 1.0f) * width - 1.0f) * 0.5f;
  position = (position > -1.0f) & (position < width) ? position : V{} - 2.0f;  // not a number: outside
  const Int low = converted<Int>(position + 1.0f) - 1, high = low + 1;
  const V share = position - converted<V>(low);
  const auto has_low = (low >= 0) & (low < side), has_high = (high >= 0) & (high < side);
  AxisPixels<V> pixels;
  pixels.low = has_low ? low : Int{};
  pixels.high = has_high ? high : Int{};
  pixels.low_weight = has_low ? 1.0f - share : V{};
  pixels.high_weight = has_high ? share : V{};
  pixels.low_slope = has_low ? V{} - 1.0f : V{};
  pixels.high_slope = has_high ? V{} + 1.0f : V{};
  return pixels;
}

// Which coordinates of a point (already scaled to [-1, 1]) are the column and the row of plane 0, 1 or 2.
template <class V>
GEOINV_SHARED void plane_axes(int plane, bool third_is_zx, V x, V y, V z, V& column, V& row) {
  column = plane == 2 ? z : x;
  row = plane == 0 ? y : plane == 1 ? z : third_is_zx ? x : y;
}

// The same, as indices into a point.
GEOINV_SHARED int column_axis(int plane) { return plane == 2 ? 2 : 0; }
GEOINV_SHARED int row_axis(int plane, bool third_is_zx) { return plane == 1 ? 2 : plane == 0 ? 1 : third_is_zx ? 0 : 1; }

}  // namespace geoinv
