// Arithmetic of Winograd's minimal filtering F(4 x 4, 3 x 3) (Lavin and Gray, CVPR 2016), for CPU and CUDA: 36
// products give 16 outputs, which 144 products give directly. Points 0, +-3/4, +-3/2 and infinity: exact in binary, and
// half the rounding error of the usual 0, +-1, +-2 (1.0e-6 of the norm against 2.2e-6; a direct convolution has 2.3e-7).
//
// V is a float or a vector of floats: one channel, or several side by side.
#pragma once

#include "../host_device.h"

namespace geoinv {

constexpr int kTile = 4;         // outputs of a tile along a side
constexpr int kWindow = 6;       // inputs of a tile along a side
constexpr int kSmallWindow = 4;  // inputs of a tile along a side where the output has twice the input's side
constexpr int kPositions = 36;   // products of a tile

constexpr float kP = 0.75f, kQ = 1.5f;
constexpr float kP2 = kP * kP, kQ2 = kQ * kQ, kP3 = kP2 * kP, kQ3 = kQ2 * kQ;

// Three taps of the filter along one axis -> six factors.
template <typename V>
GEOINV_HOST_DEVICE inline void transform_filter(const V* in, int in_stride, V* out, int out_stride) {
  constexpr float share_p = 1.0f / (2.0f * kP2 * (kP2 - kQ2)), share_q = 1.0f / (2.0f * kQ2 * (kQ2 - kP2));
  const V g0 = in[0], g1 = in[in_stride], g2 = in[2 * in_stride];
  const V even_p = share_p * (g0 + kP2 * g2), odd_p = share_p * kP * g1;
  const V even_q = share_q * (g0 + kQ2 * g2), odd_q = share_q * kQ * g1;
  out[0] = 1.0f / (kP2 * kQ2) * g0;
  out[out_stride] = even_p + odd_p;
  out[2 * out_stride] = even_p - odd_p;
  out[3 * out_stride] = even_q + odd_q;
  out[4 * out_stride] = even_q - odd_q;
  out[5 * out_stride] = g2;
}

// Six inputs along one axis -> six factors; `in` and `out` are read and written at the given strides.
template <typename V>
GEOINV_HOST_DEVICE inline void transform_input(const V* in, int in_stride, V* out, int out_stride) {
  const V d0 = in[0], d1 = in[in_stride], d2 = in[2 * in_stride], d3 = in[3 * in_stride], d4 = in[4 * in_stride],
          d5 = in[5 * in_stride];
  const V even_p = d4 - kQ2 * d2, odd_p = kP * (d3 - kQ2 * d1);
  const V even_q = d4 - kP2 * d2, odd_q = kQ * (d3 - kP2 * d1);
  out[0] = kP2 * kQ2 * d0 - (kP2 + kQ2) * d2 + d4;
  out[out_stride] = even_p + odd_p;
  out[2 * out_stride] = even_p - odd_p;
  out[3 * out_stride] = even_q + odd_q;
  out[4 * out_stride] = even_q - odd_q;
  out[5 * out_stride] = kP2 * kQ2 * d1 - (kP2 + kQ2) * d3 + d5;
}

// As transform_input, or where `up` from four inputs, of which the six are bilinear interpolations at half-pixel offsets.
template <bool up, typename V>
GEOINV_HOST_DEVICE inline void transform_window(const V* in, int in_stride, V* out, int out_stride) {
  if (!up) return transform_input(in, in_stride, out, out_stride);
  const V x0 = in[0], x1 = in[in_stride], x2 = in[2 * in_stride], x3 = in[3 * in_stride];
  const V window[kWindow] = {0.75f * x0 + 0.25f * x1, 0.25f * x0 + 0.75f * x1, 0.75f * x1 + 0.25f * x2,
                             0.25f * x1 + 0.75f * x2, 0.75f * x2 + 0.25f * x3, 0.25f * x2 + 0.75f * x3};
  transform_input(window, 1, out, out_stride);
}

// Six products along one axis -> four outputs.
template <typename V>
GEOINV_HOST_DEVICE inline void transform_output(const V* in, int in_stride, V* out, int out_stride) {
  const V m1 = in[in_stride], m2 = in[2 * in_stride], m3 = in[3 * in_stride], m4 = in[4 * in_stride];
  const V sum_p = m1 + m2, difference_p = m1 - m2, sum_q = m3 + m4, difference_q = m3 - m4;
  out[0] = in[0] + sum_p + sum_q;
  out[out_stride] = kP * difference_p + kQ * difference_q;
  out[2 * out_stride] = kP2 * sum_p + kQ2 * sum_q;
  out[3 * out_stride] = kP3 * difference_p + kQ3 * difference_q + in[5 * in_stride];
}

}  // namespace geoinv
