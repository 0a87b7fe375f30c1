// Arithmetic of one sample of an anchored head, for the CPU kernels (V = several floats side by side) and the CUDA kernels
// (V = float), so that the CPU's tests cover both.
#pragma once

#include "../ray_samples.h"
#include "tasks.h"

namespace geoinv {

// x within [low, high]; low where x is not a number, so that no index leaves its table.
template <class V>
GEOINV_SHARED V clamped(V x, float low, float high) {
  x = x > low ? x : V{} + low;
  return x < high ? x : V{} + high;
}

// The lower of two neighbouring cells and how much the upper one counts; held constant beyond the outermost centres.
template <class V>
struct Between {
  typename Twin<V>::Int low, high;
  V share;
};

template <class V>
GEOINV_SHARED Between<V> between(V place, int32_t side) {  // place in [-1, 1] across `side` cells
  using Int = typename Twin<V>::Int;
  const float width = static_cast<float>(side);
  const V cell = clamped(((place + 1.0f) * width - 1.0f) * 0.5f, 0.0f, width - 1.0f);
  const Int low = converted<Int>(cell), next = low + 1;
  return {low, next < side ? next : low, cell - converted<V>(low)};
}

// How much the face's volume counts at a place in its box; 0 outside.
template <class V>
GEOINV_SHARED V face_share(const AnchorViews& anchor, V x, V y, V z) {
  const V inset_x = minus_abs(x) + 1.0f, inset_y = minus_abs(y) + 1.0f, inset_z = minus_abs(z) + 1.0f;
  V inset = inset_x < inset_y ? inset_x : inset_y;
  inset = inset < inset_z ? inset : inset_z;
  return clamped(inset * anchor.by_margin, 0.0f, 1.0f);
}

template <class V>
GEOINV_SHARED V place_in_face(const AnchorViews& anchor, int axis, V x) {
  return (x - anchor.face_low[axis]) * anchor.to_face[axis] - 1.0f;
}

// Place on the planes in [-1, 1] of coordinate `c` of the average head.
template <class V>
GEOINV_SHARED V foveated(const SpaceViews& space, int axis, V c) {
  const V offset = c - space.centre[axis];
  const V spread = offset / (1.0f - minus_abs(offset) * space.strength[axis]);
  return clamped((spread - space.spread_low[axis]) * space.spread_scale[axis] - 1.0f, -1.0f, 1.0f);
}

// Weight of the front slab at z of the average head.
template <class V>
GEOINV_SHARED V front_share(const SpaceViews& space, V z) {
  return clamped((z - space.slab_border) * space.by_slab_width + 0.5f, 0.0f, 1.0f);
}

// Raw density, given the decoder's own and the distance to the mesh.
template <class V>
GEOINV_SHARED V raw_density(const SpaceViews& space, V decoded, V distance) {
  return decoded * space.gain + space.floor + sigmoid_of(distance * -space.by_softness) * space.density;
}

}  // namespace geoinv
