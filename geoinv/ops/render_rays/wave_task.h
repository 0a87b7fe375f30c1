// What two passes through anything get: plain pointers.
#pragma once

#include <cstdint>

namespace geoinv {

constexpr int64_t kMostPacketRays = 32;

// Rays of all heads, and what may be skipped; see waves.h.
struct WaveTask {
  const float* bounds;  // [heads, cells, cells, cells] of raw density, or null for exact work
  int32_t cells;
  float empty_raw;      // an interval whose mean bound is below it is skipped
  float min_transmittance;  // a ray ends where its transmittance falls below it
  float least_share;    // a sample that counts less has no colour
  int64_t rays;         // of one head
  int64_t packet_rays;  // that are decoded together, at most kMostPacketRays
  int32_t coarse_samples, fine_samples;
  bool has_box_limits;
  float near, far, box_side;
  const float* origins;     // [heads, rays, 3]
  const float* directions;  // [heads, rays, 3]
  const float* film;        // [heads, rays, 2, hidden] scale and shift of the hidden units that colours read, or null
  float* features;          // [heads, rays, features]
  float* alpha;             // [heads, rays]
  float* distance;          // [heads, rays]
};

}  // namespace geoinv
