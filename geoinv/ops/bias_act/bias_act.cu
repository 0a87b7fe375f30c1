// Scale, noise, bias, leaky ReLU, gain and clamp of channels-last maps [B, P, C] on a GPU: a thread an element.
#include "../launch.h"
#include "bias_act.h"

namespace geoinv {

__global__ void forward_kernel(const float* x, const float* bias, const float* scale, const float* noise,
                               int64_t batch, int64_t pixels, int64_t channels, Activation activation, float* y) {
  GEOINV_FOR_EACH(i, batch * pixels * channels) {
    const int64_t channel = i % channels, pixel = i / channels % pixels, sample = i / (channels * pixels);
    const float shift = (noise ? noise[pixel] : 0.0f) + (bias ? bias[channel] : 0.0f);
    y[i] = bias_act_forward(x[i], scale ? scale[sample * channels + channel] : 1.0f, shift, activation);
  }
}

__global__ void backward_kernel(const float* v_y, const float* y, int64_t count, Activation activation, float* v) {
  GEOINV_FOR_EACH(i, count) { v[i] = bias_act_backward(v_y[i], y[i], activation); }
}

}  // namespace geoinv

extern "C" int bias_act_forward(const float* x, const float* bias, const float* scale, const float* noise,
                                int64_t batch, int64_t pixels, int64_t channels, float slope, float gain, float limit,
                                float* y, void* stream) {
  using namespace geoinv;
  const Activation activation{slope, gain, limit};
  GEOINV_LAUNCH(forward_kernel, batch * pixels * channels, stream, x, bias, scale, noise, batch, pixels, channels,
                activation, y);
  return GEOINV_LAST_ERROR();
}

// The cotangent of scale * x + noise + bias; what those sum it over is left to torch.
extern "C" int bias_act_backward(const float* v_y, const float* y, int64_t count, float slope, float gain, float limit,
                                 float* v, void* stream) {
  using namespace geoinv;
  const Activation activation{slope, gain, limit};
  GEOINV_LAUNCH(backward_kernel, count, stream, v_y, y, count, activation, v);
  return GEOINV_LAST_ERROR();
}
