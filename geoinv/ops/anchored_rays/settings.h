// Settings of anchored heads as one row of numbers, which the CPU's and the CUDA operations are given.
#pragma once

#include <cmath>

#include "tasks.h"

namespace geoinv {

// The box's side, the face's margin, low and high of the face's box (3 + 3), centre and strength of the fovea for each axis
// (6), slab border and width, density, floor, softness, gain; behind them come the distance scales.
constexpr int64_t kSettings = 20;

inline bool fits_settings(int64_t count) { return count >= kSettings && count <= kSettings + kMostScales; }

template <class Number>
inline void set_settings(Head& head, const Number* settings, int64_t count) {
  AnchorViews& anchor = head.anchor;
  SpaceViews& space = head.space;
  anchor.to_box = static_cast<float>(2.0 / settings[0]), anchor.by_margin = static_cast<float>(0.5 / settings[1]);
  const double half = 0.5 * settings[0];
  for (int axis = 0; axis < 3; ++axis) {
    const double low = settings[2 + axis], high = settings[5 + axis];
    anchor.face_low[axis] = static_cast<float>(low), anchor.to_face[axis] = static_cast<float>(2.0 / (high - low));
    const double centre = settings[8 + 2 * axis], strength = settings[9 + 2 * axis];
    auto spread = [&](double offset) { return offset / (1.0 + strength * std::abs(offset)); };
    const double first = spread(-half - centre), last = spread(half - centre);
    space.centre[axis] = static_cast<float>(centre), space.strength[axis] = static_cast<float>(strength);
    space.spread_low[axis] = static_cast<float>(first);
    space.spread_scale[axis] = static_cast<float>(2.0 / (last - first));
  }
  const Number* rest = settings + 14;
  space.slab_border = static_cast<float>(rest[0]), space.by_slab_width = static_cast<float>(1.0 / rest[1]);
  space.density = static_cast<float>(rest[2]), space.floor = static_cast<float>(rest[3]);
  space.by_softness = static_cast<float>(1.0 / rest[4]), space.gain = static_cast<float>(rest[5]);
  space.scales = static_cast<int32_t>(count - kSettings);
  for (int k = 0; k < space.scales; ++k) space.by_scale[k] = static_cast<float>(1.0 / settings[kSettings + k]);
}

}  // namespace geoinv
