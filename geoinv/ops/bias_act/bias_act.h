// Arithmetic of one element of bias_act, for CPU and CUDA.
#pragma once

#include "../host_device.h"

namespace geoinv {

struct Activation {
  float slope;  // of the negative side; 1 for none
  float gain;   // positive
  float limit;  // of the magnitude of the output; infinity for none
};

// y = clamp(gain * lrelu(x * scale + shift)), shift = noise + bias.
GEOINV_HOST_DEVICE inline float bias_act_forward(float x, float scale, float shift, const Activation& activation) {
  const float before = x * scale + shift;
  const float y = activation.gain * (before > 0.0f ? before : before * activation.slope);
  return y > activation.limit ? activation.limit : y < -activation.limit ? -activation.limit : y;
}

// Cotangent of x * scale + shift, given the output: its sign is that of what was activated.
GEOINV_HOST_DEVICE inline float bias_act_backward(float v_y, float y, const Activation& activation) {
  if (!(y < activation.limit && y > -activation.limit)) return 0.0f;
  return v_y * activation.gain * (y > 0.0f ? 1.0f : activation.slope);
}

}  // namespace geoinv
