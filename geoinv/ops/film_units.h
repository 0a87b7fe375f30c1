// A ray's film on the hidden units of its samples.
#pragma once

#include "lanes.h"
#include "ray_samples.h"

namespace geoinv {
namespace {

// out [count, units]: hidden units of samples of one ray, as its colours read them.
static void modulate_hidden(const float* hidden, int64_t count, const float* film, int64_t units, float* out) {
  for (int64_t h = 0; h < units; h += kLanes) {
    const Vec scale = load(film + h), shift = load(film + units + h);
    for (int64_t i = 0; i < count; ++i)
      store(out + i * units + h, modulated_by(scale, shift, load(hidden + i * units + h)));
  }
}

// v_film [2, units] of one ray, from the hidden units of its samples and the gradients to what its colours read.
static void sum_film(const float* hidden, const float* v_modulated, int64_t count, int64_t units, float* v_film) {
  for (int64_t h = 0; h < units; h += kLanes) {
    Vec v_scale = {}, v_shift = {};
    for (int64_t i = 0; i < count; ++i) {
      const Vec v = load(v_modulated + i * units + h);
      v_scale += v * load(hidden + i * units + h), v_shift += v;
    }
    store(v_film + h, v_scale), store(v_film + units + h, v_shift);
  }
}

}  // namespace
}  // namespace geoinv
